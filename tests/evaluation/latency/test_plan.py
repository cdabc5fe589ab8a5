"""The planned sample: every stage key, the same for the same seed, anchors over the whole range."""

from __future__ import annotations

import numpy as np

from core.evaluation.costs import CostTable
from core.evaluation.latency.design import columns_of
from core.evaluation.latency.plan import anchors_of, default_size, expected_seconds, plan_sample
from core.supernets.families import FAMILIES
from tests.helpers.latency_world import small_costs


def test_every_stage_key_is_timed() -> None:
    costs = small_costs()
    columns, everything = columns_of(costs), costs.space.array()
    there = columns.one_hot(everything).any(axis=0)
    for seed in range(3):
        rows = plan_sample(costs, 80, seed)
        assert len(rows) == 80 == len(np.unique(rows, axis=0))
        assert (columns.one_hot(rows).any(axis=0) == there).all()
        assert (costs.space.canonicalize(rows) == rows).all()


def test_a_seed_is_a_sample() -> None:
    costs = small_costs()
    assert (plan_sample(costs, 50, 1) == plan_sample(costs, 50, 1)).all()
    assert not (plan_sample(costs, 50, 1) == plan_sample(costs, 50, 2)).all()


def test_a_small_space_is_timed_whole() -> None:
    costs = small_costs()
    assert len(plan_sample(costs, 10**6)) == costs.space.size
    assert default_size(costs) <= costs.space.size


def test_a_cell_is_known_by_its_options() -> None:
    family = FAMILIES.get("nas_bench_201")
    costs = CostTable.of(family(family.example((1, 8, 8))))
    columns = columns_of(costs)
    assert sum(len(group) for group in columns.groups) < 200, "15,625 keys would each be seen once"
    assert (columns.one_hot(plan_sample(costs, 60)).any(axis=0)).all()
    assert 0 < expected_seconds(costs) < 600


def test_anchors_are_spread_over_the_range() -> None:
    sizes = np.random.default_rng(0).permutation(np.arange(100))
    chosen = sizes[anchors_of(sizes)]
    assert sorted(chosen)[0] == 0
    assert sorted(chosen)[-1] == 99
    assert np.diff(sorted(chosen)).max() <= 16
    assert len(anchors_of(np.ones(3))) == 3
