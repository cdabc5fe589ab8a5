"""Each measure against its definition, written out plainly: Gram matrices, loops, search over assignments."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import eigh, orthogonal_procrustes
from scipy.spatial.distance import jensenshannon, pdist, squareform
from scipy.special import softmax
from scipy.stats import spearmanr

from core.similarity import MEASURES, between
from core.similarity.linear_cka import NARROW, u_centered
from core.similarity.rsa import average_ranks

Array = NDArray[np.float64]


def related(n: int, p: int, q: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((n, 6))
    x = base @ rng.standard_normal((6, p)) + rng.standard_normal((n, p)) + 3
    y = np.maximum(base @ rng.standard_normal((6, q)) + rng.standard_normal((n, q)), 0)
    return x, y


def value(name: str, x: Array, y: Array, **config: object) -> float:
    return between(x, y, MEASURES.create(name, config)).value


def hsic_biased(k: Array, m: Array) -> float:
    n = len(k)
    h = np.eye(n) - 1 / n
    return float(np.trace(k @ h @ m @ h))


def hsic_1(k: Array, m: Array) -> float:
    """The unbiased estimator as printed in Nguyen et al., eq. 3."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    total = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return float((total - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3)))


# Narrow and wide layers take different roads to the same number; so do those between.
WIDTHS = [(5, 9), (NARROW + 10, 20), (30, NARROW + 2), (NARROW + 1, 2 * NARROW)]


@pytest.mark.parametrize(("p", "q"), WIDTHS)
def test_linear_cka_is_the_gram_formula(p: int, q: int) -> None:
    x, y = related(150, p, q)
    k, m = x @ x.T, y @ y.T
    biased = hsic_biased(k, m) / math.sqrt(hsic_biased(k, k) * hsic_biased(m, m))
    assert value("cka_biased", x, y) == pytest.approx(biased, abs=1e-12)
    unbiased = hsic_1(k, m) / math.sqrt(hsic_1(k, k) * hsic_1(m, m))
    assert value("cka", x, y) == pytest.approx(unbiased, abs=1e-12)


@pytest.mark.parametrize(("n", "size"), [(100, 32), (96, 32), (98, 32), (60, 7), (90, 256)])
def test_minibatch_cka_sums_over_batches_and_divides_once(n: int, size: int) -> None:
    x, y = related(n, 8, 11)
    sums = np.zeros(3)
    for start in range(0, n, size):
        a, b = x[start : start + size], y[start : start + size]
        if len(a) >= 4:
            k, m = a @ a.T, b @ b.T
            sums += [hsic_1(k, m), hsic_1(k, k), hsic_1(m, m)]
    expected = sums[0] / math.sqrt(sums[1] * sums[2])
    assert value("cka_minibatch", x, y, batch_size=size) == pytest.approx(expected, abs=1e-12)
    if size >= n:
        assert expected == pytest.approx(value("cka", x, y), abs=1e-12)


def test_minibatches_do_not_inflate_as_the_mean_of_biased_values_does() -> None:
    """Finding 4 of the card."""
    x, y = related(512, 30, 30)
    y = y + 4 * np.random.default_rng(1).standard_normal(y.shape)
    whole = value("cka", x, y)
    averaged = np.mean([value("cka_biased", x[s : s + 32], y[s : s + 32]) for s in range(0, 512, 32)])
    summed = value("cka_minibatch", x, y, batch_size=32)
    assert abs(summed - whole) < 0.02
    assert averaged - whole > 0.05


def test_products_of_u_centered_matrices_are_the_unbiased_estimator() -> None:
    x, y = related(20, 4, 6)
    assert np.sum(u_centered(x) * u_centered(y)) == pytest.approx(hsic_1(x @ x.T, y @ y.T), abs=1e-12)


@pytest.mark.parametrize("factor", [0.2, 0.4, 0.8, 1.0])
@pytest.mark.parametrize("n", [40, 41])
def test_gaussian_cka(factor: float, n: int) -> None:
    x, y = related(n, 5, 9)
    kernels = []
    for layer in (x, y):
        distances = pdist(layer)
        kernels.append(np.exp(-(squareform(distances) ** 2) / (2 * (factor * np.median(distances)) ** 2)))
    k, m = kernels
    expected = hsic_biased(k, m) / math.sqrt(hsic_biased(k, k) * hsic_biased(m, m))
    assert value("cka_rbf", x, y, factor=factor) == pytest.approx(expected, abs=1e-10)


