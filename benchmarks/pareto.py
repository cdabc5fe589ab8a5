"""Pareto tools: is the library worth its place, and how long do fronts of a whole space take?

    python benchmarks/pareto.py

Prints ratios against the obvious numpy code (and against pymoo where it is installed), after
checking that both give the same answer. Times are medians; the ratios are what to compare between
machines.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.pareto import exclusive_contributions, hypervolume, hypervolume_over_time, non_dominated, ranks

MINIMIZE = {m: [False] * m for m in (2, 3, 4)}


def seconds(function: Callable[[], Any], repeats: int = 5) -> float:
    """Median wall time of a call that has run before."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def naive_front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The definition in numpy, one row against all: O(n^2 m)."""
    return np.array([not ((points <= p).all(1) & (points < p).any(1)).any() for p in points])


def sorted_front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The good numpy answer for two objectives without ties: sort, then a running minimum."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    y = points[order, 1]
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(y)[:-1]])
    mask = np.zeros(len(points), bool)
    mask[order[y < lowest_before]] = True
    return mask


def recomputed_curve(points: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hypervolume of every prefix, from scratch."""
    return np.array(
        [
            hypervolume(points[: i + 1], reference, maximize=MINIMIZE[points.shape[1]])
            for i in range(len(points))
        ]
    )


def compare(label: str, ours: Callable[[], Any], other: Callable[[], Any], repeats: int = 1) -> None:
    """Print both times and their ratio; stop if the answers differ."""
    np.testing.assert_allclose(ours(), other(), rtol=1e-9)
    mine, theirs = seconds(ours, 11), seconds(other, repeats)
    print(f"{label:<58} {mine * 1e3:9.2f} ms {theirs * 1e3:9.1f} ms {theirs / mine:8.1f}x")


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"{'':<58} {'core.pareto':>12} {'other':>12} {'ratio':>9}")
    for m in (2, 3):
        points = rng.random((10_000, m))
        compare(
            f"front of 10,000, {m} objectives, vs O(n^2) numpy",
            lambda points=points, m=m: non_dominated(points, maximize=MINIMIZE[m]),
            lambda points=points: naive_front(points),
        )
    points = rng.random((100_000, 2))
    compare(
        "front of 100,000, 2 objectives, vs numpy sort",
        lambda: non_dominated(points, maximize=MINIMIZE[2]),
        lambda: sorted_front(points),
        repeats=11,
    )
    compare_with_pymoo(rng)
    search, reference = rng.random((5_000, 2)), np.ones(2)
    compare(
        "hypervolume after each of 5,000, vs from scratch",
        lambda: hypervolume_over_time(search, reference, maximize=MINIMIZE[2]),
        lambda: recomputed_curve(search, reference),
    )
    print()
    for m in (2, 3, 4):
        table, corner, flags = rng.random((100_000, m)), np.ones(m), MINIMIZE[m]
        front = table[non_dominated(table, maximize=flags)]
        filtering = seconds(lambda t=table, f=flags: non_dominated(t, maximize=f), 3)
        volume = seconds(lambda t=front, c=corner, f=flags: hypervolume(t, c, maximize=f), 3)
        print(
            f"100,000 points, {m} objectives: front of {len(front):,} in {filtering * 1e3:.1f} ms, "
            f"its hypervolume in {volume * 1e3:.2f} ms"
        )
    for m in (2, 3):
        run, corner, flags = rng.random((5_000, m)), np.ones(m), MINIMIZE[m]
        curve = seconds(lambda r=run, c=corner, f=flags: hypervolume_over_time(r, c, maximize=f), 3)
        parts = seconds(lambda r=run, c=corner, f=flags: exclusive_contributions(r, c, maximize=f), 3)
        print(f"5,000 points, {m} objectives: curve {curve * 1e3:.1f} ms, contributions {parts * 1e3:.1f} ms")
    x = rng.permutation(5_000) / 5_000
    worst = np.column_stack([x, 1 - x])
    curve = seconds(lambda: hypervolume_over_time(worst, [1.1, 1.1], maximize=MINIMIZE[2]), 3)
    print(f"5,000 points, all on the front (worst case of the curve): {curve * 1e3:.1f} ms")


def compare_with_pymoo(rng: np.random.Generator) -> None:
    """Fronts and ranks against pymoo's sorting (recent versions call moocore themselves)."""
    try:
        from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
    except ImportError:
        print("pymoo is not installed: not compared")
        return

    def pymoo_front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
        mask = np.zeros(len(points), bool)
        mask[NonDominatedSorting().do(points, only_non_dominated_front=True)] = True
        return mask

    def pymoo_ranks(points: NDArray[np.float64]) -> NDArray[np.int64]:
        return NonDominatedSorting().do(points, return_rank=True)[1] + 1

    for m in (2, 3):
        points = rng.random((10_000, m))
        compare(
            f"front of 10,000, {m} objectives, vs pymoo",
            lambda points=points, m=m: non_dominated(points, maximize=MINIMIZE[m]),
            lambda points=points: pymoo_front(points),
            repeats=11,
        )
    points = rng.random((10_000, 2))
    compare(
        "ranks of 10,000, 2 objectives, vs pymoo",
        lambda: ranks(points, maximize=MINIMIZE[2]),
        lambda: pymoo_ranks(points),
        repeats=11,
    )


if __name__ == "__main__":
    main()
