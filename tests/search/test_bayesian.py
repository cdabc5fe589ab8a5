"""Bayesian optimization: it finds more than chance does, knows what is counted, and does not ask twice for one gain."""

from __future__ import annotations

import numpy as np
import pytest

from core.pareto import hypervolume
from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.bayesian import _reference
from core.search.improvement import Improvement
from core.spaces import Arch
from tests.helpers.planted import COST, QUALITY, Planted, large_space

SPACE = large_space(6)
PLANTED = Planted(SPACE)
BOTH = (QUALITY, COST)


def volume(asked: list[Arch]) -> float:
    values = [PLANTED.values(arch) for arch in asked]
    points = np.array([[v["quality"], v["cost"]] for v in values])
    return hypervolume(points, PLANTED.reference, maximize=[True, False])


def searched(name: str, budget: int, seed: int, settings: dict[str, object] | None = None) -> list[Arch]:
    problem = Problem(SPACE, BOTH, counted=PLANTED.counted)
    algorithm = ALGORITHMS.create(name, settings, problem=problem, seed=seed)
    asked: list[Arch] = []
    while len(asked) < budget:
        archs = algorithm.ask(min(algorithm.batch_size, budget - len(asked)))
        asked += archs
        algorithm.tell(PLANTED.measure(archs))
    return asked


@pytest.mark.slow
@pytest.mark.parametrize(("predictor", "times"), [("gp", 4), ("pfn", 1)])
def test_it_finds_more_than_so_many_times_as_many_draws(predictor: str, times: int) -> None:
    settings = {"predictor": predictor, "candidates": 150}
    found = [volume(searched("bayesian", 60, seed, settings)) for seed in range(3)]
    by_chance = [volume(searched("random_search", 60 * times, seed)) for seed in range(3)]
    assert np.mean(found) > np.mean(by_chance)


def test_what_is_counted_needs_no_measurement() -> None:
    """Costs that measuring got wrong change nothing: they are known."""
    problem = Problem(SPACE, BOTH, counted=PLANTED.counted)
    asked = []
    for wrong in (False, True):
        algorithm = ALGORITHMS.create("bayesian", {"candidates": 60}, problem=problem, seed=1)
        for _ in range(4):
            archs = algorithm.ask(15)
            measured = PLANTED.measure(archs)
            if wrong:
                measured = [Measurement(m.arch, {**m.values, "cost": float("nan")}) for m in measured]
            algorithm.tell(measured)
        asked.append(archs)
    assert asked[0] == asked[1]


def test_each_of_a_batch_is_believed_before_the_next_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(SPACE, BOTH, counted=PLANTED.counted)

    def batch() -> list[Arch]:
        algorithm = ALGORITHMS.create("bayesian", {"batch": 10, "candidates": 150}, problem=problem, seed=2)
        algorithm.tell(PLANTED.measure(algorithm.ask(20)))
        return algorithm.ask(10)

    together = batch()
    monkeypatch.setattr(Improvement, "believe", lambda self, candidate: None)
    apart = batch()
    assert apart[0] == together[0], "the first is chosen the same"
    assert apart != together


def test_the_reference_is_a_little_worse_than_everything_measured() -> None:
    costs = np.array([[0.0, 10.0], [1.0, 30.0]])
    assert _reference(costs, costs + 100).tolist() == [1.1, 32.0]
    assert _reference(costs[:0], costs).tolist() == [1.1, 32.0]
