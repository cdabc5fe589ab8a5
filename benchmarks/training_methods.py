"""Every training method on the same supernet: accuracy of smallest, median and largest, and whether its order is right.

    python benchmarks/training_methods.py [--data digits] [--seeds 3] [--budget steps passes] [--methods ...] [--out FOLDER]

Digits is the preset `digits-lesson` (512 subnets) as it is, Fashion-MNIST is `fashion-cnn` on 5,000 images for 6 epochs.
All methods start from the same weights and see the same batches. The budget is that of the sandwich rule (four forward
passes with a gradient a step): at equal *steps* all take its epochs, at equal *passes* a method that runs fewer subnets a
step takes more epochs, by what its strategy says it costs. Tau is Kendall's, validation accuracy inside the supernet (what a search sees) against
test accuracy of 24 subnets trained alone (mean over seeds), mean over the supernet's seeds, with the middle 95 % of 2,000 resamples of the
subnets; the ceiling is the mean tau between two seeds of training alone. Regret: how much worse the subnet is that the supernet likes best on
validation images, of those 24, than the best of them, all trained alone, on test images. Results are kept in FOLDER; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.training_claims import CLAIMS, verdict
from core.attacks.base import ATTACKS
from core.chance.rank_intervals import middle, resampled_kendall
from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.errors import CoreError, DataUnavailable
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.library.presets import PRESETS
from core.networks.answers import accuracy
from core.networks.calibration import recalibrate
from core.networks.chain import fresh_like
from core.rank_correlation import kendall
from core.seeding import stream, torch_seed
from core.spaces import Arch
from core.spaces.spread import spread_rows
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.files import build
from core.tasks.base import evaluation_data, task_of
from core.training.budget import allowances, priced
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.plain import PlainStep, fit
from core.training.strategies import STRATEGIES

REFERENCE = "sandwich"
BUDGETS = ("steps", "passes")
RANKED, RANDOM, ATTACKED = 24, 64, 300
EPS = 0.1


@dataclass(frozen=True)
class Scale:
    """What is trained.

    Attributes:
        preset: network, data and settings.
        data: changes of the data set's settings.
        epochs: of the reference.
    """

    preset: str
    data: Mapping[str, int]
    epochs: int


SCALES = {
    "digits": Scale("digits-lesson", {}, 20),
    "fashion": Scale("fashion-cnn", {"limit_train": 5000, "limit_validation": 1000, "limit_test": 2000}, 6),
}


@dataclass(frozen=True)
class Task:
    """One training: of a supernet by a method, or of a subnet alone ("alone:" and the subnet's id)."""

    scale: str
    method: str
    budget: str
    seed: int

    @property
    def file(self) -> str:
        return f"{self.scale}-{self.method.replace(':', '-')}-{self.budget}-{self.seed}.json"


def data_of(scale: Scale) -> Dataset:
    chosen = PRESETS[scale.preset]["data"]
    return load_dataset(chosen["name"], seed=chosen["seed"], **{**chosen["config"], **scale.data})


def fresh(scale: Scale, dataset: Dataset, seed: int, method: str = REFERENCE) -> Supernet:
    """The preset's network with the weights of a seed, and with what the method fixes of its family."""
    preset = PRESETS[scale.preset]
    settings = preset["config"] | task_of(dataset).settings_from(dataset)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "weights"))
        return build(preset["family"], settings | dict(STRATEGIES.get(method).family_settings))


def epochs_for(net: Supernet, scale: Scale, method: str, budget: str, samples: int) -> int:
    """Epochs of a method at the reference's budget, of so many samples each; never fewer than it has phases."""
    prices = [priced(STRATEGIES.create(name), net.space, samples) for name in (REFERENCE, method)]
    if budget == "steps":
        return max(scale.epochs, len(prices[1]))
    return allowances(prices, scale.epochs, budget)[1].epochs


def ranked(net: Supernet) -> list[Arch]:
    """The subnets that are trained alone: the ends and others spread over the MACs."""
    table = CostTable.of(net)
    rows = spread_rows(
        net.space,
        RANKED,
        stream(0, "benchmark", "ranked"),
        lambda archs: table.total("macs", archs).astype(float),
    )
    return [tuple(row) for row in rows.tolist()]


