"""Cuts of the evaluator's trie: every architecture once, little done twice, sizes within bounds, whatever the space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from core.evaluation import shards
from core.evaluation.costs import CostTable
from core.evaluation.shards import cut, repeated
from core.evaluation.trie import Trie
from core.evaluation.work import seconds_of_walks, walk_seconds
from core.spaces import Choice, SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.elastic_cnn import ElasticCNN
from core.supernets.stage_cost import StageCost
from tests.helpers.nets import small_cnn

Shards = Sequence[NDArray[np.int64]]
MACS_A_SECOND = 10**10
"""Of an ordinary core."""


class Planned(Stage):
    """A stage that only has a cost: seconds by option of its choices, and it is there only where they are not 0."""

    def __init__(self, space: SearchSpace, names: Sequence[str], seconds: Sequence[float]) -> None:
        super().__init__(space)
        self.depends_on, self._seconds = tuple(names), seconds

    def _option(self, arch: Sequence[int]) -> int:
        found = 0
        for name in self.depends_on:
            at = self.space.position[name]
            found = found * self.space.cardinalities[at] + int(arch[at])
        return found

    def key(self, arch: Sequence[int]) -> int | None:
        option = self._option(arch)
        return None if self._seconds[option] == 0 else option

    def cost(self, arch: Sequence[int]) -> StageCost:
        macs = int(self._seconds[self._option(arch)] * MACS_A_SECOND)
        return StageCost("planned", "all", "block", (1,), 1, {"macs": macs, "params": 0})


class Together(Planned):
    """The same, siblings computed together: the widest one's time."""

    def branch(self, x: object, archs: object, context: object) -> list[object]:
        raise AssertionError("only its costs are asked for")


