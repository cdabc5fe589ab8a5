"""Unit matching: a known permutation is recovered, dead units stand apart, planted structure is found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.errors import InvalidInput
from core.similarity.base import Undefined
from core.similarity.coclustering import co_cluster
from core.similarity.matching import chance_match, match, matched_order, top_samples, unit_correlations
from core.similarity.sparse_matching import few_to_one


@pytest.fixture
def x() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.maximum(rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)), 0)


def test_a_permuted_copy_is_matched_back(x: np.ndarray) -> None:
    order = np.random.default_rng(1).permutation(12)
    found = match(unit_correlations(x, x[:, order]).values)
    assert np.array_equal(order[found.columns], found.rows)
    assert found.mean == pytest.approx(1, abs=1e-12)
    assert np.array_equal(found.greedy, np.argsort(order))


def test_a_rolled_copy_is_matched_back(x: np.ndarray) -> None:
    found = match(unit_correlations(x, np.roll(x, 3, axis=1)).values)
    assert np.array_equal(found.columns, (found.rows + 3) % 12)


def test_the_assignment_is_the_best_of_all(x: np.ndarray) -> None:
    values = unit_correlations(x[:, :6], np.random.default_rng(2).random((300, 6))).values
    best = max(sum(values[i, p[i]] for i in range(6)) for p in itertools.permutations(range(6)))
    assert match(values).values.sum() == pytest.approx(best, abs=1e-12)


def test_greedy_is_never_worse(x: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        found = match(unit_correlations(x, np.maximum(x @ rng.standard_normal((12, 12)), 0)).values)
        assert found.greedy_mean >= found.mean - 1e-12


def test_scales_and_shifts_of_units_change_nothing(x: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    y = x @ rng.standard_normal((12, 9))
    moved = y * rng.uniform(0.1, 10, 9) + rng.standard_normal(9)
    assert np.allclose(unit_correlations(x, y).values, unit_correlations(x, moved).values, atol=1e-12)


def test_correlations_are_those_of_numpy(x: np.ndarray) -> None:
    y = np.random.default_rng(5).random((300, 5))
    assert np.allclose(unit_correlations(x, y).values, np.corrcoef(x.T, y.T)[:12, 12:], atol=1e-12)


def test_dead_units_are_listed_apart(x: np.ndarray) -> None:
    y = x.copy()
    y[:, [2, 7]] = [0.0, 3.0]
    found = unit_correlations(x, y)
    assert found.dead_b.tolist() == [2, 7]
    assert found.values.shape == (12, 10)
    assert not len(found.dead_a)
    assert found.of(0, 2) == 0
    assert found.of(3, 3) == pytest.approx(1)


def test_dead_layers_and_different_samples_have_a_reason(x: np.ndarray) -> None:
    with pytest.raises(Undefined, match="constant"):
        unit_correlations(x, np.ones((300, 4)))
    with pytest.raises(Undefined, match="300 and 100 rows"):
        unit_correlations(x, x[:100])
    with pytest.raises(InvalidInput):
        match(np.zeros((0, 3)))


def test_noise_matches_better_than_zero_and_the_chance_value_says_how_much() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((60, 20)), rng.standard_normal((60, 20))
    mean, spread = chance_match(a, b)
    assert mean > 0.15
    assert abs(match(unit_correlations(a, b).values).mean - mean) < 4 * spread


def test_matched_pairs_lie_on_the_diagonal_best_first(x: np.ndarray) -> None:
    values = unit_correlations(x, np.maximum(x @ np.random.default_rng(7).standard_normal((12, 8)), 0)).values
    found = match(values)
    rows, columns = matched_order(found, values.shape)
    assert sorted(rows.tolist()) == list(range(12))
    diagonal = values[rows, :][:, columns].diagonal()
    assert np.allclose(diagonal, np.sort(found.values)[::-1])


def test_top_samples_are_the_largest(x: np.ndarray) -> None:
    rows = top_samples(x, 4, k=5)
    assert np.array_equal(np.sort(x[:, 4])[::-1][:5], x[rows, 4])
    assert top_samples(np.zeros((4, 1)), 0, k=3).tolist() == [0, 1, 2]


def test_a_planted_sparse_mapping_is_found(x: np.ndarray) -> None:
    rng = np.random.default_rng(8)
    sources = rng.standard_normal((600, 30))
    y = np.stack([2 * sources[:, 3] - sources[:, 11], sources[:, 20], sources[:, 0] + sources[:, 29]], axis=1)
    y += 0.01 * rng.standard_normal(y.shape)
    found = few_to_one(sources, y)
    used = [set(np.flatnonzero(np.abs(found.weights[found.knee, :, j]) > 0.05).tolist()) for j in range(3)]
    assert used == [{3, 11}, {20}, {0, 29}]
    assert found.r2[found.knee].min() > 0.9
    assert found.nonzeros[found.knee].mean() < 4


def test_weak_penalties_find_any_linear_mapping() -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal((400, 10))
    found = few_to_one(x, x @ rng.standard_normal((10, 6)))
    assert found.r2[-1].min() > 0.999
    assert (found.nonzeros[-1] >= found.nonzeros[0]).all()
    assert found.r2[0].max() < 0.05


def test_nothing_explains_noise() -> None:
    rng = np.random.default_rng(10)
    found = few_to_one(rng.standard_normal((400, 10)), rng.standard_normal((400, 6)))
    assert found.r2.max() < 0.1


def test_too_few_samples_and_dead_layers_have_a_reason() -> None:
    with pytest.raises(Undefined, match="at least 20"):
        few_to_one(np.ones((10, 2)), np.ones((10, 2)))
    with pytest.raises(Undefined, match="constant"):
        few_to_one(np.ones((50, 2)), np.ones((50, 2)))


def test_planted_groups_are_found_across_both_nets() -> None:
    rng = np.random.default_rng(11)
    factors = rng.standard_normal((500, 4))
    of_a, of_b = np.repeat(np.arange(4), 6), np.repeat(np.arange(4), 3)
    a = factors[:, of_a] + 0.4 * rng.standard_normal((500, 24))
    b = -factors[:, of_b] + 0.4 * rng.standard_normal((500, 12))
    found = co_cluster(a, b)
    assert found.count == 4
    pairs = set(zip(of_a.tolist(), found.labels_a.tolist(), strict=True)) | set(
        zip(of_b.tolist(), found.labels_b.tolist(), strict=True)
    )
    assert len(pairs) == 4, "each factor is one group, the same in both nets"
    assert found.within > 0.7 > 0.2 > found.between


def test_groups_are_deterministic_and_their_number_can_be_given(x: np.ndarray) -> None:
    once, twice = (co_cluster(x, x[:, ::-1], groups=3) for _ in range(2))
    assert np.array_equal(once.labels_a, twice.labels_a)
    assert once.count == 3
    assert np.array_equal(once.labels_a, once.labels_b[::-1]), "a mirrored copy falls into the same groups"
    with pytest.raises(InvalidInput, match="2 to 12"):
        co_cluster(x, x, groups=40)


def test_a_unit_that_needs_many_is_not_called_sparse() -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal((400, 20))
    found = few_to_one(x, (x @ np.ones(20))[:, None])
    assert found.nonzeros[found.knee, 0] > 12
