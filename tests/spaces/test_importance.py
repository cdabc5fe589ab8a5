"""Importance against its definition: sums over the full product of all options, written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.spaces.choice import within_depth
from core.spaces.importance import importance, weights_of

SPACES = {
    "plain": SearchSpace([Choice("a", (1, 2, 3)), Choice("b", (1, 2)), Choice("c", (4, 5, 6, 7))]),
    "depth": SearchSpace(
        [
            Choice("depth", (1, 2, 3)),
            Choice("k1", (3, 5)),
            Choice("k2", (3, 5, 7), requires=within_depth("depth", (1, 2, 3), 2)),
            Choice("k3", (3, 5), requires=within_depth("depth", (1, 2, 3), 3)),
        ]
    ),
    # Whether `deeper` matters hangs on a choice that itself matters only sometimes.
    "nested": SearchSpace(
        [
            Choice("kind", ("plain", "wide")),
            Choice("width", (1, 2, 3), requires=("kind", (1,))),
            Choice("deeper", (0, 1), requires=("width", (1, 2))),
            Choice("free", (0, 1, 2)),
        ]
    ),
    "one": SearchSpace([Choice("only", (1, 2, 3))]),
    "single option": SearchSpace([Choice("fixed", (1,)), Choice("b", (1, 2, 3))]),
}


def by_definition(space: SearchSpace, values: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    """Variance of every term of the decomposition of f(canonical(x)), x uniform over all settings."""
    settings = list(itertools.product(*(range(n) for n in space.cardinalities)))
    f = np.array([values[space.canonical(x)] for x in settings]).reshape(space.cardinalities)
    axes = range(len(space))
    terms: dict[tuple[int, ...], np.ndarray] = {}
    for size in range(len(space) + 1):
        for kept in itertools.combinations(axes, size):
            term = f.mean(axis=tuple(k for k in axes if k not in kept), keepdims=True)
            for smaller in terms:
                if set(smaller) < set(kept):
                    term = term - terms[smaller]
            terms[kept] = term
    return {kept: float((term**2).mean()) for kept, term in terms.items() if kept}


@pytest.mark.parametrize("name", SPACES)
def test_shares_are_those_of_the_definition(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(3)
    rows = space.array()[rng.permutation(space.size)]
    values = rng.normal(50, 1, len(rows)) + 3 * rows[:, -1]
    found = importance(space, rows, values)
    terms = by_definition(space, {tuple(r): v for r, v in zip(rows.tolist(), values.tolist(), strict=True)})
    total = sum(terms.values())
    assert found.variance == pytest.approx(total, rel=1e-9)
    np.testing.assert_allclose(found.main, [terms[(k,)] / total for k in range(len(space))], atol=1e-9)
    for a, b in itertools.combinations(range(len(space)), 2):
        assert found.pairs[a, b] == found.pairs[b, a] == pytest.approx(terms[(a, b)] / total, abs=1e-9)
    more = sum(v for kept, v in terms.items() if len(kept) > 2) / total
    assert found.rest == pytest.approx(more, abs=1e-9)
    assert found.main.sum() + found.pairs.sum() / 2 + found.rest == pytest.approx(1, abs=1e-9)
    assert found.rest >= 0


def test_weights_are_how_often_a_setting_means_the_architecture() -> None:
    space = SPACES["nested"]
    rows = space.array()
    counts = dict.fromkeys(map(tuple, rows.tolist()), 0)
    settings = list(itertools.product(*(range(n) for n in space.cardinalities)))
    for x in settings:
        counts[space.canonical(x)] += 1
    np.testing.assert_allclose(weights_of(space, rows), np.array(list(counts.values())) / len(settings))


def test_a_sum_of_choices_has_no_pairs_and_a_product_has_them() -> None:
    space = SPACES["plain"]
    rows = space.array()
    a, b, c = rows.T.astype(float)
    added = importance(space, rows, 2 * a - 5 * b + c**2)
    assert added.pairs.max() < 1e-12
    assert added.rest < 1e-12
    np.testing.assert_allclose(added.effects[1], [2.5, -2.5])
    product = importance(space, rows, (a - 1) * (b - 0.5) * (c - 1.5))
    assert product.main.max() < 1e-12
    assert product.pairs.max() < 1e-12
    assert product.rest == pytest.approx(1)


def test_where_a_choice_does_not_matter_it_explains_nothing() -> None:
    """k3 decides alone where it is there, a third of all settings, and nowhere else."""
    space = SPACES["depth"]
    rows = space.array()
    deep = rows[:, 0] == 2
    found = importance(space, rows, np.where(deep, np.where(rows[:, 3] == 1, 1.0, -1.0), 0.0))
    # f = [depth is 3] * s with s = +-1: alone E[f|s] = s/3, of a variance of 1/3.
    np.testing.assert_allclose(found.main, [0, 0, 0, 1 / 3], atol=1e-12)
    assert found.pairs[0, 3] == pytest.approx(2 / 3)


def test_a_constant_objective_has_no_important_choice() -> None:
    space = SPACES["plain"]
    found = importance(space, space.array(), np.full(space.size, 0.1))
    assert found.variance == 0
    assert not found.main.any()
    assert not found.pairs.any()
    assert found.rest == 0


def test_large_numbers_lose_nothing() -> None:
    """Counts of 1e12 that differ by ones."""
    space = SPACES["plain"]
    rows = space.array()
    small = rows @ np.array([1.0, 2.0, 3.0]) + rows[:, 0] * rows[:, 1]
    np.testing.assert_allclose(
        importance(space, rows, small + 1e12).main, importance(space, rows, small).main, atol=1e-6
    )


@pytest.mark.parametrize("fault", ["one missing", "one twice", "not canonical", "NaN", "too few values"])
def test_what_is_not_the_whole_space_is_refused(fault: str) -> None:
    space = SPACES["depth"]
    rows, values = space.array(), np.arange(float(space.size))
    if fault == "one missing":
        rows, values = rows[1:], values[1:]
    elif fault == "one twice":
        rows[0] = rows[1]
    elif fault == "not canonical":
        rows[0, 2] = 1  # depth 1 has no second block
    elif fault == "NaN":
        values[3] = np.nan
    else:
        values = values[1:]
    with pytest.raises(InvalidInput):
        importance(space, rows, values)