def planned(*stages: Sequence[float], together: bool = False) -> Supernet:
    """A chain of stages with these seconds per option: one choice per stage, or two for many options (of ten each)."""
    choices, owned = [], []
    for at, seconds in enumerate(stages):
        sizes = [len(seconds)] if len(seconds) < 20 else [len(seconds) // 10, 10]
        names = [f"choice{at}_{part}" for part in range(len(sizes))]
        owned.append(names)
        choices += [Choice(n, tuple(range(size)), ordinal=True) for n, size in zip(names, sizes, strict=True)]
    net = Supernet.__new__(Supernet)
    nn.Module.__init__(net)
    net.space = SearchSpace(choices)
    kind = Together if together else Planned
    net.stages = nn.ModuleList(kind(net.space, n, s) for n, s in zip(owned, stages, strict=True))
    return net


def seconds_by_hand(net: Supernet, rows: NDArray[np.uint8], samples: int) -> float:
    """Modeled seconds of one walk, prefix by prefix."""
    calls, per_mac, per_number = 4e-4, 1e-10, 1.5e-8
    spent, families, seen = 0.0, {}, set()
    for arch in rows.tolist():
        prefix: tuple[object, ...] = ()
        for stage in net.chain:
            key, before = stage.key(arch), prefix
            prefix = (*prefix, key)
            if key is None or prefix in seen:
                continue
            seen.add(prefix)
            cost = stage.cost(arch)
            computed = calls + samples * per_mac * cost.macs
            spent += samples * per_number * cost.output_size
            if type(stage).branch is Stage.branch:
                spent += computed
            else:
                families[before] = max(families.get(before, 0.0), computed)
    return spent + sum(families.values())


def once_each(found: Shards, n: int) -> None:
    """Every row is in exactly one shard, and none is empty."""
    assert all(len(shard) for shard in found)
    np.testing.assert_array_equal(np.sort(np.concatenate([*found, np.zeros(0, int)])), np.arange(n))


@st.composite
def chains(draw: st.DrawFn) -> Supernet:
    """Chains of any costs, from nothing to many times the largest shard."""
    seconds = st.sampled_from([0.0, 1e-5, 0.01, 0.3, 1.0, 7.0])
    stages = draw(st.lists(st.lists(seconds, min_size=1, max_size=4), min_size=1, max_size=5))
    return planned(*stages, together=draw(st.booleans()))


@given(net=chains(), share=st.floats(0.01, 1), cores=st.integers(1, 40), seed=st.integers(0, 9))
def test_every_row_is_in_one_shard_and_sizes_are_bounded(
    net: Supernet, share: float, cores: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.unique(net.space.array(), axis=0)
    rows = rng.permutation(rows)[: max(1, round(share * len(rows)))]
    table = CostTable.of(net)
    found = cut(net, table, rows, 1, cores=cores)
    once_each(found, len(rows))
    seconds = seconds_of_walks(net, table, rows, 1, found)
    if type(net.chain[0]) is Planned:
        assert (np.diff(seconds) <= 1e-9).all(), "the longest come first"
    whole = walk_seconds(net, table, rows, 1)
    assert repeated(net, table, rows, 1, found) == pytest.approx(seconds.sum() / whole - 1 if whole else 0)
    if whole < shards.SMALLEST:
        assert len(found) == 1
    # Nothing so small is cut that all of it would be one shard.
    assert len(found) <= max(1, 8 * seconds.sum() / shards.SMALLEST)


@pytest.mark.parametrize("samples", [1, 50])
def test_repeated_work_is_what_a_count_by_hand_gives(samples: int) -> None:
    net: ElasticCNN = small_cnn()
    rows = np.unique(net.space.sample_array(300, np.random.default_rng(2)), axis=0)
    table = CostTable.of(net)
    whole = seconds_by_hand(net, rows, samples)
    assert walk_seconds(net, table, rows, samples) == pytest.approx(whole)
    ours = cut(net, table, rows, samples, cores=3, smallest=whole / 20, largest=whole / 4)
    once_each(ours, len(rows))
    assert len(ours) >= 12
    parts = np.array_split(np.random.default_rng(3).permutation(len(rows)), 7)
    for found in (ours, parts):
        by_hand = [seconds_by_hand(net, rows[shard], samples) for shard in found]
        np.testing.assert_allclose(seconds_of_walks(net, table, rows, samples, found), by_hand)
        assert repeated(net, table, rows, samples, found) == pytest.approx(sum(by_hand) / whole - 1)
        assert max(by_hand) <= whole / 4 or found is parts


def test_less_is_repeated_than_by_equal_parts_or_by_levels_of_the_chain() -> None:
    net = small_cnn()
    rows = np.asarray(net.space.array())
    table, samples = CostTable.of(net), 100
    trie = Trie.of(net, rows)
    whole = walk_seconds(net, table, rows, samples)
    for cores in (2, 8, 32):
        ours = cut(net, table, rows, samples, cores=cores, smallest=whole / (12 * cores), largest=whole)
        assert len(ours) >= 4 * cores
        equal = np.array_split(trie.order, len(ours))
        assert repeated(net, table, rows, samples, ours) <= repeated(net, table, rows, samples, equal)
        change = np.zeros(len(rows), bool)
        change[0] = True
        for codes in trie.codes:
            change[1:] |= codes[1:] != codes[:-1]
            if change.sum() >= len(ours):
                break
        level = np.split(trie.order, np.flatnonzero(change)[1:])
        assert repeated(net, table, rows, samples, ours) <= repeated(net, table, rows, samples, level)


def test_four_a_core_where_there_is_enough_work_and_the_largest_first() -> None:
    net = planned([0.01] * 8, [0.01] * 8, [0.1] * 8)
    rows = np.asarray(net.space.array())
    table = CostTable.of(net)
    for cores in (1, 2, 5, 16):
        found = cut(net, table, rows, 1, cores=cores)
        seconds = seconds_of_walks(net, table, rows, 1, found)
        assert len(found) >= 4 * cores
        assert seconds.max() <= shards.LARGEST
        # Who is late in the end is late by a small one.
        assert seconds[-1] <= 0.6 * seconds[0]


def test_a_space_of_one_choice_and_of_one_row() -> None:
    net = planned([0.5] * 40)
    table, rows = CostTable.of(net), np.asarray(net.space.array())
    found = cut(net, table, rows, 1, cores=2)
    once_each(found, 40)
    assert len(found) >= 8
    assert repeated(net, table, rows, 1, found) == pytest.approx(0)
    assert [shard.tolist() for shard in cut(net, table, rows[:1], 1, cores=8)] == [[0]]
    assert cut(net, table, rows[:0], 1, cores=8) == []
    assert repeated(net, table, rows[:0], 1, []) == 0


def test_lone_rows_that_share_nothing() -> None:
    net = planned([9.0] * 6, [0.0, 5.0])
    table, rows = CostTable.of(net), np.asarray(net.space.array())[::2]
    found = cut(net, table, rows, 1, cores=4)
    once_each(found, len(rows))
    assert [len(shard) for shard in found] == [1] * 6


@pytest.mark.parametrize("together", [False, True])
def test_a_chain_where_all_differ_at_the_last_stage_is_not_computed_again_and_again(together: bool) -> None:
    net = planned([20.0], [0.001] * 250, together=together)
    table, rows = CostTable.of(net), np.asarray(net.space.array())
    found = cut(net, table, rows, 1, cores=64)
    assert len(found) == 1, "to share 0.25 s between cores, each would compute 20"
    # Where what follows is worth it, some is done twice, but never most of it.
    net = planned([3.0], [0.5] * 250)
    table = CostTable.of(net)
    found = cut(net, table, rows, 1, cores=64)
    once_each(found, 250)
    assert len(found) > 8
    assert repeated(net, table, rows, 1, found) < 0.6


def test_a_row_order_and_a_part_of_a_space_change_nothing_but_positions() -> None:
    net = small_cnn()
    rows = np.asarray(net.space.array())
    mixed = np.random.default_rng(0).permutation(len(rows))
    table = CostTable.of(net)
    one = cut(net, table, rows, 100, cores=4, smallest=0.01)
    other = cut(net, table, rows[mixed], 100, cores=4, smallest=0.01)
    assert [mixed[shard].tolist() for shard in other] == [shard.tolist() for shard in one]


@pytest.mark.parametrize("together", [False, True])
def test_what_a_cut_costs_is_what_is_done_twice(together: bool) -> None:
    net = planned([0.3, 0.5], [0.0, 0.2, 0.1], [0.7, 0.1, 0.4], [0.01, 0.02], together=together)
    table, rows = CostTable.of(net), np.unique(net.space.array(), axis=0)
    trie = Trie.of(net, rows)
    line = shards._Line.of(net, table, trie.codes, rows[trie.order], 1)
    whole = walk_seconds(net, table, rows, 1)
    assert line.seconds(0, len(rows)) == pytest.approx(whole)
    for at in range(1, len(rows)):
        left, right = seconds_of_walks(net, table, rows, 1, [trie.order[:at], trie.order[at:]])
        assert line.again[at] == pytest.approx(left + right - whole)
        assert line.seconds(0, at) == pytest.approx(left)
        # Where siblings are computed together, what is left of them may be narrower than all of them.
        assert line.seconds(at, len(rows)) >= right - 1e-9
        if not together:
            assert line.seconds(at, len(rows)) == pytest.approx(right)


@pytest.mark.parametrize("cores", [3, 12])
def test_a_large_space_is_cut_part_by_part_as_well_as_at_once(cores: int) -> None:
    net = planned([0.02] * 9, [0.02, 0.01] * 3, [0.05, 0.1] * 3, [0.1, 0.05, 0.1, 0.1], [0.1, 0.2])
    rows = np.random.default_rng(0).permutation(np.unique(net.space.array(), axis=0))
    table = CostTable.of(net)
    found = list(shards.cut_in_turn(net, table, rows, 1, cores=cores, at_once=len(rows) // 2))
    once_each(found, len(rows))
    at_once = cut(net, table, rows, 1, cores=cores)
    seconds = seconds_of_walks(net, table, rows, 1, found)
    assert 4 * cores <= len(found) <= 2 * len(at_once)
    assert seconds.max() <= shards.LARGEST
    assert repeated(net, table, rows, 1, found) <= 1.5 * repeated(net, table, rows, 1, at_once) + 0.01
    # What is short waits until all that is long is given out.
    short = np.flatnonzero(seconds < 0.4 * seconds.max())
    assert len(short)
    assert short[0] > len(seconds) / 3
    same = list(shards.cut_in_turn(net, table, rows, 1, cores=cores, at_once=len(rows)))
    assert [s.tolist() for s in same] == [s.tolist() for s in at_once]