def run_method(task: Task) -> dict[str, Any]:
    """Train a supernet and measure it."""
    scale = SCALES[task.scale]
    dataset = data_of(scale)
    net = fresh(scale, dataset, task.seed, task.method)
    STRATEGIES.create(task.method).check(net.space)
    epochs = epochs_for(net, scale, task.method, task.budget, len(dataset.train))
    # With what belongs to the method (BigNAS's learning rate), everything else equal.
    settings = PRESETS[scale.preset]["training"] | STRATEGIES.get(task.method).suggests
    settings |= {
        "strategy": task.method,
        "epochs": epochs,
        "seed": task.seed,
    }
    began, work = (
        time.process_time(),
        train(net, dataset, TrainingConfig.model_validate(settings), MemoryLedger()),
    )
    while True:
        try:
            next(work)
        except StopIteration as end:
            net = end.value
            break
    seconds = time.process_time() - began
    some = np.concatenate(
        [np.array(ranked(net), np.uint8), net.space.sample_array(RANDOM, stream(0, "benchmark", "random"))]
    )
    rows = np.unique(some, axis=0)
    table = evaluate_table(net, rows, ("accuracy", "test_accuracy"), evaluation_data(dataset))
    place = {tuple(row): i for i, row in enumerate(rows.tolist())}
    at = [place[arch] for arch in ranked(net)]
    return {
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "smallest": float(table["test_accuracy"][place[net.smallest]]),
        "largest": float(table["test_accuracy"][place[net.largest]]),
        "median": float(np.median(table["test_accuracy"])),
        "ranked_validation": table["accuracy"][at].tolist(),
        "robust": robust(net, dataset),
    }


def robust(net: Supernet, dataset: Dataset) -> float:
    """Mean accuracy of the smallest and the largest subnet on test images that PGD moved by up to EPS."""
    few = dataset.test.first(ATTACKED)
    attack, found = ATTACKS.create("pgd"), []
    for arch in (net.smallest, net.largest):
        alone = net.extract(arch, net.calibrate_on(arch, dataset))
        moved = attack.run(alone, few.x, few.y, EPS, ids=few.ids.tolist())
        with torch.no_grad():
            found.append(float((alone(torch.from_numpy(moved)).argmax(1).numpy() == few.y).mean()))
    return statistics.fmean(found)


def run_alone(task: Task) -> dict[str, Any]:
    """Train one of the ranked subnets alone, as long as the reference trains the supernet."""
    scale = SCALES[task.scale]
    dataset, index = data_of(scale), int(task.method.partition(":")[2])
    net = fresh(scale, dataset, 0)
    arch = ranked(net)[index]
    plain = {n: v for n, v in PRESETS[scale.preset]["training"].items() if n != "strategy"}
    config = TrainingConfig.model_validate({**plain, "epochs": scale.epochs, "seed": task.seed})
    alone = fresh_like(net.extract(arch, net.calibrate_on(arch, dataset)), task.seed).requires_grad_(True)
    order = torch_seed(task.seed, "alone", "order")
    began = time.process_time()
    for _ in fit(PlainStep(alone, dataset, config), dataset, config, order_seed=order, what="a subnet alone"):
        pass
    recalibrate(alone, torch.from_numpy(dataset.calibration.x))
    return {"test": accuracy(alone, dataset, "test"), "seconds": round(time.process_time() - began, 1)}


def run(task: Task, out: str) -> str:
    """Do a task unless it is done; what it says of itself."""
    torch.set_num_threads(1)
    file = Path(out) / task.file
    if not file.exists():
        try:
            found = run_alone(task) if task.method.startswith("alone:") else run_method(task)
        except DataUnavailable:
            raise
        except CoreError as error:
            found = {"refused": str(error)}
        kept = file.with_suffix(".part")
        kept.write_text(json.dumps(asdict(task) | found))
        kept.replace(file)
    return task.file


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    for seed in range(options.seeds):
        for index in range(RANKED):
            yield Task(options.data, f"alone:{index}", "alone", seed)
        for budget in options.budget:
            for method in options.methods:
                yield Task(options.data, method, budget, seed)


def read(out: Path, options: argparse.Namespace) -> dict[Task, dict[str, Any]]:
    return {task: json.loads((out / task.file).read_text()) for task in tasks(options)}


