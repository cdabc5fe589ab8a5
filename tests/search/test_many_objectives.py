"""NSGA-III, AGE-MOEA and MOEA/D: each spreads its population by its own rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pymoo.decomposition.tchebicheff import Tchebicheff

from core.pareto import non_dominated
from core.records import Measurement, Objective, Source
from core.search import ALGORITHMS, Problem
from core.search.age_moea import survival_scores
from core.search.directions import directions
from core.spaces import Arch
from tests.helpers.planted import flat_space

SPACE = flat_space(8)
GOALS = tuple(Objective(name, name, "", False, Source.MEASURED, "") for name in "abcd")


def build(name: str, m: int, population: int) -> Any:
    return ALGORITHMS.create(name, {"population": population}, problem=Problem(SPACE, GOALS[:m]), seed=0)


def archs(n: int) -> list[Arch]:
    return [tuple(row) for row in SPACE.array()[:n].tolist()]


def measured(points: np.ndarray, of: list[Arch] | None = None) -> list[Measurement]:
    names = [o.name for o in GOALS[: points.shape[1]]]
    return [
        Measurement(arch, dict(zip(names, row, strict=True)))
        for arch, row in zip(of or archs(len(points)), points.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("m", "most", "expected"), [(1, 9, 1), (2, 50, 50), (3, 50, 45), (3, 2, 3), (5, 50, 0)]
)
def test_directions_are_spread_over_the_simplex(m: int, most: int, expected: int) -> None:
    found = directions(m, most)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    assert len(np.unique(found.round(9), axis=0)) == len(found)
    assert len(found) == expected or not expected
    if m == 5:  # too coarse for points inside its edge, so it has a second layer
        assert (found > 0).all(axis=1).any()
        assert m < len(found) <= most
    for axis in np.eye(m):
        assert np.isclose(found, axis).all(axis=1).any()


def test_nsga3_keeps_somebody_near_every_direction_that_has_one() -> None:
    search = build("nsga3", 3, 45)
    rng = np.random.default_rng(0)
    # A crowd in one corner, and a few everywhere else; nobody beats anybody.
    crowd, few = rng.dirichlet([30, 1, 1], 300), rng.dirichlet([1, 1, 1], 60)
    points = np.concatenate([crowd, few, np.eye(3)])
    rows = search._select(points, 45)
    low, span = search._scale
    scaled = (points - low) / span
    norm = search._survival.norm
    units = (scaled - norm.ideal_point) / (norm.nadir_point - norm.ideal_point)
    weights = directions(3, 45) / np.linalg.norm(directions(3, 45), axis=1, keepdims=True)
    along = units @ weights.T
    nearest = np.sqrt(np.maximum((units**2).sum(axis=1)[:, None] - along**2, 0)).argmin(axis=1)
    assert set(nearest[rows]) == set(nearest)
    assert len(rows) == 45


def test_nsga3_scales_objectives_of_any_unit() -> None:
    rng = np.random.default_rng(1)
    points = rng.dirichlet([0.7] * 3, 200) * (1 + 0.2 * rng.random((200, 1)))
    kept = []
    for unit in (1.0, 1e-4, 1e-7, 1e9):
        kept.append(build("nsga3", 3, 45)._select(points * [1.0, unit, 1.0], 45).tolist())
    assert all(rows == kept[0] for rows in kept)


@pytest.mark.parametrize(("exponent", "low", "high"), [(1.0, 0.9, 1.1), (2.0, 1.8, 2.2), (0.5, 0.4, 0.6)])
@pytest.mark.parametrize("m", [2, 3])
def test_age_moea_finds_the_geometry_of_a_front(exponent: float, low: float, high: float, m: int) -> None:
    directions_ = np.random.default_rng(2).dirichlet(np.ones(m), 200)
    points = np.concatenate(
        [directions_ / (directions_**exponent).sum(axis=1, keepdims=True) ** (1 / exponent), np.eye(m)]
    )
    assert low < survival_scores(points - points.min(axis=0))[1] < high


def test_age_moea_keeps_the_corners_and_the_lonely() -> None:
    search = build("age_moea", 2, 10)
    x = np.concatenate([np.linspace(0.40, 0.41, 60), [0.0, 0.2, 0.6, 0.8, 1.0]])
    rows = search._select(np.stack([x, 1 - x], axis=1), 10)
    assert {60, 61, 62, 63, 64} <= set(rows.tolist())


@pytest.mark.long
@pytest.mark.parametrize("m", [2, 3, 4])
def test_age_moea_survives_as_in_pymoo(m: int) -> None:
    # Compiles itself for seconds.
    from pymoo.algorithms.moo.age import AGEMOEASurvival
    from pymoo.core.population import Population

    theirs = AGEMOEASurvival()
    theirs.filter_infeasible = False
    for seed in range(20):
        rng = np.random.default_rng(seed)
        # One front that is not straight (there everybody is as far from the corners), for of a later one that is cut theirs (0.6.2) knows no scores and takes the last rows.
        points = np.concatenate([rng.dirichlet(np.ones(m), 80) ** rng.choice([0.4, 2.5]), np.eye(m)])
        points = points[non_dominated(points, maximize=[False] * m)]
        kept = theirs.do(None, Population.new(F=points.copy(), row=np.arange(len(points))), n_survive=30)
        assert set(build("age_moea", m, 30)._select(points, 30).tolist()) == set(kept.get("row").tolist())


def test_moead_holds_the_best_it_was_told_of_for_every_direction() -> None:
    search = build("moead", 2, 21)
    points = np.random.default_rng(3).random((200, 2))
    search.tell(measured(points))
    search._survive()
    front = points[[not ((points <= p).all(1) & (points < p).any(1)).any() for p in points]]
    scaled = (points - front.min(axis=0)) / np.ptp(front, axis=0)
    values = Tchebicheff().do(scaled, search._weights, _type="many_to_many")
    of = {arch: number for number, arch in enumerate(archs(200))}
    assert [of[arch] for arch in search._parents] == values.argmin(axis=0).tolist()


def test_a_child_of_moead_replaces_its_neighbors_only() -> None:
    search = ALGORITHMS.create(
        "moead", {"population": 30, "neighbors": 5}, problem=Problem(SPACE, GOALS[:2]), seed=0
    )
    first = search.ask(30)
    x = np.linspace(0, 1, 30)
    search.tell(measured(np.stack([x, 1 - x], axis=1), first))
    child = search.ask(30)[0]
    number = search._direction[child]  # type: ignore[attr-defined]
    search.tell(measured(np.array([[-1.0, -1.0]]), [child]))
    search._survive()  # type: ignore[attr-defined]
    held = [k for k, arch in enumerate(search._parents) if arch == child]  # type: ignore[attr-defined]
    assert sorted(held) == sorted(search._near[number].tolist())  # type: ignore[attr-defined]
    assert len(held) == 5


@pytest.mark.parametrize("name", ["nsga3", "age_moea", "moead"])
def test_more_objectives_than_three_are_searched(name: str) -> None:
    search = build(name, 4, 20)
    rng = np.random.default_rng(0)
    seen: list[Arch] = []
    for _ in range(4):
        asked = search.ask(search.batch_size)
        search.tell(measured(rng.random((len(asked), 4)), asked))
        seen += asked
    assert len(set(seen)) == len(seen)
    assert math.comb(3 + 1, 3) <= search.batch_size <= 20
