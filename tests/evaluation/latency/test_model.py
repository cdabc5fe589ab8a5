"""The predictor: known stage times come back, and how far it is off is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.latency.design import columns_of
from core.evaluation.latency.model import LatencyModel, fit_latency
from core.evaluation.latency.plan import plan_sample
from core.objectives.timing import rank_correlation
from core.supernets.families import FAMILIES
from tests.helpers.latency_world import World, small_costs
from tests.helpers.nets import small_cnn


def test_known_stage_times_come_back() -> None:
    world = World(small_costs())
    rows = plan_sample(world.costs, 120)
    model, found = fit_latency(world.costs, rows, world.true(rows))
    everything = world.costs.space.array()
    np.testing.assert_allclose(model.predict(world.costs, everything), world.true(everything), rtol=0.02)
    assert model.form == "linear"
    assert min(model.intercept, *model.weights) >= 0
    assert found.rank_correlation > 0.998
    assert found.median_error < 0.005
    assert found.n == 120


def test_times_that_multiply_are_added_as_logarithms() -> None:
    world = World(small_costs())
    rows = plan_sample(world.costs, 120)
    times = np.exp(80 * world.true(rows))
    model, found = fit_latency(world.costs, rows, times)
    assert model.form == "log"
    assert found.rank_correlation > 0.99


def test_the_error_it_states_is_that_of_subnets_it_never_saw() -> None:
    world = World(small_costs(), pairs=0.02)
    rows = plan_sample(world.costs, 200)
    model, found = fit_latency(world.costs, rows, world.true(rows))
    everything = world.costs.space.array()
    error = np.abs(np.log(model.predict(world.costs, everything) / world.true(everything)))
    assert found.median_error == pytest.approx(np.median(error), rel=0.35)
    assert found.p95_error == pytest.approx(np.quantile(error, 0.95), rel=0.5)
    at_home = np.abs(model.predict(world.costs, rows) / world.true(rows) - 1)
    assert found.median_error > 1.1 * np.median(at_home), "a fold that was fitted to is no test"


def test_noise_that_means_nothing_is_not_predicted() -> None:
    world = World(small_costs())
    rows = plan_sample(world.costs, 120)
    shuffled = np.random.default_rng(0).permutation(world.true(rows))
    _, found = fit_latency(world.costs, rows, shuffled)
    assert abs(found.rank_correlation) < 0.3
    assert found.median_error > 0.05


def test_validation_is_about_the_sample_where_others_were_picked() -> None:
    world = World(small_costs(), pairs=0.02)
    rows = plan_sample(world.costs, 150)
    sample = np.arange(150) < 100
    _, found = fit_latency(world.costs, rows, world.true(rows), validated=sample)
    assert found.n == 100


def test_a_predictor_of_another_supernet_is_refused() -> None:
    world = World(small_costs())
    rows = plan_sample(world.costs, 64)
    model, _ = fit_latency(world.costs, rows, world.true(rows))
    other = CostTable.of(small_cnn(groups=({"widths": (2, 4)}, {"widths": (4, 8)})))
    with pytest.raises(InvalidInput, match="another supernet"):
        model.predict(other, other.space.array())
    with pytest.raises(InvalidInput, match="eight"):
        fit_latency(world.costs, rows[:7], world.true(rows[:7]))


def test_it_is_kept_as_json_and_refused_where_it_lies() -> None:
    world = World(small_costs())
    rows = plan_sample(world.costs, 64)
    model, _ = fit_latency(world.costs, rows, world.true(rows))
    again = LatencyModel.model_validate_json(model.model_dump_json())
    assert (again.predict(world.costs, rows) == model.predict(world.costs, rows)).all()
    with pytest.raises(ValueError, match="less than no time"):
        LatencyModel(form="linear", strength=1, intercept=1.0, weights=(-1e-9,), columns="0" * 64)


@pytest.mark.slow
def test_what_two_options_do_to_each_other_is_learned_where_keys_are_too_many() -> None:
    family = FAMILIES.get("nas_bench_201")
    costs = CostTable.of(family(family.example((1, 8, 8))))
    columns = columns_of(costs)
    assert len(columns.pairs) == 15, "cells that are all alike have their pairs in common"
    everything = costs.space.sample_array(1000, np.random.default_rng(1))
    drawn = np.random.default_rng(0).random((5, 5, 5, 5))

    def true(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        a, b, c, d = rows[:, :4].T
        return np.asarray(1 + drawn[a, b, 0, 0] + drawn[0, 0, c, d])

    rows = plan_sample(costs, 300)
    model, _ = fit_latency(costs, rows, true(rows))
    assert rank_correlation(model.predict(costs, everything), true(everything)) > 0.95
