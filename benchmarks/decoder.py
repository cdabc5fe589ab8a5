"""An elastic decoder: its whole space exactly, its front beside the uniform sizes, and how repeatable its speeds are.

Three parts, each printed whatever it is:

- `exact`: all 15,625 subnets of the preset by the shared walk, against one by one (extracted networks, run on the same
  windows with the same scored positions; a sample of them, interleaved before and after). Goals of the project: at least
  9 times faster in one run, losses equal to 1e-6, at most 20 s on an idle core. Seconds of computing, one thread; beside
  other work they are longer, and the ratio is what counts.
- `front`: three seeds. All subnets on some validation windows; the uniform sizes (one size in every layer, the first so
  many layers) and the mixes that are chosen to beat each on validation are then measured on test windows that chose
  nothing. For every uniform size: its loss, the mix's, the difference paired by window with its standard error.
- `speed`: tokens per second of some subnets, reading and writing, measured twice by themselves: Spearman's correlation.

    python benchmarks/decoder.py [exact,front,speed] [seeds] [windows] [epochs; 0 as the preset says]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray

from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.library.presets import PRESETS
from core.networks.file import dump_net
from core.networks.trees import rows_of
from core.objectives.base import FromFiles, method
from core.rank_correlation import spearman
from core.seeding import stream, torch_seed
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.files import build
from core.tasks.base import EvaluationData, evaluation_data, task_of
from core.training.config import TrainingConfig
from core.training.loop import train
from core.views.uniform import uniform_rows

PRESET = PRESETS["licenses-decoder"]
ALONE = 60
TIMED = 24
TOLD = 96
"""Windows of the test split."""


def fresh(dataset: Dataset, seed: int) -> Supernet:
    """The preset's network with the weights of a seed."""
    torch.manual_seed(torch_seed(seed, "weights"))
    config = PRESET["config"] | task_of(dataset).settings_from(dataset)
    return build(PRESET["family"], config).requires_grad_(False)


def trained(dataset: Dataset, seed: int, epochs: int) -> tuple[Supernet, float]:
    """The preset trained from a seed, and the seconds of computing that took."""
    net, start = fresh(dataset, seed).requires_grad_(True), time.process_time()
    settings = PRESET["training"] | {"seed": seed} | ({"epochs": epochs} if epochs else {})
    for _ in train(net, dataset, TrainingConfig.model_validate(settings), MemoryLedger()):
        pass
    return net.requires_grad_(False), time.process_time() - start


def first_windows(dataset: Dataset, split: str, n: int) -> EvaluationData:
    """n windows spread over a split, under the name of the validation split."""
    whole = evaluation_data(dataset, (split,))
    picked = torch.linspace(0, len(whole.targets) - 1, n).round().long()
    inputs = rows_of(whole.inputs, picked)
    return EvaluationData(inputs, whole.targets[picked], 0, {"validation": slice(0, n)})


# --- all of them -------------------------------------------------------------------------------------


def one_by_one(net: Supernet, rows: NDArray[np.uint8], data: EvaluationData) -> tuple[float, list[float]]:
    """Seconds of computing per subnet that is run by itself, without those for cutting it out, and the losses."""
    seconds, losses = 0.0, []
    with torch.inference_mode():
        for row in rows.tolist():
            plain, start = net.extract(row), time.process_time()
            losses.append(float(net.task.losses(plain(data.inputs), data.targets).double().mean()))
            seconds += time.process_time() - start
    return seconds / len(rows), losses


def exact(net: Supernet, data: EvaluationData) -> None:
    rows = net.space.array()
    sample = np.sort(stream(0, "alone").choice(len(rows), ALONE, replace=False))
    before, losses = one_by_one(net, rows[sample], data)
    start, wall = time.process_time(), time.perf_counter()
    found = evaluate_table(net, rows, ("loss",), data)["loss"]
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    after, _ = one_by_one(net, rows[sample], data)
    each = (before + after) / 2
    apart = np.abs(found[sample] - losses).max()
    tokens, told = data.inputs
    print(
        f"{len(rows):,} subnets of {sum(p.numel() for p in net.parameters()):,} parameters, {len(tokens)} windows"
    )
    print(f"of {tokens.shape[1]} tokens, {told.shape[1]} scored each, vocabulary {net.config.classes}")
    print(f"  together {seconds:6.1f} s of computing ({wall:.1f} s passed)")
    print(
        f"  alone    {each * len(rows):6.1f} s ({1000 * each:.2f} ms each, {ALONE} of them, before and after)"
    )
    print(f"  {each * len(rows) / seconds:.1f} times faster (goal 9, better 10)")
    print(f"  losses differ by at most {apart:.1e} (goal 1e-6)\n", flush=True)


