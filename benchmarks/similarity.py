"""Similarity: how long does a heatmap of 12 x 12 layers take, and against one pair at a time?

    python benchmarks/similarity.py

Every measure compares 12 layers of one net with 12 of another (16 to 64 pooled units, 2,000 samples; logits
of 12 and 12 nets for the output measures). "naive" is the definition as one would write it down, each pair
from its activations, checked to give the same value; its time is the median of a few pairs times 144. One
thread. Ratios, not seconds, are what to compare between machines.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import jensenshannon, pdist, squareform
from scipy.special import softmax
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.similarity import MEASURES, Measure

Array = NDArray[np.float64]

SAMPLES = 2_000
WIDTHS = (16, 16, 24, 24, 32, 32, 40, 48, 48, 64, 64, 64)
NULLS = 5
NAIVE_PAIRS = ((3, 4), (7, 7), (6, 10))


def seconds(function: Callable[[], Any], repeats: int = 3) -> float:
    """Median wall time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def nets(seed: int) -> list[Array]:
    """One net's layers: ReLU units that share half of what they see with the other net's."""
    shared = np.random.default_rng(0).standard_normal((SAMPLES, 20))
    rng = np.random.default_rng(seed)
    return [
        np.maximum(shared @ rng.standard_normal((20, p)) + 4 * rng.standard_normal((SAMPLES, p)), 0)
        for p in WIDTHS
    ]


def logits(seed: int) -> list[Array]:
    shared = np.random.default_rng(0).standard_normal((SAMPLES, 10))
    rng = np.random.default_rng(seed)
    return [3 * shared + rng.standard_normal((SAMPLES, 10)) for _ in WIDTHS]


def hsic_biased(k: Array, m: Array) -> float:
    """tr(K H L H), as Gretton et al. and Kornblith et al. write it."""
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ m @ h))


def hsic_unbiased(k: Array, m: Array) -> float:
    """Eq. 3 of Nguyen et al., as written."""
    n, one = len(k), np.ones(len(k))
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    total = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return float((total - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3)))


def ratio_of(hsic: Callable[[Array, Array], float], k: Array, m: Array) -> float:
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def careful_gram_cka(x: Array, y: Array) -> float:
    """Biased CKA from Gram matrices without a product of two of them: means taken off, then one sum each."""
    grams = []
    for layer in (x, y):
        gram = layer @ layer.T
        gram -= gram.mean(axis=0)
        gram -= gram.mean(axis=1, keepdims=True)
        grams.append(gram)
    k, m = grams
    return float(np.sum(k * m) / (np.linalg.norm(k) * np.linalg.norm(m)))


def minibatch(x: Array, y: Array) -> float:
    sums = np.zeros(3)
    for start in range(0, len(x), 256):
        a, b = x[start : start + 256], y[start : start + 256]
        k, m = a @ a.T, b @ b.T
        sums += [hsic_unbiased(k, m), hsic_unbiased(k, k), hsic_unbiased(m, m)]
    return float(sums[0] / np.sqrt(sums[1] * sums[2]))


def kernel(x: Array) -> Array:
    distances = pdist(x)
    return np.exp(-(squareform(distances) ** 2) / (2 * np.median(distances) ** 2))


def rbf(x: Array, y: Array) -> float:
    k, m = doubly(kernel(x)), doubly(kernel(y))
    return float(np.sum(k * m) / (np.linalg.norm(k) * np.linalg.norm(m)))


def doubly(matrix: Array) -> Array:
    return matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean()


def whitened(x: Array, variance: float = 1.0) -> Array:
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    share = np.cumsum(s**2) / np.sum(s**2)
    return u[:, : int(np.sum(share < variance)) + 1] if variance < 1 else u


def cca(x: Array, y: Array, variance: float = 1.0) -> float:
    return float(np.linalg.svd(whitened(x, variance).T @ whitened(y, variance), compute_uv=False).mean())


def pwcca(x: Array, y: Array) -> float:
    u = whitened(x)
    w, correlations, _ = np.linalg.svd(u.T @ whitened(y), full_matrices=False)
    return float(np.average(correlations, weights=np.abs((u @ w).T @ (x - x.mean(0))).sum(1)))


def procrustes(x: Array, y: Array) -> float:
    width = max(x.shape[1], y.shape[1])
    a, b = (np.pad(z - z.mean(0), ((0, 0), (0, width - z.shape[1]))) for z in (x, y))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.linalg.norm(a - b @ orthogonal_procrustes(b, a)[0]))


def neighbor_sets(x: Array) -> list[set[int]]:
    cosines = 1 - squareform(pdist(x, "cosine"))
    np.fill_diagonal(cosines, -np.inf)
    return [set(row) for row in np.argsort(-cosines, axis=1)[:, :10]]


def neighbors(x: Array, y: Array, share: Callable[[set[int], set[int]], float]) -> float:
    return float(np.mean([share(a, b) for a, b in zip(neighbor_sets(x), neighbor_sets(y), strict=True)]))


def correlations(x: Array, y: Array) -> Array:
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


