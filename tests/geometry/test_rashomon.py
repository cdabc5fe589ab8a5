"""The Rashomon set: nested in its tolerance, its measures by brute force, no interaction where effects add up."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.errors import InvalidInput
from core.geometry.rashomon import CompleteTable, importances, interactions, multiplicity, rashomon_set
from core.spaces import Choice, SearchSpace
from core.spaces.choice import within_depth


@pytest.fixture
def space() -> SearchSpace:
    return SearchSpace([Choice("a", (1, 2, 3)), Choice("b", (1, 2)), Choice("c", (1, 2, 3, 4))])


def test_the_set_is_what_is_close_to_the_best() -> None:
    accuracy = [0.9, 0.95, 0.95, 0.93, np.nan]
    assert rashomon_set(accuracy, 0.0).tolist() == [1, 2]
    assert rashomon_set(accuracy, 0.02).tolist() == [1, 2, 3]
    assert rashomon_set(accuracy, 1.0).tolist() == [1, 2, 3, 0]


def test_the_set_grows_with_the_tolerance() -> None:
    accuracy = np.random.default_rng(0).random(200)
    sets = [set(rashomon_set(accuracy, t).tolist()) for t in np.linspace(0, 1, 20)]
    assert all(small <= large for small, large in itertools.pairwise(sets))
    assert len(sets[0]) == 1
    assert len(sets[-1]) == 200


def test_bad_questions_are_refused() -> None:
    with pytest.raises(InvalidInput, match="negative"):
        rashomon_set([0.5], -0.1)
    with pytest.raises(InvalidInput, match="measured"):
        rashomon_set([np.nan], 0.1)
    with pytest.raises(InvalidInput, match="no decisions"):
        multiplicity(np.zeros((0, 3)), np.zeros(3), 2)


def test_multiplicity_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    votes, own = rng.integers(0, 4, (7, 50)), rng.integers(0, 4, 50)
    found = multiplicity(votes, own, 4)
    assert found.ambiguity == np.mean([any(votes[k, i] != own[i] for k in range(7)) for i in range(50)])
    assert found.discrepancy == max(np.mean(votes[k] != own) for k in range(7))
    pairs = [np.mean(votes[k] != votes[m]) for k, m in itertools.combinations(range(7), 2)]
    assert found.pairwise == pytest.approx(np.mean(pairs))
    for i in range(50):
        others = [v for v in votes[:, i] if v != own[i]]
        assert found.contested[i] == pytest.approx(len(others) / 7)
        assert found.rival[i] == (max(sorted(set(others)), key=others.count) if others else own[i])


def test_members_that_decide_alike_have_no_multiplicity() -> None:
    found = multiplicity(np.tile([0, 1, 2], (5, 1)), [0, 1, 2], 3)
    assert (found.ambiguity, found.discrepancy, found.pairwise) == (0, 0, 0)
    assert found.rival.tolist() == [0, 1, 2]


def test_effects_that_add_up_do_not_interact(space: SearchSpace) -> None:
    rows = space.array()
    effects = [np.array([0, 0.1, 0.3]), np.array([0, 0.2]), np.array([0.05, 0, 0.1, 0.02])]
    accuracy = 0.2 + sum(e[rows[:, i]] for i, e in enumerate(effects))
    table = CompleteTable(space, rows, accuracy)
    found = interactions(table, np.arange(len(rows)))
    assert np.nanmax(np.abs(found)) < 1e-12
    best = rashomon_set(accuracy, 0)
    assert importances(table, best)[0] == pytest.approx([0.3 - 0.05, 0.2, 0.1 - 0.07 / 3])


def test_a_planted_interaction_is_found(space: SearchSpace) -> None:
    rows = space.array()
    both = (rows[:, 0] != 2) & (rows[:, 1] != 1)
    table = CompleteTable(space, rows, 0.9 - 0.4 * both)
    members = np.flatnonzero((rows[:, 0] == 2) & (rows[:, 1] == 1))
    found = interactions(table, members)
    assert found[0, 1] == pytest.approx(0.4)
    assert found[0, 2] == found[1, 2] == pytest.approx(0)
    assert np.isnan(found[0, 0])


def test_a_choice_that_does_not_matter_has_no_importance() -> None:
    deep = SearchSpace(
        [Choice("depth", (1, 2)), Choice("k", (3, 5), requires=within_depth("depth", (1, 2), 2))]
    )
    rows = deep.array()
    assert len(rows) == 3
    table = CompleteTable(deep, rows, [0.5, 0.6, 0.8])
    found = importances(table, np.arange(3))
    assert np.isnan(found[0, 1])
    assert found[2, 1] == pytest.approx(0.2)
    assert found[2, 0] == pytest.approx(0.3)


def test_an_incomplete_table_is_refused(space: SearchSpace) -> None:
    with pytest.raises(InvalidInput, match="complete table"):
        CompleteTable(space, space.array()[:5], np.zeros(5))
