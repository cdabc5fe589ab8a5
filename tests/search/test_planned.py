"""Search planned by marginal cost: what it picks, what it spends, and that it repeats itself."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.costs import CostTable
from core.evaluation.stage_work import CountedWork
from core.search import ALGORITHMS, Problem
from core.search.improvement import Improvement
from core.search.planned import _worthiest
from core.spaces import Archs
from tests.helpers.nets import small_cnn
from tests.helpers.planted import COST, QUALITY, Planted, flat_space

BOTH = (QUALITY, COST)
SPACE = flat_space(12)


class Chain:
    """Every choice is a stage; the first ones take most of the time."""

    def __init__(self, space, memory: int = 0, first: float = 10.0) -> None:
        self.memory = memory
        self._seconds = np.geomspace(first, 1.0, len(space))
        self._numbers: dict[tuple[int, ...], int] = {}

    def prefixes(self, rows: Archs) -> np.ndarray:
        def number(prefix: list[int]) -> int:
            return self._numbers.setdefault(tuple(prefix), len(self._numbers))

        return np.array([[number(row[: i + 1]) for i in range(len(row))] for row in rows.tolist()])

    def seconds(self, rows: Archs) -> np.ndarray:
        return np.tile(self._seconds, (len(rows), 1))

    def bytes(self, rows: Archs) -> np.ndarray:
        return np.ones(rows.shape, np.int64)


def marginal(work: Chain, archs, paid: set[int] = frozenset()) -> float:
    """Seconds of a batch when every distinct prefix is computed once."""
    rows, seen, spent = np.array(archs, np.uint8), set(paid), 0.0
    for ids, seconds in zip(work.prefixes(rows).tolist(), work.seconds(rows), strict=True):
        spent += sum(s for i, s in zip(ids, seconds, strict=True) if i not in seen)
        seen.update(ids)
    return spent


def batches(work, rounds: int = 4, seed: int = 0, **config) -> list[list]:
    planted = Planted(SPACE)
    problem = Problem(SPACE, BOTH, counted=planted.counted, work=work)
    settings = {"batch": 10, "batch_work": 6} | config
    algorithm = ALGORITHMS.create("planned", settings, problem=problem, seed=seed)
    found = []
    for _ in range(rounds):
        found.append(algorithm.ask(algorithm.batch_size))
        algorithm.tell(planted.measure(found[-1]))
    return found


def test_batches_alternate_and_a_picked_one_ends_by_seconds_or_number() -> None:
    work = Chain(SPACE)
    lone = float(work.seconds(SPACE.sample_array(1, np.random.default_rng(0))).sum())
    first, proposed, picked, again = batches(work, first=22, batch=10, batch_work=6)
    assert [len(first), len(proposed), len(again)] == [22, 10, 10]
    # The last one may go over; each takes no more than a lone one.
    assert 5 * lone < marginal(work, picked) < 7.1 * lone
    assert len(picked) > 10
    assert len(batches(work, rounds=3, batch_most=7)[2]) == 7


def test_picks_share_more_than_what_linas_proposes() -> None:
    work = Chain(SPACE)
    per = {True: [], False: []}
    for seed in range(3):
        found = batches(work, rounds=7, seed=seed)
        for at, archs in enumerate(found[1:]):
            per[at % 2 == 1].append(marginal(work, archs) / len(archs))
    assert np.mean(per[True]) < 0.9 * np.mean(per[False])


def test_where_the_end_of_the_chain_takes_the_time_nothing_is_gained_by_sharing() -> None:
    """The same search with stages that cost the other way round picks fewer siblings."""

    def beginnings(work) -> float:
        picked = [archs for seed in range(3) for archs in batches(work, rounds=5, seed=seed)[2::2]]
        return float(np.mean([len({a[:8] for a in archs}) / len(archs) for archs in picked]))

    assert beginnings(Chain(SPACE, first=30.0)) < beginnings(Chain(SPACE, first=1 / 30))


def test_what_is_kept_between_batches_counts_as_paid() -> None:
    kept, forgotten = (batches(Chain(SPACE, memory), rounds=7)[2::2] for memory in (10**6, 0))
    # The same seconds buy more, because beginnings of earlier batches are free.
    assert sum(map(len, kept)) > sum(map(len, forgotten))


def test_without_planning_it_is_linas() -> None:
    settings = {"first": 22, "batch": 10}
    found = batches(Chain(SPACE), planning=False, **settings)
    planted = Planted(SPACE)
    problem = Problem(SPACE, BOTH, counted=planted.counted)
    assert [len(archs) for archs in found] == [22, 10, 10, 10]
    linas = ALGORITHMS.create("linas", settings, problem=problem, seed=0)
    assert [linas.batch_size, len(linas.ask(22))] == [22, 22]


@pytest.mark.parametrize("memory", [0, 1 << 22])
def test_replays_exactly_on_the_work_of_a_supernet(memory: int) -> None:
    net = small_cnn()
    planted = Planted(net.space)
    table = CostTable.of(net)

    def build():
        work = CountedWork(table, memory=memory)
        return ALGORITHMS.create(
            "planned", problem=Problem(net.space, BOTH, counted=planted.counted, work=work), seed=4
        )

    algorithm, log = build(), []
    for _ in range(6):
        size = algorithm.batch_size
        log.append((size, algorithm.ask(size)))
        algorithm.tell(planted.measure(log[-1][1]))
    for cut in range(len(log)):
        resumed = build()
        # Numbers of prefixes depend on what was asked before; what is asked must not.
        resumed.problem.work.prefixes(net.space.sample_array(30, np.random.default_rng(cut)))
        for n, archs in log[:cut]:
            resumed.ask(n)
            resumed.tell(planted.measure(archs))
        for n, archs in log[cut:]:
            assert resumed.ask(n) == archs
            resumed.tell(planted.measure(archs))


def test_results_of_an_earlier_run_are_not_taken_for_kept() -> None:
    work = Chain(SPACE, memory=10**6)
    planted = Planted(SPACE)
    algorithm = ALGORITHMS.create("planned", problem=Problem(SPACE, BOTH, work=work), seed=0)
    algorithm.tell(
        planted.measure([tuple(r) for r in SPACE.sample_array(30, np.random.default_rng(0)).tolist()])
    )
    assert len(algorithm._kept) == 0
    archs = algorithm.ask(5)
    algorithm.tell(planted.measure(archs))
    assert len(algorithm._kept) > 0


def test_looking_at_the_most_promising_alone_picks_what_looking_at_all_would() -> None:
    rng = np.random.default_rng(0)
    front, mean, deviation = (
        rng.uniform(0.3, 1, (9, 2)),
        rng.uniform(0, 1, (200, 2)),
        rng.uniform(0, 0.1, (200, 2)),
    )
    seconds = rng.uniform(0.2, 1, 200)

    def picks(lazily: bool) -> list[int]:
        improvement = Improvement(front, mean, deviation, reference=np.full(2, 1.1), rng=rng)
        hopes, found = improvement.of(np.arange(200)), []
        for _ in range(30):
            if not lazily:
                hopes = np.where(hopes < 0, -1.0, improvement.of(np.arange(200)))
            found.append(_worthiest(hopes, seconds, improvement.of))
            hopes[found[-1]] = -1.0
            improvement.believe(found[-1])
        return found

    assert picks(True) == picks(False)
    assert len(set(picks(True))) == 30


def test_candidates_that_improve_nothing_are_picked_one_by_one_too() -> None:
    hopes, found = np.zeros(60), []
    for _ in range(60):
        found.append(_worthiest(hopes, np.ones(60), lambda some: np.zeros(len(some))))
        hopes[found[-1]] = -1.0
    assert sorted(found) == list(range(60))
    # Old hopes that are gone.
    assert _worthiest(np.ones(60), np.ones(60), lambda some: np.zeros(len(some))) in range(60)
