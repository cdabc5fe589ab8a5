"""Regularized evolution: age decides who dies, a tournament who has children, and one choice changes."""

from __future__ import annotations

import numpy as np

from core.pareto import non_dominated
from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.regularized_evolution import RegularizedEvolution
from core.spaces import Arch
from tests.helpers.planted import COST, QUALITY, Planted, flat_space

SPACE = flat_space(8)
PLANTED = Planted(SPACE)


def evolution(objectives: tuple[object, ...], **config: int) -> RegularizedEvolution:
    made = ALGORITHMS.create("regularized_evolution", config, problem=Problem(SPACE, objectives), seed=1)  # type: ignore[arg-type]
    assert isinstance(made, RegularizedEvolution)
    return made


def started(search: RegularizedEvolution) -> list[Arch]:
    first = search.ask(search.batch_size)
    assert len(first) == search.config.population
    search.tell(PLANTED.measure(first))
    return first


def test_the_oldest_dies_however_good_it_is() -> None:
    search = evolution((QUALITY,), population=6, sample=3, batch=2)
    first = search.ask(6)
    search.tell([Measurement(arch, {"quality": 100.0 - i}) for i, arch in enumerate(first)])
    for turn in range(3):
        assert [arch for arch, *_ in search._alive][: 6 - 2 * turn] == first[2 * turn :]
        born = search.ask(2)
        search.tell([Measurement(arch, {"quality": 0.0}) for arch in born])
    assert not {arch for arch, *_ in search._alive} & set(first)


def test_children_of_a_tournament_of_all_differ_from_the_best_in_one_choice() -> None:
    search = evolution((QUALITY,), population=12, sample=12, batch=10)
    first = started(search)
    best = max(first, key=lambda arch: PLANTED.values(arch)["quality"])
    for child in search.ask(10):
        assert sum(a != b for a, b in zip(child, best, strict=True)) == 1


def test_small_tournaments_give_others_a_chance() -> None:
    search = evolution((QUALITY,), population=12, sample=2, batch=10)
    first = started(search)
    best = max(first, key=lambda arch: PLANTED.values(arch)["quality"])
    apart = [sum(a != b for a, b in zip(child, best, strict=True)) for child in search.ask(10)]
    assert max(apart) > 1


def test_with_two_objectives_all_parts_of_the_front_have_children() -> None:
    search = evolution((QUALITY, COST), population=40, sample=40, batch=40)
    first = started(search)
    points = [[PLANTED.values(a)["quality"], PLANTED.values(a)["cost"]] for a in first]
    front = [first[i] for i in np.flatnonzero(non_dominated(points, maximize=[True, False]))]
    assert len(front) > 3
    parents = set()
    for child in search.ask(40):
        near = [arch for arch in front if sum(a != b for a, b in zip(child, arch, strict=True)) == 1]
        assert near, "a child of something that another beats"
        parents.update(near)
    assert len(parents) > len(front) / 2
