"""Local search: it moves to neighbors of what nothing beats, and starts anew where no single change improves it."""

from __future__ import annotations

import numpy as np
import pytest

from core.pareto import hypervolume, non_dominated
from core.search import ALGORITHMS, Problem
from core.spaces import Arch
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space

BOTH = (QUALITY, COST)


def test_what_is_asked_after_the_start_is_beside_an_architecture_that_nothing_measured_beats() -> None:
    planted = Planted(large_space())
    search = ALGORITHMS.create(
        "local_search", {"starts": 4, "batch": 6}, problem=Problem(planted.space, BOTH), seed=0
    )
    told = search.ask(4)
    search.tell(planted.measure(told))
    for _ in range(12):
        asked = search.ask(6)
        values = [planted.values(arch) for arch in told]
        points = np.array([[v["quality"], v["cost"]] for v in values])
        front = [a for a, on in zip(told, non_dominated(points, maximize=[True, False]), strict=True) if on]
        beside = {near for arch in front for near in planted.space.neighbors(arch)}
        assert set(asked) <= beside
        search.tell(planted.measure(asked))
        told += asked


def test_with_one_objective_a_climb_ends_on_the_top_and_the_next_starts_elsewhere() -> None:
    planted = Planted(flat_space(8))
    search = ALGORITHMS.create(
        "local_search", {"starts": 1}, problem=Problem(planted.space, (QUALITY,)), seed=3
    )
    top = max(map(tuple, planted.space.array().tolist()), key=lambda arch: planted.values(arch)["quality"])
    asked: list[Arch] = []
    while top not in asked or not set(planted.space.neighbors(top)) <= set(asked):
        archs = search.ask(10)
        search.tell(planted.measure(archs))
        asked += archs
        assert len(asked) < 250  # of 6,561
    # Everything around the top was seen: the next question is a new start.
    following = search.ask(10)
    search.tell(planted.measure(following))
    assert not set(following) & set(planted.space.neighbors(top))


@pytest.mark.parametrize("seed", range(3))
def test_beats_random_search(seed: int) -> None:
    planted = Planted(large_space())

    def volume(name: str) -> float:
        search = ALGORITHMS.create(name, problem=Problem(planted.space, BOTH), seed=seed)
        values: list[list[float]] = []
        while len(values) < 500:
            measured = planted.measure(search.ask(10))
            search.tell(measured)
            values += [[m.values["quality"], m.values["cost"]] for m in measured]
        return hypervolume(values, planted.reference, maximize=[True, False])

    assert volume("local_search") > volume("random_search")