def hard(x: Array, y: Array) -> float:
    matrix = correlations(x, y)
    return float(matrix[linear_sum_assignment(matrix, maximize=True)].mean())


def soft(x: Array, y: Array) -> float:
    matrix = correlations(x, y)
    return float((matrix.max(1).mean() + matrix.max(0).mean()) / 2)


def regression(x: Array, y: Array) -> float:
    design = np.column_stack([np.ones(len(y)), y])
    residual = x - design @ np.linalg.lstsq(design, x)[0]
    return float(1 - np.sum(residual**2) / np.sum((x - x.mean(0)) ** 2))


def distance_correlation(x: Array, y: Array) -> float:
    a, b = doubly(squareform(pdist(x))), doubly(squareform(pdist(y)))
    return float(np.sqrt(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))))


NAIVE: dict[str, Callable[[Array, Array], float]] = {
    "agreement": lambda x, y: float(np.mean(x.argmax(1) == y.argmax(1))),
    "angular": lambda x, y: float(2 * np.arcsin(procrustes(x, y) / 2)),
    "cca_mean": cca,
    "cka": lambda x, y: ratio_of(hsic_unbiased, x @ x.T, y @ y.T),
    "cka_biased": lambda x, y: ratio_of(hsic_biased, x @ x.T, y @ y.T),
    "cka_minibatch": minibatch,
    "cka_rbf": rbf,
    "disagreement": lambda x, y: float(np.mean(x.argmax(1) != y.argmax(1))),
    "distance_correlation": distance_correlation,
    "hard_match": hard,
    "jaccard_knn": lambda x, y: neighbors(x, y, lambda a, b: len(a & b) / len(a | b)),
    "jensen_shannon": lambda x, y: float(
        np.mean(jensenshannon(softmax(x, 1), softmax(y, 1), 2, axis=1) ** 2)
    ),
    "linear_regression": regression,
    "mutual_knn": lambda x, y: neighbors(x, y, lambda a, b: len(a & b) / 10),
    "procrustes": procrustes,
    "pwcca": pwcca,
    "rsa": lambda x, y: float(spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0]),
    "soft_match": soft,
    "svcca": lambda x, y: cca(x, y, 0.99),
}


def heatmap(measure: Measure, a: list[Array], b: list[Array]) -> Array:
    return measure.matrix([measure.prepare(x) for x in a], [measure.prepare(y) for y in b])


def with_nulls(measure: Measure, a: list[Array], b: list[Array], nulls: int) -> None:
    rows, columns = [measure.prepare(x) for x in a], [measure.prepare(y) for y in b]
    measure.matrix(rows, columns)
    for seed in range(nulls):
        order = np.random.default_rng(seed).permutation(SAMPLES)
        measure.matrix(rows, [measure.shuffled(column, order) for column in columns])


def against(
    label: str, measure: Measure, naive: Callable[[Array, Array], float], pairs: tuple[tuple[int, int], ...]
) -> float:
    """Print one line of the table; stop if the values differ. Returns the ratio."""
    a, b = (logits(1), logits(2)) if measure.of == "outputs" else (nets(1), nets(2))
    values = heatmap(measure, a, b)
    difference, times = 0.0, []
    for i, j in pairs:
        start = time.perf_counter()
        expected = naive(a[i], b[j])
        times.append(time.perf_counter() - start)
        difference = max(difference, abs(expected - values[i, j]))
    assert difference < 1e-9, f"{label}: {difference}"
    ours, all_ours = (
        seconds(lambda: heatmap(measure, a, b)),
        seconds(lambda: with_nulls(measure, a, b, NULLS), 1),
    )
    pair = median(times)
    whole = pair * values.size
    print(
        f"{label:<26}{ours:9.3f} s{all_ours:9.3f} s{pair * 1e3:11.1f} ms{whole:10.1f} s{whole / ours:10,.0f}x"
        f"{difference:12.0e}",
        flush=True,
    )
    return whole / ours


def main() -> None:
    print(f"12 x 12 layers of {min(WIDTHS)} to {max(WIDTHS)} units, {SAMPLES:,} samples, one thread")
    print(
        f"{'measure':<26}{'matrix':>11}{f'+ {NULLS} nulls':>11}{'naive pair':>14}{'naive x 144':>12}"
        f"{'ratio':>11}{'difference':>12}"
    )
    ratios = {}
    for name in MEASURES.names():
        # Products of two Gram matrices take seconds: one pair is enough to know.
        pairs = NAIVE_PAIRS[1:2] if name in ("cka", "cka_biased") else NAIVE_PAIRS
        ratios[name] = against(name, MEASURES.create(name), NAIVE[name], pairs)
    careful = against(
        "cka_biased, careful Gram", MEASURES.create("cka_biased"), careful_gram_cka, NAIVE_PAIRS
    )
    print()
    print(
        f"Linear CKA against traces of products of (n, n) matrices: {ratios['cka']:,.0f}x unbiased, "
        f"{ratios['cka_biased']:,.0f}x biased (at least 1,000x is the aim). Against Gram matrices that are "
        f"centered by their means and multiplied entry by entry: {careful:,.0f}x."
    )


if __name__ == "__main__":
    main()
