"""How well modeled seconds agree with measured ones, batch by batch of a search planned by them.

    python benchmarks/stage_seconds.py [--spaces digits-cnn,fashion-cnn] [--batches 16]

Batches differ a hundredfold in what they share. Modeled: what every prefix that is not kept would take by counted work and
stored rates. Measured: computing time of the real evaluator, one thread. Only ratios matter to a plan, so what counts
is that both rise and fall together: the correlation, and how far the ratio differs from batch to batch. Printed without
kept activations and with a gigabyte of them.
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
from scipy.stats import spearmanr

from benchmarks.search_spaces import SHIPPED, bench
from core.evaluation.kept_bytes import KeptBytes
from core.search import ALGORITHMS
from core.search.problem import StageWork
from core.spaces import Archs

GIGABYTE = 10**9


def modeled(work: StageWork, rows: Archs, kept: KeptBytes) -> float:
    """Seconds of a batch in the order of the walk; what it computes is kept."""
    numbers, seconds, sizes = work.prefixes(rows), work.seconds(rows), work.bytes(rows)
    paid = {-1, *(n for n in np.unique(numbers).tolist() if n in kept)}
    spent = 0.0
    for chain, took in zip(numbers.tolist(), seconds.tolist(), strict=True):
        spent += sum(s for n, s in zip(chain, took, strict=True) if n not in paid)
        paid.update(chain)
    for chain, each in zip(numbers.tolist(), sizes.tolist(), strict=True):
        stages = [(n, size) for n, size in zip(chain[:-1], each[:-1], strict=True) if n >= 0]
        for n, size in stages:
            kept.touch(n, size)
        for n, _ in reversed(stages):
            kept.renew(n)
    return spent


def compared(space: str, keep: int, batches: int) -> str:
    """One row of the table."""
    problem, measure = bench(space, tables=None, cache=Path()).fresh(keep)
    assert problem.work is not None
    algorithm = ALGORITHMS.create("planned", problem=problem, seed=0)
    kept, found = KeptBytes(keep), []
    for _ in range(batches):
        archs = algorithm.ask(algorithm.batch_size)
        expected = modeled(problem.work, np.unique(np.array(archs, np.uint8), axis=0), kept)
        began = time.process_time()
        measured = measure(archs)
        found.append((expected, time.process_time() - began))
        algorithm.tell(measured)
    # The first batch also loads and warms what the others find ready.
    said, took = np.array(found[1:]).T
    low, middle, high = np.quantile(took / said, [0.1, 0.5, 0.9])
    return (
        f"| {space} | {keep // 10**6} | {said.min() * 1e3:.0f} to {said.max() * 1e3:.0f} | {middle:.2f} ({low:.2f} to {high:.2f}) "
        f"| {np.corrcoef(said, took)[0, 1]:.2f} | {spearmanr(said, took)[0]:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", default=",".join(SHIPPED))
    parser.add_argument("--batches", type=int, default=16)
    asked = parser.parse_args()
    print(
        "| space | MB kept | modeled ms of a batch | measured / modeled, median (10 to 90 %) | r | rank r |"
    )
    print("|---|---|---|---|---|---|")
    for space in asked.spaces.split(","):
        for keep in (0, GIGABYTE):
            print(compared(space, keep, asked.batches), flush=True)


if __name__ == "__main__":
    main()