def canonical_correlations(x: Array, y: Array) -> Array:
    """From the generalized eigenvalue problem on covariances, not from bases."""
    x, y = x - x.mean(0), y - y.mean(0)
    xx, yy, xy = x.T @ x, y.T @ y, x.T @ y
    squares = eigh(xy @ np.linalg.solve(yy, xy.T), xx, eigvals_only=True)
    return np.sqrt(np.clip(np.sort(squares)[::-1], 0, 1))[: min(x.shape[1], y.shape[1])]


def test_mean_cca_from_the_eigenvalue_problem() -> None:
    x, y = related(120, 5, 9)
    assert value("cca_mean", x, y) == pytest.approx(canonical_correlations(x, y).mean(), abs=1e-10)


@pytest.mark.parametrize("variance", [0.5, 0.9, 0.99])
def test_svcca_by_brute_force(variance: float) -> None:
    x, y = related(200, 12, 15)
    kept = []
    for layer in (x, y):
        moved = layer - layer.mean(0)
        values, vectors = np.linalg.eigh(moved.T @ moved)
        count = next(
            c for c in range(1, len(values) + 1) if values[::-1][:c].sum() >= variance * values.sum()
        )
        kept.append(moved @ vectors[:, ::-1][:, :count])
    expected = canonical_correlations(*kept).mean()
    assert value("svcca", x, y, variance=variance) == pytest.approx(expected, abs=1e-10)


def test_svcca_of_all_variance_is_cca_and_a_rescaled_layer_keeps_its_directions() -> None:
    """ReSi compares a share with a threshold times the total: it keeps one direction of large layers."""
    x, y = related(200, 12, 15)
    assert value("svcca", x, y, variance=1.0) == pytest.approx(value("cca_mean", x, y), abs=1e-12)
    assert value("svcca", 1e4 * x, 1e-4 * y) == pytest.approx(value("svcca", x, y), abs=1e-10)


def test_pwcca_with_canonical_directions_written_out() -> None:
    x, y = related(150, 6, 8)
    moved, other = x - x.mean(0), y - y.mean(0)
    xx, yy, xy = moved.T @ moved, other.T @ other, moved.T @ other
    squares, maps = eigh(xy @ np.linalg.solve(yy, xy.T), xx)
    directions = moved @ maps  # orthonormal in sample space, one column per canonical correlation
    weights = [sum(abs(h @ unit) for unit in moved.T) for h in directions.T]
    expected = np.average(np.sqrt(np.clip(squares, 0, 1)), weights=weights)
    assert value("pwcca", x, y) == pytest.approx(expected, abs=1e-10)


def test_pwcca_sees_a_rotation_of_the_first_layer_only() -> None:
    """Finding 1 of the card, against the usual claim."""
    x, y = related(300, 8, 8)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    assert abs(value("pwcca", x @ turn, y) - value("pwcca", x, y)) > 1e-3
    assert value("pwcca", x, y @ turn) == pytest.approx(value("pwcca", x, y), abs=1e-12)
    assert value("pwcca", x, x @ turn) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("p", "q"), [(6, 6), (4, 9), (70, 90)])
def test_procrustes_is_what_remains_after_the_best_rotation(p: int, q: int) -> None:
    x, y = related(50, p, q)
    width = max(p, q)
    a, b = (np.pad(layer, ((0, 0), (0, width - layer.shape[1]))) for layer in (x, y))
    a, b = a - a.mean(0), b - b.mean(0)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    turn, _ = orthogonal_procrustes(b, a)
    distance = np.linalg.norm(a - b @ turn)
    assert value("procrustes", x, y) == pytest.approx(distance, abs=1e-10)
    assert value("angular", x, y) == pytest.approx(2 * math.asin(distance / 2), abs=1e-10)


def test_linear_regression_by_least_squares() -> None:
    x, y = related(90, 7, 5)
    design = np.column_stack([np.ones(90), y])
    residual = x - design @ np.linalg.lstsq(design, x)[0]
    expected = 1 - np.sum(residual**2) / np.sum((x - x.mean(0)) ** 2)
    assert value("linear_regression", x, y) == pytest.approx(expected, abs=1e-12)
    assert value("linear_regression", x @ np.ones((7, 3)), x) == pytest.approx(1, abs=1e-12)


