"""Searches and trainings on two Ray nodes, a worker killed in the middle of each: bit for bit what one process does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from core.library import supernets
from core.library.library import Library
from core.library.search_in_flight import began_in_flight
from core.library.supernets import SupernetEntry
from core.store import MemoryLedger
from core.workflows import compare_trainings, search_front, train_alone
from tests.cluster.ray_nodes import RayCluster
from tests.helpers.elsewhere import advance, digest
from tests.workflows.test_compare_trainings import request as compared
from tests.workflows.test_compare_trainings import same

pytestmark = pytest.mark.cluster
SEARCH: dict[str, Any] = {"use_table": False, "budget": 24, "config": {"population": 8}}


@pytest.fixture(autouse=True)
def found(digits_entry: SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)


def alone(workflow: Any, **asked: Any) -> MemoryLedger:
    """The same in this process, without the cluster."""
    ledger = MemoryLedger()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARETOSCOPE_RAY_ADDRESS", raising=False)
        list(workflow.run(workflow.Request(supernet="small", **asked), ledger, Library()))
    return ledger


def kill_a_worker(cluster: RayCluster) -> None:
    """SIGKILL to one that performs a call, which takes long enough to be seen."""
    end = time.monotonic() + 60
    while True:
        every = [process for node in cluster.alive() for process in node.processes()]
        if busy := [pid for pid, said in every if said.startswith("ray::perform")]:
            os.kill(busy[0], signal.SIGKILL)
            return
        assert time.monotonic() < end, "nobody computes"
        time.sleep(0.05)


@contextmanager
def whose_call_is_lost(cluster: RayCluster) -> Iterator[None]:
    """A node that performs what it is given no further, and is lost in the end.

    It is stopped, then killed: calls of milliseconds are over before anybody could kill who performs them.
    """
    (node,) = [node for node in cluster.alive() if node is not cluster.head]
    for pid, _ in node.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        node.kill()


@pytest.mark.long
def test_batches_of_a_search_come_to_the_same(
    cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = alone(search_front, **SEARCH)
    ledger = MemoryLedger()
    request = search_front.Request(supernet="small", in_flight=1, **SEARCH)
    steps = search_front.run(request, ledger, Library())
    advance(steps, lambda: len(ledger.measurements()) >= 8)
    with whose_call_is_lost(cluster):
        # The next batch is on its way, and waits for one.
        waited = len(ledger.measurements())
        for _ in range(3):
            next(steps)
        assert len(ledger.measurements()) == waited
    list(steps)
    assert "is started again" in capsys.readouterr().err
    assert not began_in_flight(ledger)
    # The request says how many were on their way; what was found does not.
    assert digest(ledger) == digest(expected)


def assert_each_measured_once(ledger: MemoryLedger) -> None:
    measured = ledger.measurements()
    assert len({m.arch for _, m in measured}) == len(measured) == 24
    assert {row["in_flight"] for row in ledger.metrics()} >= {1}
    every = {**SEARCH, "algorithm": "exhaustive", "config": {}, "budget": 10**6}
    truth = {m.arch: m.values for _, m in alone(search_front, **every).measurements()}
    assert all(m.values == truth[m.arch] for _, m in measured)


def test_a_search_on_a_cluster_asks_while_answers_are_on_their_way(
    cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = MemoryLedger()
    steps = search_front.run(search_front.Request(supernet="small", **SEARCH), ledger, Library())
    advance(steps, lambda: len(ledger.measurements()) >= 6)
    with whose_call_is_lost(cluster):
        # One answer may have been given before; all others come from elsewhere while that one is late.
        advance(steps, lambda: len(ledger.measurements()) >= 10)
    list(steps)
    assert "is started again" in capsys.readouterr().err
    assert_each_measured_once(ledger)


def test_a_search_that_left_a_cluster_goes_on_without_it(cluster: RayCluster) -> None:
    ledger = MemoryLedger()
    steps = search_front.run(search_front.Request(supernet="small", **SEARCH), ledger, Library())
    advance(steps, lambda: len(ledger.measurements()) >= 6)
    started = time.monotonic()
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 2
    kept = ledger.measurements()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARETOSCOPE_RAY_ADDRESS")
        # Elsewhere, in one process: it goes on from the record, and asked again it asks for what the record has.
        here = search_front.Request(supernet="small", in_flight=2, **SEARCH)
        list(search_front.run(here, ledger, Library()))
        before = digest(ledger)
        list(search_front.run(here, ledger, Library()))
    assert digest(ledger) == before
    assert ledger.measurements()[: len(kept)] == kept
    assert len(kept) < 24
    assert_each_measured_once(ledger)


def test_three_trainings_go_on_from_their_checkpoints(
    cluster: RayCluster, digits_entry: SupernetEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    space = digits_entry.space
    asked = {"arch": space.arch_id(space.smallest), "seeds": 3, "epochs": 16}
    expected = alone(train_alone, **asked)
    ledger = MemoryLedger()
    steps = train_alone.run(train_alone.Request(supernet="small", **asked), ledger, Library())
    advance(steps, lambda: len(ledger.metrics()) >= 6)
    assert len(ledger.metrics()) < 42
    before = {row["step"]: row for row in ledger.metrics()}
    kill_a_worker(cluster)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert "is started again" in capsys.readouterr().err
    assert digest(ledger) == digest(expected)
    # An epoch that was trained twice would have taken another time.
    after = {row["step"]: row for row in ledger.metrics()}
    assert {step: after[step] for step in before} == before


def test_a_comparison_of_trainings_comes_to_the_same(cluster: RayCluster) -> None:
    asked = compared(seeds=1)
    here, ledger = MemoryLedger(), MemoryLedger()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARETOSCOPE_RAY_ADDRESS", raising=False)
        list(compare_trainings.run(asked, here, Library()))
    messages = [step.message for step in compare_trainings.run(asked, ledger, Library())]
    assert any("left in 2 places" in message for message in messages)
    same(ledger, here)
