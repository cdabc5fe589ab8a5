"""LINAS: the properties of its card, and what it is made of."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import NotFound
from core.pareto import Constraint, hypervolume, non_dominated
from core.records import Measurement, Objective, Source
from core.search import ALGORITHMS, Problem
from core.search.distinct import DistinctDraws
from core.search.first_sample import trie_sample, with_endings
from core.search.guesses import Guesses
from core.search.inner_evolution import crowding, evolve
from core.spaces import Arch, Archs
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space, small_space

BOTH = (QUALITY, COST)
CARD = flat_space(45)
"""The space of the card: 45 choices with three options each."""
BUDGET = 250


def searched(
    name: str, seed: int, planted: Planted, budget: int = BUDGET, **config: object
) -> list[Measurement]:
    algorithm = ALGORITHMS.create(name, config, problem=Problem(planted.space, BOTH), seed=seed)
    found: list[Measurement] = []
    while len(found) < budget:
        batch = planted.measure(algorithm.ask(min(algorithm.batch_size, budget - len(found))))
        algorithm.tell(batch)
        found += batch
    return found


def volume(planted: Planted, found: list[Measurement]) -> float:
    points = [[m.values["quality"], m.values["cost"]] for m in found]
    return hypervolume(points, planted.reference, maximize=[True, False])


@pytest.mark.slow
def test_finds_more_than_nsga2_and_that_not_less_than_random_search() -> None:
    """Card, property (ii): 5 seeds, 250 evaluations."""
    planted = Planted(CARD)
    names = ("linas", "nsga2", "random_search")
    found = {n: [volume(planted, searched(n, seed, planted)) for seed in range(5)] for n in names}
    assert min(found["linas"]) > max(found["nsga2"])
    assert np.mean(found["nsga2"]) > np.mean(found["random_search"])


@pytest.mark.parametrize("predictor", ["ridge"])
def test_measures_as_often_as_it_says_and_guesses_far_more_often(predictor: str, monkeypatch) -> None:
    """Card, property (i): an inner search that measured would be seen."""
    guessed: list[int] = []
    original = Guesses.costs
    monkeypatch.setattr(
        Guesses, "costs", lambda self, rows: guessed.append(len(rows)) or original(self, rows)
    )
    found = searched("linas", 0, Planted(large_space()), 50 + 3 * 25, batch=25, first=50, predictor=predictor)
    assert len({m.arch for m in found}) == 125
    assert sum(guessed) >= 20 * 75


def test_refits_between_batches_and_not_within_one(monkeypatch) -> None:
    fits: list[int] = []
    original = Guesses._fitted
    monkeypatch.setattr(Guesses, "_fitted", lambda self: fits.append(len(self)) or original(self))
    planted = Planted(large_space())
    algorithm = ALGORITHMS.create(
        "linas", {"first": 40, "batch": 10}, problem=Problem(planted.space, BOTH), seed=0
    )
    told = 0
    for _ in range(5):
        batch = algorithm.ask(algorithm.batch_size)
        told += len(batch)
        algorithm.tell(planted.measure(batch))
    assert told == 80
    assert fits == [40, 50, 60, 70]


def test_counted_objectives_are_looked_up_and_never_learned() -> None:
    planted = Planted(large_space())
    wrong = {"quality": 1.0, "cost": float("nan")}
    problem = Problem(planted.space, BOTH, counted=planted.counted)
    guesses = Guesses(problem, "ridge", {}, 0)
    rows = planted.space.sample_array(40, np.random.default_rng(0))
    guesses.tell([Measurement(tuple(row), wrong) for row in rows.tolist()])
    assert guesses.fit()
    fresh = planted.space.sample_array(30, np.random.default_rng(1))
    costs, deviations = guesses.distributions(fresh)
    assert costs[:, 1] == pytest.approx(planted.counted(fresh)["cost"])
    assert (deviations[:, 1] == 0).all()
    # What was told wrong of a counted objective loses nothing.
    assert len(guesses.measured()[0]) == len(np.unique(rows, axis=0))


def test_what_is_expected_to_break_a_bound_comes_after_all_that_keeps_it() -> None:
    planted = Planted(large_space())
    problem = Problem(planted.space, (COST,), (Constraint("quality", lower=9.0),))
    guesses = Guesses(problem, "ridge", {}, 0)
    rows = planted.space.sample_array(200, np.random.default_rng(0))
    guesses.tell(planted.measure([tuple(row) for row in rows.tolist()]))
    assert guesses.fit()
    fresh = planted.space.sample_array(300, np.random.default_rng(1))
    sound = guesses.sound(fresh)
    costs = guesses.costs(fresh)[:, 0]
    assert 0 < sound.sum() < 300
    assert costs[sound].max() < costs[~sound].min()
    quality = np.array([planted.values(tuple(row))["quality"] for row in fresh.tolist()])
    assert np.mean(sound == (quality >= 9.0)) > 0.9
    assert all(planted.values(tuple(row))["quality"] >= 9.0 for row in guesses.measured()[0].tolist())


def test_an_unknown_predictor_is_one_plain_sentence() -> None:
    with pytest.raises(NotFound, match=r"no predictor called 'ridgy'.*Did you mean 'ridge'"):
        ALGORITHMS.create("linas", {"predictor": "ridgy"}, problem=Problem(small_space(), BOTH), seed=0)


# --- the first sample -----------------------------------------------------------------------------


def prefixes(archs: list[Arch], cut: int) -> list[Arch]:
    return [arch[:cut] for arch in archs]


@pytest.mark.parametrize("n", [7, 22, 52])
def test_the_first_sample_is_the_extremes_and_few_beginnings_with_five_endings(n: int) -> None:
    space = flat_space(12)
    rng = np.random.default_rng(0)
    draws = DistinctDraws(Problem(space, BOTH), rng)
    found = trie_sample(space, draws, n, rng)
    assert len(set(found)) == n
    assert found[:2] == [space.smallest, space.largest]
    beginnings = prefixes(found[2:], 8)
    assert [beginnings.count(b) for b in dict.fromkeys(beginnings)] == [5] * ((n - 2) // 5)
    assert all(arch in draws for arch in found)


def test_a_uniform_first_sample_is_drawn_like_random_search() -> None:
    space = large_space()
    ask = {
        kind: ALGORITHMS.create(
            "linas", {"first_sample": kind, "first": 40}, problem=Problem(space, BOTH), seed=1
        ).ask(40)
        for kind in ("uniform", "trie")
    }
    # Beginnings are told by their depth and first two blocks.
    assert len(set(prefixes(ask["uniform"], 5))) > 30 > 12 > len(set(prefixes(ask["trie"], 5)))


def test_an_earlier_run_is_first_sample_enough() -> None:
    planted = Planted(large_space())
    algorithm = ALGORITHMS.create("linas", {"first": 40}, problem=Problem(planted.space, BOTH), seed=1)
    rows = np.unique(planted.space.sample_array(60, np.random.default_rng(0)), axis=0)[:45]
    algorithm.tell(planted.measure([tuple(row) for row in rows.tolist()]))
    asked = [planted.values(arch) for arch in algorithm.ask(20)]
    told = [planted.values(tuple(row)) for row in rows.tolist()]
    points = np.array([[v["quality"], v["cost"]] for v in [*told, *asked]])
    # What it asks for comes from what it learned: most beats everything it was told.
    assert non_dominated(points, maximize=[True, False])[45:].sum() > 10


def test_new_endings_keep_beginnings_and_stay_canonical() -> None:
    space = large_space()
    rows = space.sample_array(6, np.random.default_rng(0))
    ended = with_endings(space, rows, 4, np.random.default_rng(1))
    assert ended.shape == (24, len(space))
    for row, parent in zip(ended, np.repeat(rows, 4, axis=0), strict=True):
        # Two thirds of the choices that it has, however deep it is.
        has = np.flatnonzero(space.active(parent[None])[0])
        assert (row[has[: round(2 / 3 * len(has))]] == parent[has[: round(2 / 3 * len(has))]]).all()
    assert (space.canonicalize(ended) == ended).all()
    assert len(np.unique(ended, axis=0)) > 20


# --- the inner evolution --------------------------------------------------------------------------


def price(planted: Planted) -> object:
    def costs(rows: Archs) -> np.ndarray:
        values = [planted.values(tuple(row)) for row in rows.tolist()]
        return np.array([[-v["quality"], v["cost"]] for v in values])

    return costs


def test_the_evolution_reaches_the_front_of_what_it_is_given() -> None:
    space = flat_space(7)
    planted = Planted(space)
    costs = price(planted)
    start = space.sample_array(60, np.random.default_rng(0))
    evolved = evolve(space, costs, start=start, population=60, generations=25, rng=np.random.default_rng(1))
    everything = costs(space.array())
    corner = everything.max(axis=0) + 0.1
    share = [
        hypervolume(c, corner, maximize=[False, False]) for c in (evolved.costs[evolved.last], everything)
    ]
    assert share[0] > 0.99 * share[1]
    assert len(evolved.rows) <= 60 * 25
    assert len(np.unique(evolved.rows, axis=0)) == len(evolved.rows)
    assert (space.canonicalize(evolved.rows) == evolved.rows).all()
    assert evolved.costs == pytest.approx(costs(evolved.rows))


def test_the_evolution_looks_at_nothing_that_is_not_allowed() -> None:
    planted = Planted(large_space())
    space = planted.space
    limit = float(np.median(planted.counted(space.sample_array(500, np.random.default_rng(0)))["cost"]))
    seen: list[float] = []

    def costs(rows: Archs) -> np.ndarray:
        seen.extend(planted.counted(rows)["cost"].tolist())
        return -planted.counted(rows)["cost"][:, None]

    def allowed(rows: Archs) -> np.ndarray:
        return np.asarray(planted.counted(rows)["cost"] <= limit)

    start = space.sample_array(40, np.random.default_rng(1))
    evolve(
        space,
        costs,
        start=start,
        population=40,
        generations=20,
        rng=np.random.default_rng(2),
        allowed=allowed,
    )
    assert max(seen) <= limit
    assert max(seen) > 0.98 * limit
    nothing = evolve(
        space,
        costs,
        start=start,
        population=40,
        generations=20,
        rng=np.random.default_rng(2),
        allowed=lambda r: np.zeros(len(r), bool),
    )
    assert len(nothing.rows) == len(nothing.last) == 0


def test_crowding_is_the_papers_within_each_layer() -> None:
    rng = np.random.default_rng(0)
    costs = rng.random((40, 2))
    rank = rng.integers(0, 3, 40)
    found = crowding(costs, rank)
    for layer in range(3):
        here = np.flatnonzero(rank == layer)
        expected = np.zeros(len(here))
        for column in costs.T:
            order = np.argsort(column[here])
            expected[order[[0, -1]]] = np.inf
            for a, b, c in zip(order, order[1:], order[2:], strict=False):
                expected[b] += (column[here][c] - column[here][a]) / np.ptp(column)
        assert found[here] == pytest.approx(expected)


def test_one_objective_and_a_space_of_few_architectures() -> None:
    space = small_space()
    planted = Planted(space)
    evolved = evolve(
        space,
        lambda rows: price(planted)(rows)[:, :1],
        start=space.sample_array(5, np.random.default_rng(0)),
        population=10,
        generations=100,
        rng=np.random.default_rng(1),
    )
    best = min(-planted.values(tuple(row))["quality"] for row in space.array().tolist())
    assert evolved.costs[evolved.last[0], 0] == pytest.approx(best)


def test_objectives_keep_their_order() -> None:
    """A set of them would change columns from one process to the next."""
    planted = Planted(large_space())
    third = Objective("third", "Third", "", True, Source.MEASURED, "")
    guesses = Guesses(Problem(planted.space, (COST, third, QUALITY)), "ridge", {}, 0)
    rows = [tuple(row) for row in planted.space.sample_array(30, np.random.default_rng(0)).tolist()]
    guesses.tell([Measurement(a, {**planted.values(a), "third": 7.0}) for a in rows])
    costs = guesses.measured()[1]
    expected = [[planted.values(a)["cost"], -7.0, -planted.values(a)["quality"]] for a in dict.fromkeys(rows)]
    assert costs == pytest.approx(np.array(expected))
