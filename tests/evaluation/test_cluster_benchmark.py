"""The clusters that benchmarks/cluster.py plays, where their times can be told by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.cluster_simulation import Costs, Nodes, Played, play, search_at_once
from core.records import Measurement
from core.search import SearchAlgorithm
from core.spaces import Arch

EVEN = Nodes(cores=1, spread=0.0)


def costs(
    overhead: float = 0.0, per_shard: float = 0.0, per_result: float = 0.0, ratio: float = 1.0
) -> Costs:
    return Costs(np.array([overhead]), per_shard, per_result, np.array([ratio]), ratio)


def played(
    shards: Sequence[float], cores: int, measured: Costs, whole: float = 0.0, cutting: float = 0.0
) -> Played:
    return play(
        shards,
        [1] * len(shards),
        whole or sum(shards),
        cores,
        measured,
        there=[cutting] * len(shards),
        nodes=EVEN,
        rng=np.random.default_rng(0),
    )


def test_even_shards_on_a_cluster_that_costs_nothing_are_as_many_times_faster() -> None:
    found = played([1.0] * 12, 4, costs(ratio=0.5))
    assert found.seconds == pytest.approx(1.5)
    assert found.efficiency == pytest.approx(1)


def test_what_is_lost_is_lost_and_named() -> None:
    found = played([1.0] * 12, 4, costs(overhead=0.5), whole=8.0, cutting=1.5)
    assert found.seconds == pytest.approx(1.5 + 3 * 1.5)
    assert found.efficiency == pytest.approx(8 / (4 * 6))
    assert found.shares["waiting for the driver and its cuts"] == pytest.approx(1.5 / 6)
    assert found.shares["done twice"] == pytest.approx(4 / 24)
    assert found.shares["between shards"] == pytest.approx(6 / 24)
    assert found.efficiency + sum(found.shares.values()) == pytest.approx(1)
    # Three cores do nothing while one does the last.
    assert played([1.0] * 5, 4, costs()).seconds == pytest.approx(2)


def test_a_driver_serves_one_after_the_other() -> None:
    # Each of 100 cores asks once a second; the driver needs 0.02 s for each: half of them wait.
    found = played([1.0] * 1000, 100, costs(per_shard=0.02))
    assert found.seconds == pytest.approx(1000 * 0.02 + 1, rel=0.1)
    assert found.shares["waiting for the driver and its cuts"] > 0.3
    assert played([1.0], 1, costs(per_result=0.25)).seconds == pytest.approx(1.25)


def test_nodes_differ_as_much_as_is_said_and_their_cores_do_not() -> None:
    speeds = Nodes(cores=8, spread=0.2).speeds(4000, np.random.default_rng(0))
    assert speeds.mean() == pytest.approx(1)
    assert speeds.std() == pytest.approx(0.2, rel=0.2)
    assert (speeds.reshape(-1, 8) == speeds[::8, None]).all()


class InOrder(SearchAlgorithm):
    """Asks for one architecture after the other, and remembers how many answers it had."""

    def __init__(self) -> None:
        self.asked, self.told = 0, 0
        self.knew: list[int] = []

    def ask(self, n: int) -> list[Arch]:
        self.knew += [self.told] * n
        self.asked += n
        return [(at,) for at in range(self.asked - n, self.asked)]

    def tell(self, measurements: Sequence[Measurement]) -> None:
        self.told += len(measurements)


@pytest.mark.parametrize(("barrier", "seconds", "use"), [(4, 12.0, 0.5), (0, 7.0, 24 / 28)])
def test_who_waits_for_the_slowest_waits(barrier: int, seconds: float, use: float) -> None:
    # Every fourth takes 3 s, the others 1 s: 24 s of work in all for 4 workers.
    took = iter([3.0, 1.0, 1.0, 1.0] * 4)
    algorithm = InOrder()
    found = search_at_once(
        algorithm,
        lambda archs: [Measurement(arch, {}) for arch in archs],
        lambda: next(took),
        workers=4,
        budget=16,
        barrier=barrier,
    )
    assert len({m.arch for m in found.found}) == len(found.found) == 16
    assert found.seconds == pytest.approx(seconds)
    assert found.use == pytest.approx(use)
    assert algorithm.knew[4] == (4 if barrier else 1)