def test_wide_layers_predict_nothing_but_can_be_predicted() -> None:
    x, y = related(40, 60, 5)
    assert 0 < value("linear_regression", x, y) < 1
    assert "at least 62 samples" in between(y, x, MEASURES.create("linear_regression")).reason


@pytest.mark.parametrize("relu", [False, True])
def test_rsa_by_scipy(relu: bool) -> None:
    x, y = related(60, 20, 30)
    if relu:
        y = np.maximum(y - 1, 0) + 0.01  # many equal entries, no sample without a profile
    expected = spearmanr(pdist(x, "correlation"), pdist(y, "correlation"))[0]
    assert value("rsa", x, y) == pytest.approx(expected, abs=1e-10)


def test_equal_dissimilarities_share_their_rank_whatever_rounding_says() -> None:
    """One active unit per sample: profiles are equal or equally different, up to rounding."""
    rng = np.random.default_rng(0)
    active = rng.integers(5, size=80)
    y = np.zeros((80, 5))
    y[np.arange(80), active] = rng.uniform(0.1, 9, 80)
    x = rng.standard_normal((80, 6))
    same = squareform((active[:, None] != active).astype(float), checks=False)
    assert value("rsa", x, y) == pytest.approx(spearmanr(pdist(x, "correlation"), same)[0], abs=1e-10)


def test_average_ranks_of_ties() -> None:
    rng = np.random.default_rng(0)
    for size, levels in [(1, 1), (2, 1), (7, 3), (50, 4), (50, 1), (50, 10_000), (300, 40)]:
        values = 1 - 2 * rng.integers(levels, size=size) / levels
        expected = [np.sum(values < v) + (np.sum(values == v) - 1) / 2 for v in values]
        np.testing.assert_array_equal(average_ranks(values), expected)


@pytest.mark.parametrize("nearest_by", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 10])
def test_neighbors_by_sorting(k: int, nearest_by: str) -> None:
    x, y = related(60, 8, 12)
    companies = []
    for layer in (x, y):
        distances = squareform(pdist(layer, nearest_by))  # type: ignore[call-overload]
        np.fill_diagonal(distances, np.inf)
        companies.append([set(np.argsort(row)[:k]) for row in distances])
    pairs = list(zip(*companies, strict=True))
    settings = {"k": k, "nearest_by": nearest_by}
    mutual, jaccard = (
        np.mean([len(a & b) / k for a, b in pairs]),
        np.mean([len(a & b) / len(a | b) for a, b in pairs]),
    )
    assert value("mutual_knn", x, y, **settings) == pytest.approx(mutual, abs=1e-12)
    assert value("jaccard_knn", x, y, **settings) == pytest.approx(jaccard, abs=1e-12)


def test_neighbors_by_chance() -> None:
    rng = np.random.default_rng(0)
    values = [
        value("mutual_knn", rng.standard_normal((101, 5)), rng.standard_normal((101, 5))) for _ in range(30)
    ]
    assert np.mean(values) == pytest.approx(10 / 100, abs=0.005)


def test_distance_correlation_by_definition() -> None:
    x, y = related(50, 4, 7)
    centered = []
    for layer in (x, y):
        d = squareform(pdist(layer))
        centered.append(d - d.mean(0) - d.mean(1)[:, None] + d.mean())
    a, b = centered
    expected = math.sqrt(np.mean(a * b) / math.sqrt(np.mean(a * a) * np.mean(b * b)))
    assert value("distance_correlation", x, y) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("p", "q"), [(5, 5), (4, 6), (6, 3)])
def test_unit_matching_by_trying_every_assignment(p: int, q: int) -> None:
    x, y = related(80, p, q)
    correlations = np.corrcoef(x.T, y.T)[:p, p:]
    narrow = correlations if p <= q else correlations.T
    best = max(
        np.mean([narrow[i, j] for i, j in enumerate(columns)])
        for columns in itertools.permutations(range(narrow.shape[1]), len(narrow))
    )
    assert value("hard_match", x, y) == pytest.approx(best, abs=1e-12)
    soft = (np.mean([max(row) for row in correlations]) + np.mean([max(row) for row in correlations.T])) / 2
    assert value("soft_match", x, y) == pytest.approx(soft, abs=1e-12)
    assert value("soft_match", x, y) >= value("hard_match", x, y) - 1e-12 or p != q


