"""A whole search space, shared against one by one, in one run.

    python benchmarks/exhaustive.py [--one-by-one 60] [--ofa FOLDER]

Prints, for `digits-cnn` (its shipped weights):
1. the exact evaluator on every subnet;
2. our own best one-by-one path (extracted nets in channels_last, calibrated and run batch by batch),
   on a random sample, scaled to the whole space, interleaved in blocks with nothing else running;
3. the arithmetic limit: MACs of all distinct prefixes over the GEMM rate measured here;
4. with --ofa (a checkout of once-for-all, with torchvision importable or stubbed): its own loop on its own
   network of 1,024 subnets against the same network's shared evaluation.

Times are process CPU seconds of one thread; ratios are the claim, seconds are this machine's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn

from core.evaluation.evaluator import evaluate_table
from core.evaluation.trie import Trie
from core.library import supernets
from core.runtime import heavy_imports
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data


def gemm_rate(seconds: float = 1.5) -> float:
    """Best float32 multiply-accumulates per second of a square matrix product."""
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    out, best, end = torch.empty(1024, 1024), np.inf, time.process_time() + seconds
    while time.process_time() < end:
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return 1024**3 / best


def distinct_macs(net: Supernet, rows: np.ndarray) -> tuple[int, int]:
    """MACs per image of all distinct prefixes, and of all subnets one by one."""
    trie = Trie.of(net, rows)
    archs, shared = rows[trie.order], 0
    change = np.zeros(len(rows), bool)
    change[0] = True
    for level, stage in enumerate(net.stages):
        change[1:] |= trie.codes[level, 1:] != trie.codes[level, :-1]
        firsts = np.flatnonzero(change & (trie.codes[level] >= 0))
        shared += sum(stage.cost(archs[i].tolist()).macs for i in firsts)
    from core.evaluation.costs import CostTable

    return shared, int(CostTable.of(net).total("macs", rows).sum())


def one_by_one(net: Supernet, arch: list[int], data: EvaluationData, batch: int) -> tuple[float, float]:
    """Extract, recalibrate, evaluate one subnet in channels_last; returns (validation, test) accuracy."""
    calibration = data.inputs[: data.calibration_rows].to(memory_format=torch.channels_last)
    with torch.inference_mode():
        subnet = net.extract(arch, net.calibrate(arch, calibration)).to(memory_format=torch.channels_last)
        correct = []
        for split in ("validation", "test"):
            rows = data.spans[split]
            images = data.inputs[rows].to(memory_format=torch.channels_last).split(batch)
            guesses = torch.cat([subnet(part).argmax(1) for part in images])
            correct.append(float((guesses == data.targets[rows]).double().mean()))
    return correct[0], correct[1]


def cpu_seconds(work: object) -> float:
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def own_space(sample: int) -> None:
    entry = supernets.find(None, "digits-cnn")
    net, data = supernets.load(entry), evaluation_data(supernets.dataset(entry))
    rows = net.space.array()
    names = ("accuracy", "test_accuracy")
    evaluate_table(net, rows[:200], names, data)
    rng = np.random.default_rng(0)
    picked = rng.choice(len(rows), sample, replace=False)
    batch = best_batch(net, rows[picked[:6]], data)
    table: dict[str, np.ndarray] = {}
    whole = cpu_seconds(lambda: table.update(evaluate_table(net, rows, names, data)))
    singles, agree = [], 0
    for index in picked:
        start = time.process_time()
        found = one_by_one(net, rows[index].tolist(), data, batch)
        singles.append(time.process_time() - start)
        agree += found == (table["accuracy"][index], table["test_accuracy"][index])
    again = cpu_seconds(lambda: evaluate_table(net, rows, names, data))
    single = float(np.median(singles))
    shared, separate = distinct_macs(net, rows)
    rate, images = gemm_rate(), len(data.targets)
    print(
        f"digits-cnn: {len(rows):,} subnets, {images} images each (calibration, validation, test), one thread"
    )
    print(
        f"  shared evaluation        {whole:8.1f} s, again {again:.1f} s   ({min(whole, again) / len(rows) * 1e3:.2f} ms a subnet)"
    )
    print(
        f"  one by one               {single * len(rows):8.1f} s   (median {single * 1e3:.1f} ms of {sample} subnets, batches of {batch})"
    )
    print(f"  ratio                    {single * len(rows) / max(whole, again):8.1f} x   (goal: at least 10)")
    print(f"  same accuracies          {agree} of {sample} sampled subnets")
    print(f"  MACs one by one / shared {separate / shared:8.1f} x")
    limit = shared * images / rate
    print(f"  arithmetic limit         {limit:8.1f} s at {2 * rate / 1e9:.0f} GFLOP/s measured")
    print(f"  distance to the limit    {max(whole, again) / limit:8.2f} x   (goal: at most 3)")


def best_batch(net: Supernet, rows: np.ndarray, data: EvaluationData) -> int:
    """The batch size at which the one-by-one path is fastest here."""
    cost = {}
    for batch in (100, 200, 1000):
        cost[batch] = min(
            cpu_seconds(lambda batch=batch: [one_by_one(net, r.tolist(), data, batch) for r in rows])
            for _ in range(2)
        )
    return min(cost, key=cost.__getitem__)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one-by-one", type=int, default=60, help="subnets to measure one by one")
    parser.add_argument("--ofa", type=Path, help="folder of a once-for-all checkout")
    options = parser.parse_args()
    heavy_imports()
    own_space(options.one_by_one)
    if options.ofa:
        from ofa_comparison import compare

        compare(options.ofa)
    else:
        print("once-for-all: not compared (give its folder with --ofa)")


__all__ = ["main", "nn"]

if __name__ == "__main__":
    main()