# --- mixes and uniform sizes -------------------------------------------------------------------------


def window_losses(net: Supernet, rows: Sequence[Any], data: EvaluationData) -> NDArray[np.float64]:
    """(n, windows) losses of some subnets."""
    with torch.inference_mode():
        return np.stack(
            [net.task.losses(net(data.inputs, row), data.targets).double().numpy() for row in rows]
        )


def front(dataset: Dataset, seed: int, windows: int, epochs: int) -> list[float]:
    """Prints how the mixes compare with the uniform sizes; returns the gains on test windows."""
    net, seconds = trained(dataset, seed, epochs)
    rows, start = net.space.array(), time.process_time()
    losses = evaluate_table(net, rows, ("loss",), first_windows(dataset, "validation", windows))["loss"]
    print(
        f"seed {seed}: trained in {seconds:.0f} s, {len(rows):,} subnets on {windows} windows in "
        f"{time.process_time() - start:.0f} s of computing"
    )
    macs = CostTable.of(net).total("macs", rows)
    uniform = np.flatnonzero(uniform_rows(net.space, [net.space.arch_id(row) for row in rows.tolist()]))
    uniform = uniform[np.argsort(macs[uniform])]
    mixes = [int(np.flatnonzero(macs <= macs[u])[losses[macs <= macs[u]].argmin()]) for u in uniform]
    test = first_windows(dataset, "test", TOLD)
    apart = window_losses(net, rows[uniform].tolist(), test) - window_losses(net, rows[mixes].tolist(), test)
    own = window_losses(net, rows[uniform].tolist(), test).mean(1)
    print(f"  {'uniform size':26}{'k MACs':>9}{'loss':>8}{'gain':>9}{'error':>8}  best mix within its MACs")
    for u, mix, loss, gains in zip(uniform, mixes, own, apart, strict=True):
        if u != mix:
            error = gains.std(ddof=1) / len(gains) ** 0.5
            print(
                f"  {sizes(net, rows[u]):26}{macs[u] / 1e3:9.0f}{loss:8.3f}{gains.mean():+9.4f}{error:8.4f}  "
                f"{sizes(net, rows[mix])} ({macs[mix] / 1e3:.0f} k)"
            )
    told = [float(g.mean()) for g, u, m in zip(apart, uniform, mixes, strict=True) if u != m]
    sure = sum(g.mean() > 2 * g.std(ddof=1) / len(g) ** 0.5 for g in apart)
    lost = sum(g.mean() < -2 * g.std(ddof=1) / len(g) ** 0.5 for g in apart)
    print(
        f"  mixes beat {sum(g > 0 for g in told)} of {len(uniform)} uniform sizes on test windows "
        f"({sure} by more than two standard errors, {lost} lose by as much); mean gain {statistics.fmean(told):+.4f}, "
        f"largest {max(told):+.4f} nats\n",
        flush=True,
    )
    return told


def sizes(net: Supernet, row: Any) -> str:
    return "-".join(str(value) for value in net.space.to_dict(row).values())


# --- speeds ------------------------------------------------------------------------------------------


def speed(net: Supernet, dataset: Dataset) -> None:
    rows = np.unique(net.space.sample_array(TIMED, stream(0, "timed")), axis=0)
    files = [dump_net(net.extract(row), dataset.input_shape, {}) for row in rows.tolist()]
    sample = dataset.calibration.first(1).arrays()
    print(f"tokens per second of {len(rows)} subnets drawn at random, each measured twice")
    for name in ("prefill_tokens_per_s", "decode_tokens_per_s"):
        first, second = (
            np.array([reading.value for reading in method(name, FromFiles).measured(files, sample)])
            for _ in range(2)
        )
        print(
            f"  {method(name, FromFiles).label}: {first.min():,.0f} to {first.max():,.0f}, Spearman "
            f"{spearman(first, second) or 0:.3f} (goal 0.95), median difference "
            f"{100 * np.median(np.abs(first - second) / first):.1f} %",
            flush=True,
        )


def main(parts: str = "exact,front,speed", seeds: str = "3", windows: str = "16", epochs: str = "0") -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(PRESET["data"]["name"], **PRESET["data"]["config"])
    if "exact" in parts:
        exact(fresh(dataset, 0), first_windows(dataset, "validation", int(windows)))
    if "speed" in parts:
        speed(fresh(dataset, 0), dataset)
    if "front" in parts:
        gains = [front(dataset, seed, int(windows), int(epochs)) for seed in range(int(seeds))]
        means = [statistics.fmean(each) for each in gains]
        print("mean gain over the uniform sizes by seed: " + ", ".join(f"{mean:+.4f}" for mean in means))


if __name__ == "__main__":
    main(*sys.argv[1:5])
