"""Strict fairness: counts that are equal exactly, in every group of steps, whatever the choices look like."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.spaces.cell_string import cell_space
from core.training.balancing import balanced, steps_of_group
from core.training.strategies import STRATEGIES, Draw, Phase
from core.training.strategies.fair import Fair
from core.training.supernet_session import SupernetSession
from tests.contracts.test_strategies import SPACES
from tests.training import small

UNEVEN = SearchSpace([Choice("a", (1, 2, 3, 4)), Choice("b", (1, 2, 3)), Choice("c", (1, 2), ordinal=False)])


def counts(space: SearchSpace, rows: np.ndarray) -> list[list[int]]:
    """How often each option of each choice was taken where the choice matters."""
    flat = rows.reshape(-1, len(space))
    active = space.active(flat)
    return [
        np.bincount(flat[active[:, index], index], minlength=count).tolist()
        for index, count in enumerate(space.cardinalities)
    ]


@pytest.mark.parametrize("name", SPACES)
def test_in_every_group_of_steps_every_option_is_trained_equally_often(name: str) -> None:
    space = SPACES[name]
    paths = Fair.paths(space)
    group = steps_of_group(space, paths)
    for seed in range(3):
        rows = balanced(space, paths, group, np.random.default_rng(seed))
        assert (space.canonicalize(rows.reshape(-1, len(space))).reshape(rows.shape) == rows).all()
        for each in counts(space, rows):
            assert len(set(each)) == 1
            assert each[0] > 0


def test_with_equally_many_options_each_step_is_fair_by_itself() -> None:
    """FairNAS: the paths of a step are permutations of the options, choice by choice."""
    space = cell_space()
    assert (Fair.paths(space), steps_of_group(space, 5)) == (5, 1)
    rows = balanced(space, 5, 300, np.random.default_rng(0))
    for step in rows:
        assert (np.sort(step, axis=0) == np.arange(5)[:, None]).all()
        assert all(space.computes(row) for row in step.tolist())
    # Permutations are independent of each other: any pair of options meets about equally often.
    met = Counter(zip(rows[..., 0].ravel().tolist(), rows[..., 5].ravel().tolist(), strict=True))
    assert len(met) == 25
    # `none` on the last edge needs the others more, so pairs of two `none`s are rarer; the rest has 60 each.
    assert min(met.values()) > 30
    assert max(met.values()) < 95


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 4))):
        requires = None
        if choices and draw(st.booleans()):
            parent = draw(st.sampled_from(choices))
            allowed = draw(st.sets(st.integers(0, len(parent.options) - 1), min_size=1))
            requires = (parent.name, tuple(sorted(allowed)))
        choices.append(Choice(f"c{index}", tuple(range(draw(st.integers(1, 5)))), requires=requires))
    return SearchSpace(choices)


@given(spaces(), st.integers(1, 5), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_balance_holds_for_any_tree_of_choices(space: SearchSpace, paths: int, seed: int) -> None:
    group = steps_of_group(space, paths)
    rows = balanced(space, paths, group, np.random.default_rng(seed))
    for each in counts(space, rows):
        assert len(set(each)) == 1
    # Within a step, too, options differ by one at most.
    for step in rows:
        for each in counts(space, step):
            assert max(each) - min(each) <= 1


def test_uneven_choices_take_the_stated_number_of_steps_and_no_fewer() -> None:
    assert steps_of_group(UNEVEN, 4) == 3
    rows = balanced(UNEVEN, 4, 3, np.random.default_rng(1))
    assert [len(set(each)) for each in counts(UNEVEN, rows)] == [1, 1, 1]
    assert [len(set(each)) for each in counts(UNEVEN, rows[:2])] == [1, 2, 1]


def test_a_space_in_which_nothing_computes_is_refused() -> None:
    class Nothing(SearchSpace):
        def computes(self, arch: object) -> bool:
            return False

    with pytest.raises(InvalidInput, match="nothing to train"):
        balanced(Nothing([Choice("a", (1, 2))]), 2, 1, np.random.default_rng(0))


def test_a_step_adds_up_its_paths_and_groups_run_across_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are counted over all steps, so an epoch's end cuts none short; one update for all paths of a step."""
    strategy = STRATEGIES.create("fair")
    assert isinstance(strategy, Fair)
    net = small.fresh_net()
    session = SupernetSession(net, small.digits(), small.settings(), strategy, Phase("all"))
    group, paths = strategy.group(net.space), strategy.paths(net.space)
    assert (paths, strategy.passes(net.space, Phase("all"))) == (2, 2.0)
    assert group > 1
    taken: list[list[Draw]] = []
    monkeypatch.setattr(session, "train", lambda draws, batch: taken.append(draws) or [0.0] * len(draws))
    for number in range(3 * group):
        session.epoch, session.step = divmod(number, 5)
        strategy.step(session, None)  # type: ignore[arg-type]
    assert {len(draws) for draws in taken} == {paths}
    seen = []
    for first in range(0, 3 * group, group):
        rows = np.array([[draw.arch for draw in draws] for draws in taken[first : first + group]], np.uint8)
        assert all(len(set(each)) == 1 for each in counts(net.space, rows))
        seen.append(rows.tobytes())
    assert len(set(seen)) == 3
