"""How much faster the exact evaluator is than one subnet after another, for BERT and ViT, and what partial sums add to it.

    python benchmarks/encoders.py [--samples 100]

All 810 subnets of three layers (two depths; three numbers of heads and of hidden units in each layer) on random inputs,
one thread. Three ways: the evaluator; the evaluator with siblings one by one, which shares equal prefixes alone; and
whole passes, timed for sixty subnets and scaled. Losses of the first and the last must agree to 1e-6.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from types import MethodType

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.evaluation.evaluator import walk
from core.supernets.base import Stage, Supernet
from core.supernets.files import build
from core.tasks.base import EvaluationData

SIZES = {"widths": [64], "depths": [2, 3], "heads": [1, 2, 4], "hidden": [64, 128, 256], "head_size": 16}
DATA = {
    "elastic_bert": {"vocabulary": 500, "input_shape": [32], "classes": 5},
    "plain_vit": {"input_shape": [1, 16, 16], "patch": 4},
}
ALONE = 60


def walked(net: Supernet, data: EvaluationData) -> tuple[float, NDArray[np.float64]]:
    """(seconds, loss of every subnet) by the evaluator."""
    rows = net.space.array()
    losses, start = np.full(len(rows), np.nan), time.perf_counter()
    for indices, values in walk(net, rows, ("loss",), data):
        losses[indices] = values["loss"]
    return time.perf_counter() - start, losses


def one_by_one(net: Supernet, data: EvaluationData, known: NDArray[np.float64]) -> tuple[float, float]:
    """(seconds for all subnets, largest difference of a loss), from some of them."""
    rows = net.space.array()
    picked = np.random.default_rng(0).choice(len(rows), ALONE, replace=False)
    worst, start = 0.0, time.perf_counter()
    with torch.inference_mode():
        for index in picked:
            outputs = net(data.inputs, tuple(rows[index].tolist()))
            worst = max(worst, abs(float(F.cross_entropy(outputs.double(), data.targets)) - known[index]))
    return (time.perf_counter() - start) / ALONE * len(rows), worst


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=100)
    samples = parser.parse_args().samples
    torch.set_num_threads(1)
    for family, settings in DATA.items():
        torch.manual_seed(0)
        net = build(family, {**SIZES, **settings}).requires_grad_(False)
        inputs = net.task.random_inputs(net.config, samples, torch.Generator().manual_seed(0))
        targets = torch.randint(0, net.classes, (samples,))
        data = EvaluationData(inputs, targets, 0, {"validation": slice(0, samples)})
        shared, losses = walked(net, data)
        alone, worst = one_by_one(net, data, losses)
        assert worst < 1e-6, worst
        for stage in net.chain:
            stage.branch = MethodType(Stage.branch, stage)  # type: ignore[method-assign]
        prefixes, _ = walked(net, data)
        print(
            f"{family}: {len(losses)} subnets in {shared:.2f} s; one by one {alone:.2f} s ({alone / shared:.1f} times); "
            f"equal prefixes alone {prefixes:.2f} s ({prefixes / shared:.1f} times); losses differ by {worst:.0e} at most"
        )


if __name__ == "__main__":
    main()
