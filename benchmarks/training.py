"""Sandwich rule against uniform single path, on the smallest subnet and on the rest of the space.

A sandwich step runs four subnets, a uniform step one. So uniform is given two budgets: as many optimizer
steps as sandwich, and as many forward passes (four times the epochs). Same data, network, schedule and
seeds; test accuracy with recalibrated BatchNorm; mean, and standard deviation over seeds in brackets.
What comes out is printed, whatever it is: differences within the spread are called ties.

    python benchmarks/training.py [epochs] [seeds]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from core.datasets import load_dataset
from core.datasets.base import Dataset
from core.evaluation.evaluator import evaluate_table
from core.library.presets import PRESETS
from core.seeding import stream, torch_seed
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.files import build
from core.tasks.base import evaluation_data
from core.training.config import TrainingConfig
from core.training.loop import train

PRESET = PRESETS["digits-cnn"]
SANDWICH_FORWARDS = 4
N_RANDOM = 64
SHOWN = ("smallest", "random mean", "largest")


def fresh(dataset: Dataset, seed: int) -> Supernet:
    """The preset's network with the weights of a seed."""
    torch.manual_seed(torch_seed(seed, "weights"))
    of_data = {"input_shape": dataset.input_shape, "pixel_mean": dataset.mean, "pixel_std": dataset.std}
    return build(PRESET["family"], PRESET["config"] | of_data)


def run(dataset: Dataset, strategy: str, epochs: int, seed: int) -> tuple[dict[str, float], float]:
    """Test accuracies of a trained supernet, and the CPU seconds of its training."""
    net = fresh(dataset, seed)
    settings = PRESET["training"] | {"strategy": strategy, "epochs": epochs, "seed": seed}
    start = time.process_time()
    for _ in train(net, dataset, TrainingConfig.model_validate(settings), MemoryLedger()):
        pass
    seconds = time.process_time() - start
    rows = net.space.sample_array(N_RANDOM, stream(0, "benchmark"))
    rows = np.unique(np.concatenate([np.array([net.smallest, net.largest], np.uint8), rows]), axis=0)
    accuracies = evaluate_table(net, rows, ("test_accuracy",), evaluation_data(dataset, ("test",)))[
        "test_accuracy"
    ]
    found = dict(zip(map(tuple, rows.tolist()), accuracies.tolist(), strict=True))
    smallest, largest = found.pop(net.smallest), found.pop(net.largest)
    return {
        "smallest": smallest,
        "random mean": statistics.fmean(found.values()),
        "largest": largest,
    }, seconds


def spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else float("nan")


def verdict(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Which is better, or a tie within one standard deviation of the difference, seed by seed."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = statistics.fmean(differences)
    name = "tie" if abs(mean) <= spread(differences) else "sandwich better" if mean > 0 else "uniform better"
    return f"{100 * mean:+.1f} ({100 * spread(differences):.1f}) {name}"


def main(epochs: int = 25, seeds: int = 3) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    arms = {
        "sandwich": ("sandwich", epochs),
        "uniform, equal steps": ("uniform", epochs),
        "uniform, equal forward passes": ("uniform", SANDWICH_FORWARDS * epochs),
    }
    results: dict[str, list[dict[str, float]]] = {}
    print(
        f"digits-cnn, {epochs} epochs of sandwich, {seeds} seeds, test accuracy in percent ({len(dataset.test)} images)\n"
    )
    print(f"{'':32}{'epochs':>7}{'CPU s':>8}" + "".join(f"{name:>16}" for name in SHOWN))
    for label, (strategy, length) in arms.items():
        runs = [run(dataset, strategy, length, seed) for seed in range(seeds)]
        results[label] = [values for values, _ in runs]
        cells = [[100 * values[name] for values in results[label]] for name in SHOWN]
        text = "".join(f"{f'{statistics.fmean(c):.1f} ({spread(c):.1f})':>16}" for c in cells)
        print(f"{label:32}{length:>7}{statistics.fmean(s for _, s in runs):>8.1f}{text}", flush=True)
    print("\nsandwich minus uniform, paired by seed (standard deviation)")
    for label in list(arms)[1:]:
        for name in SHOWN:
            pair = [[values[name] for values in results[arm]] for arm in ("sandwich", label)]
            print(f"  {label:30} {name:12} {verdict(*pair)}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