def test_a_permuted_copy_matches_exactly_whatever_happened_to_each_unit() -> None:
    x, _ = related(80, 9, 3)
    rng = np.random.default_rng(1)
    copy = (x * rng.uniform(0.1, 9, 9) + rng.standard_normal(9))[:, rng.permutation(9)]
    assert value("hard_match", x, copy) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", ["hard_match", "soft_match"])
def test_a_unit_and_its_opposite_are_no_match(name: str) -> None:
    x, _ = related(80, 1, 1)
    assert value(name, x, -x) == pytest.approx(-1, abs=1e-12)
    two = np.concatenate([x, -x], axis=1)
    assert value(name, two, two[:, ::-1]) == pytest.approx(1, abs=1e-12)


def test_too_many_units_to_match_say_so() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2_049))
    assert "2,049" in between(x, x, MEASURES.create("hard_match")).reason


@pytest.mark.parametrize("name", ["cka_rbf", "distance_correlation", "rsa", "mutual_knn", "jaccard_knn"])
def test_too_many_samples_for_all_pairs_say_so(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((2_001, 3))
    reason = between(x, x, MEASURES.create(name)).reason
    assert "at most 2,000 samples; there are 2,001" in reason


def test_long_probes_are_no_matter_where_rows_are_not_compared() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5_000, NARROW + 20))
    y = x + rng.standard_normal(x.shape)
    centered = [layer - layer.mean(0) for layer in (x, y)]
    cross = np.sum((centered[0].T @ centered[1]) ** 2)
    own = [np.linalg.norm(layer.T @ layer) for layer in centered]
    assert value("cka_biased", x, y) == pytest.approx(cross / math.prod(own), abs=1e-12)


def test_outputs_by_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = 3 * rng.standard_normal((50, 6)), 3 * rng.standard_normal((50, 6))
    y[0], x[0] = [900, 0, 0, 0, 0, 0], [0, -900, 0, 0, 0, 0]  # probabilities of exactly 0 and 1
    bits = [jensenshannon(softmax(a), softmax(b), base=2) ** 2 for a, b in zip(x, y, strict=True)]
    assert value("jensen_shannon", x, y) == pytest.approx(np.mean(bits), abs=1e-12)
    same = np.mean([a.argmax() == b.argmax() for a, b in zip(x, y, strict=True)])
    assert value("agreement", x, y) == same
    assert value("disagreement", x, y) == pytest.approx(1 - same, abs=1e-15)


def test_sure_and_opposite_nets_are_one_bit_apart() -> None:
    x = np.tile([800.0, 0.0], (4, 1))
    assert value("jensen_shannon", x, x[:, ::-1]) == 1
    assert value("disagreement", x, x[:, ::-1]) == 1


@pytest.mark.parametrize("name", ["agreement", "disagreement", "jensen_shannon"])
def test_nets_of_other_classes_cannot_be_compared(name: str) -> None:
    rng = np.random.default_rng(0)
    reason = between(rng.standard_normal((9, 3)), rng.standard_normal((9, 4)), MEASURES.create(name)).reason
    assert "3 classes" in reason
    assert "at least 2 classes" in between(np.ones((9, 1)), np.ones((9, 1)), MEASURES.create(name)).reason


def test_layers_that_some_measures_cannot_take() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    assert "one unit" in between(x[:, :1], x, MEASURES.create("mutual_knn")).reason
    assert "at least 3 units" in between(x[:, :2], x, MEASURES.create("rsa")).reason
    spike = np.zeros((40, 3))
    spike[0, 0] = 1
    assert "identical" in between(spike, x, MEASURES.create("cka_rbf")).reason
    two = np.tile([[1.0, 0.0, 0.0]], (40, 1))
    two[::2] *= 2
    assert "equally dissimilar" in between(two, x, MEASURES.create("rsa")).reason
    wide = rng.standard_normal((40, 30))
    assert "directions needs at least" in between(wide, wide, MEASURES.create("svcca")).reason
