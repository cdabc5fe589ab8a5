"""Sure steps, what is as good and cheaper, and how far a knee moves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.chance.credible import Members, as_good_and_cheaper, credible_steps, knee_spread
from core.chance.intervals import compare
from core.chance.resampling import resampled_fronts
from core.pareto import knee_by_distance


def ladder(*correct: int, n: int = 400) -> np.ndarray:
    """Members that get ever more of the same samples right, with a little noise of their own."""
    rng = np.random.default_rng(0)
    right = np.zeros((len(correct), n), np.uint8)
    for row, count in enumerate(correct):
        right[row, :count] = 1
        swapped = rng.choice(count, 3, replace=False)
        right[row, swapped] = 0
        right[row, count : count + 3] = 1
    return right


def test_tests_of_members_are_those_of_their_samples() -> None:
    right = ladder(200, 204, 260)
    members = Members.of(right)
    for a in range(3):
        for b in range(3):
            assert members.test(a, b) == compare(right[a], right[b])
    assert members.better(2, 0)
    assert not members.better(0, 2)
    assert not members.better(1, 0)


def test_steps_are_the_fewest_that_are_each_really_better() -> None:
    members = Members.of(ladder(200, 203, 230, 232, 234, 300, 302))
    assert credible_steps(members) == [0, 2, 5]
    assert [as_good_and_cheaper(members, i) for i in range(7)] == [None, 0, None, 2, 2, None, 5]
    assert credible_steps(Members.of(np.zeros((0, 9), np.uint8))) == []


def test_every_member_that_is_no_step_has_a_cheaper_step_it_is_not_told_apart_from() -> None:
    rng = np.random.default_rng(1)
    right = (rng.random((25, 359)) < np.linspace(0.8, 0.95, 25)[:, None]).astype(np.uint8)
    right = right[np.argsort(right.sum(1))]
    members = Members.of(right)
    steps = credible_steps(members)
    assert 1 < len(steps) < 12
    for before, after in itertools.pairwise(steps):
        assert members.test(after, before).p < 0.05
    for index in set(range(25)) - set(steps):
        below = max(step for step in steps if step < index)
        assert not members.better(index, below)
        assert as_good_and_cheaper(members, index) is not None


def test_steps_of_a_front_mostly_go_up_on_other_samples() -> None:
    """Fronts of equally good subnets have many steps and hardly a sure one."""
    rng = np.random.default_rng(2)
    steps = members = 0
    for _ in range(40):
        right = (rng.random((60, 300)) < 0.9).astype(np.uint8)
        best = np.maximum.accumulate(right.sum(1))
        rows = np.flatnonzero(np.diff(best, prepend=-1) > 0)
        members += len(rows) - 1
        steps += len(credible_steps(Members.of(right[rows]))) - 1
    assert members > 100
    assert steps < 0.35 * members


def test_a_knee_that_nothing_moves_stays_and_another_one_spreads() -> None:
    rng = np.random.default_rng(3)
    costs = np.arange(1.0, 31.0)
    sure = np.zeros((30, 400), np.uint8)
    sure[:, :100] = 1
    sure[4:, :380] = 1  # one step, at a cost of 5, and a last one
    sure[29, :390] = 1
    loose = (rng.random((30, 400)) < np.linspace(0.7, 0.95, 30)[:, None]).astype(np.uint8)

    def find(points: object) -> int | None:
        return knee_by_distance(points, maximize=[False, True])  # type: ignore[arg-type]

    still = knee_spread(resampled_fronts(sure, costs, resamples=200), costs, 4, find)
    assert still is not None
    assert (still.low, still.high) == (5.0, 5.0)
    assert still.same > 0.99
    moved = knee_spread(resampled_fronts(loose, costs, resamples=200), costs, 4, find)
    assert moved is not None
    assert moved.high > moved.low
    assert moved.same < 0.9
    assert knee_spread(resampled_fronts(sure, costs, resamples=20), costs, 4, lambda points: None) is None


def test_quantiles_of_a_knee_hold_nine_of_ten_resamples() -> None:
    rng = np.random.default_rng(4)
    costs = np.arange(1.0, 41.0)
    right = (rng.random((40, 300)) < np.linspace(0.6, 0.95, 40)[:, None]).astype(np.uint8)
    fronts = resampled_fronts(right, costs, resamples=250)
    seen = []

    def last(points: list[tuple[float, float]]) -> int:
        seen.append(points[-1][0])
        return len(points) - 1

    spread = knee_spread(fronts, costs, 39, last)
    assert spread is not None
    assert spread.found == pytest.approx(1.0)
    assert spread.same == pytest.approx(np.mean(np.array(seen) == 40.0))
    assert np.mean((np.array(seen) >= spread.low) & (np.array(seen) <= spread.high)) >= 0.9
