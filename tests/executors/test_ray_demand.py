"""What waits is shown to the cluster by questions that only nodes not known yet can answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from core.executors import ray_demand
from core.executors.ray_demand import MOST, Demand


class Reference:
    def __init__(self, **options: Any) -> None:
        self.options, self.result, self.cancelled = options, Future[bytes](), False

    def future(self) -> Future[bytes]:
        return self.result


class Cluster:
    """Stands for the module and for the remote function."""

    def __init__(self) -> None:
        self.asked: list[Reference] = []

    def options(self, **options: Any) -> Cluster:
        self._options = options
        return self

    def remote(self) -> Reference:
        self.asked.append(Reference(**self._options))
        return self.asked[-1]

    def cancel(self, reference: Reference) -> None:
        assert not reference.cancelled
        reference.cancelled = True

    @property
    def waiting(self) -> list[Reference]:
        return [each for each in self.asked if not each.cancelled and not each.result.done()]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr(ray_demand.time, "monotonic", lambda: at[0])
    return at


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def demand(cluster: Cluster, now: list[float]) -> Demand:
    made: Demand = Demand(cluster, cluster, lambda number, future: made.heard(number, future))
    return made


def test_as_many_wait_as_there_is_work_for(demand: Demand, cluster: Cluster) -> None:
    for wanted in (3, 5, 2, 0, 1):
        demand.arrange(wanted, ["a"])
        assert len(cluster.waiting) == wanted
    demand.arrange(10**6, ["a"])
    assert len(cluster.waiting) == MOST
    demand.withdraw()
    assert not cluster.waiting


def test_only_a_node_that_is_not_known_can_answer(demand: Demand, cluster: Cluster) -> None:
    demand.arrange(1, [])
    assert cluster.waiting[0].options == {"num_cpus": 1, "label_selector": {}}
    demand.arrange(2, ["b", "a"])
    assert [each.options["label_selector"] for each in cluster.waiting] == [
        {"ray.io/node-id": "!in(a,b)"}
    ] * 2
    before = cluster.waiting
    demand.arrange(2, ["a", "b"])
    assert cluster.waiting == before, "nothing has changed"


def test_after_an_answer_it_waits_for_who_gave_it(demand: Demand, cluster: Cluster, now: list[float]) -> None:
    demand.arrange(3, ["a"])
    cluster.waiting[0].result.set_result(b"")
    assert not cluster.waiting, "the others would come to the same node"
    now[0] += 2
    demand.arrange(3, ["a"])
    assert not cluster.waiting
    now[0] += 2
    demand.arrange(2, ["a", "b"])
    assert len(cluster.waiting) == 2
    cluster.waiting[0].result.set_exception(RuntimeError("nobody ever will"))
    now[0] += 20
    demand.arrange(2, ["a", "b"])
    assert not cluster.waiting, "what cannot be is not asked for at once again"
    now[0] += 20
    demand.arrange(2, ["a", "b"])
    assert len(cluster.waiting) == 2


def test_what_was_withdrawn_is_no_answer(demand: Demand, cluster: Cluster) -> None:
    demand.arrange(2, ["a"])
    old = cluster.waiting
    demand.arrange(2, ["a", "b"])
    old[0].result.set_exception(RuntimeError("cancelled"))
    assert len(cluster.waiting) == 2
