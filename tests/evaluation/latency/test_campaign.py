"""A campaign: what was cut goes on, batches are on one scale, limits hold."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.latency.campaign import Limits, State
from core.store import MemoryLedger
from tests.helpers.latency_world import World, campaign, finished, tiny_costs


def test_progress_only_grows() -> None:
    _, said = finished(campaign(World(tiny_costs(), noise=0.02)))
    assert said == sorted(said)
    assert 0 <= said[0] < 0.1
    assert 0.9 < said[-1] <= 1


def test_cut_anywhere_it_ends_as_if_it_had_not_been() -> None:
    world = World(tiny_costs(), pairs=0.012, noise=0.02)
    whole = campaign(world)
    settled, said = finished(whole)
    for cut in range(1, len(said) + 1, max(1, len(said) // 4)):
        first = campaign(world)
        steps = first.run()
        for _ in range(cut):
            next(steps)
        steps.close()
        kept = first.ledger.latest_checkpoint()
        second = campaign(world)
        second.ledger = MemoryLedger(params={})
        if kept is not None:
            second.state = State.model_validate_json(kept)
        before = world.batches
        assert finished(second)[0] == settled
        assert second.state.known == whole.state.known
        repeated = world.batches - before + len(first.state.batches) - len(whole.state.batches)
        assert repeated <= 1, "at most the batch that was cut is timed again"


def test_finished_work_that_is_started_again_fits_the_model_it_had() -> None:
    """Those near the front were timed again since: what is fitted to the sample must not follow them."""
    for seed in range(3):
        world = World(tiny_costs(), pairs=0.012, noise=0.05, seed=seed)
        whole = campaign(world)
        settled, _ = finished(whole)
        again = campaign(world)
        again.state, before = whole.state, world.batches
        assert finished(again)[0] == settled
        assert world.batches == before
        assert whole.model is not None
        assert again.model is not None
        rows = world.costs.space.from_ids(list(whole.state.known))
        predicted = [work.model.predict(world.costs, rows) for work in (whole, again)]
        np.testing.assert_array_equal(*predicted)


def test_batches_are_on_the_scale_of_the_first() -> None:
    world = World(tiny_costs(), pairs=0.012)
    world.speed = lambda batch: 1.0 if batch == 1 else 1.3
    work = campaign(world)
    finished(work)
    assert len(work.state.batches) > 1
    ids = list(work.state.known)
    true = world.true(world.costs.space.from_ids(ids))
    np.testing.assert_allclose([work.state.known[i][0] for i in ids], true, rtol=1e-9)


def test_those_near_the_front_are_timed_against_each_other() -> None:
    work = campaign(World(tiny_costs(), pairs=0.012, noise=0.05))
    finished(work)
    last = work.state.batches[-1]
    assert last.again
    scale = np.median(np.array(work.state.batches[0].anchors) / np.array(last.anchors))
    assert [work.state.known[i][0] for i in last.arch_ids] == pytest.approx([ms * scale for ms in last.ms])
    assert set(last.arch_ids) <= {i for batch in work.state.batches[:-1] for i in batch.arch_ids}


def test_no_more_are_timed_than_allowed_and_it_says_so() -> None:
    work = campaign(World(tiny_costs(), pairs=0.05, noise=0.02), limits=Limits(most=44, confidence=0.99))
    settled, _ = finished(work)
    assert settled is not None
    assert len(work.state.known) <= 44
    assert not settled.reached


def test_without_a_table_of_quality_only_the_sample_is_timed() -> None:
    work = campaign(World(tiny_costs(), noise=0.02), quality=False)
    settled, _ = finished(work)
    assert settled is None
    assert sorted(work.state.known) == sorted(work.sample)