def alone_accuracies(found: Mapping[Task, Any], options: argparse.Namespace) -> NDArray[np.float64]:
    """(seeds, subnets) test accuracies of the ranked subnets, each trained alone."""
    return np.array(
        [
            [found[Task(options.data, f"alone:{i}", "alone", seed)]["test"] for i in range(RANKED)]
            for seed in range(options.seeds)
        ]
    )


def numbers(runs: Sequence[Mapping[str, Any]], truth: NDArray[np.float64]) -> dict[str, Any]:
    """What is printed of a method at a budget, from its seeds."""
    taus = [kendall(r["ranked_validation"], truth) or 0.0 for r in runs]
    draws = np.mean([resampled_kendall(r["ranked_validation"], truth, draws=2000) for r in runs], axis=0)
    low, high = middle(draws)
    regret = [float(truth.max() - truth[int(np.argmax(r["ranked_validation"]))]) for r in runs]
    columns = {
        n: [float(r[n]) for r in runs]
        for n in ("smallest", "median", "largest", "robust", "seconds", "epochs")
    }
    return {**columns, "tau": taus, "low": low, "high": high, "regret": regret}


def percent(values: Sequence[float]) -> str:
    mean = 100 * statistics.fmean(values)
    return f"{mean:5.1f}" + (f" ±{100 * statistics.stdev(values):4.1f}" if len(values) > 1 else "      ")


def report(found: Mapping[Task, dict[str, Any]], options: argparse.Namespace) -> None:
    alone = alone_accuracies(found, options)
    truth = alone.mean(axis=0)
    between = [kendall(a, b) or 0.0 for a, b in combinations(alone, 2)]
    ceiling = f"{statistics.fmean(between):.2f}" if between else "unknown with one seed"
    print(
        f"{options.data}: {RANKED} subnets alone {100 * truth.min():.1f} to {100 * truth.max():.1f} %; seed-to-seed tau {ceiling}"
    )
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    for budget in options.budget:
        print(
            f"\nat equal {budget}\n{'method':24s} epochs  smallest     median       largest      robust       tau [95 %]          regret   CPU s"
        )
        for method in options.methods:
            runs = [found[Task(options.data, method, budget, seed)] for seed in range(options.seeds)]
            if refused := next((r["refused"] for r in runs if "refused" in r), None):
                print(f"{method:24s} not in this space: {refused}")
                continue
            n = shown[method, budget] = numbers(runs, truth)
            print(
                f"{method:24s} {statistics.fmean(n['epochs']):6.0f}  {percent(n['smallest'])}  {percent(n['median'])}  {percent(n['largest'])}  "
                f"{percent(n['robust'])}  {statistics.fmean(n['tau']):5.2f} [{n['low']:5.2f}, {n['high']:5.2f}]  {100 * statistics.fmean(n['regret']):5.2f}  {statistics.fmean(n['seconds']):6.0f}"
            )
    print("\nclaims")
    one = float(np.sqrt(0.09 / 2000))  # of an accuracy near 90 % on 2,000 test images
    for claim in CLAIMS:
        pair = (claim.method, claim.budget), (claim.control, claim.budget)
        if not all(each in shown for each in pair):
            continue
        ours, theirs = (shown[each][claim.number] for each in pair)
        margin = 0.1 if claim.number == "tau" else one
        print(
            f"{verdict(ours, theirs, margin):14s} {claim.says}: {claim.number} {statistics.fmean(ours):.3f} against {statistics.fmean(theirs):.3f} ({claim.control}, equal {claim.budget})"
        )


def said(names: Iterator[str]) -> Iterator[str]:
    """The same names; data that are nowhere end the benchmark with their sentence, and nothing is kept of it."""
    try:
        yield from names
    except DataUnavailable as error:
        raise SystemExit(str(error)) from None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=SCALES, default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--methods", nargs="+", default=STRATEGIES.names())
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    out = Path(options.out or tempfile.mkdtemp(prefix="training-methods-"))
    out.mkdir(parents=True, exist_ok=True)
    began, every = time.monotonic(), list(tasks(options))
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(run, every, [str(out)] * len(every))
        for done, name in enumerate(said(found), 1):
            print(
                f"\r{done} of {len(every)}, {time.monotonic() - began:.0f} s: {name:60s}",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    report(read(out, options), options)
    print(f"\nkept in {out}; load average of a minute {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
