"""The head dies in the middle of a run: it stops with a sentence, and goes on from its record on another cluster."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.cli.driving import open_store, resume_run, run_workflow
from core.config import JsonObject
from core.errors import CoreError
from core.evaluation import spread_walk
from core.ledger import Ledger
from core.library import supernets
from core.library.library import Library
from core.library.supernets import BITS_FILE, TABLE_FILE, SupernetEntry
from core.records import RunState
from core.store import MemoryLedger, RunStore
from core.workflows import evaluate_table, train_alone
from tests.cluster.ray_nodes import RayCluster, ray_cluster
from tests.cluster.test_ray_faults import kill_head
from tests.helpers.elsewhere import digest

pytestmark = [pytest.mark.cluster, pytest.mark.long]

SAID = r"^The (head of|connection to) the Ray cluster has .*What was measured is kept: resume the run to go on\.$"


@pytest.fixture
def doomed(own_network: None) -> Iterator[RayCluster]:
    """Two nodes whose head may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    try:
        with ray_cluster(folder, 2, port=6400) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The record of the runs."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    with open_store() as opened:
        yield opened


def on(cluster: RayCluster, patch: pytest.MonkeyPatch) -> None:
    """From now on this process uses another cluster."""
    for name, value in cluster.environment.items():
        if name.startswith("RAY_"):
            patch.setenv(name, value)
    patch.setenv("PARETOSCOPE_RAY_ADDRESS", cluster.address)


@contextmanager
def once(happened: Callable[[], bool], act: Callable[[], None]) -> Iterator[list[float]]:
    """Act beside what is done meanwhile, once something has happened; when that was."""
    at: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not happened():
            if over.wait(0.05):
                return
        act()
        at.append(time.monotonic())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield at
    finally:
        over.set()
        watching.join()


def interrupted(
    kind: str, params: JsonObject, store: RunStore, happened: Callable[[], bool], act: Callable[[], None]
) -> str:
    """Start a run, act in the middle of it, and see it stop with the sentence; the run's id."""
    with once(happened, act) as acted, pytest.raises(CoreError, match=SAID) as error:
        run_workflow(kind, params, title="a run")
    assert time.monotonic() - acted[0] < 20, "it was noticed late"
    (run,) = store.list_runs()
    assert (run.state, run.message) == (RunState.FAILED, str(error.value))
    assert 0 < run.fraction < 1
    return run.run_id


def alone(workflow: Any, **asked: Any) -> MemoryLedger:
    """The same by one process, which knows of no cluster."""
    ledger = MemoryLedger()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARETOSCOPE_RAY_ADDRESS", raising=False)
        list(workflow.run(workflow.Request(**asked), ledger, Library()))
    return ledger


def test_a_space_goes_on_where_it_was(
    doomed: RayCluster, cluster: RayCluster, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: JsonObject = {"supernet": "digits-cnn"}
    expected = alone(evaluate_table, **asked)
    attempts: list[Counter[tuple[int, ...]]] = []
    walk_on = spread_walk.walk_on

    def counted(executor: Any, supernet: Any, rows: Any, *rest: Any, **more: Any) -> Iterator[Any]:
        came: Counter[tuple[int, ...]] = Counter()
        attempts.append(came)
        for indices, values in walk_on(executor, supernet, rows, *rest, **more):
            came.update(map(tuple, rows[indices].tolist()))
            yield indices, values

    monkeypatch.setattr(spread_walk, "walk_on", counted)
    on(doomed, monkeypatch)
    size = supernets.find(None, "digits-cnn").space.size
    run_id = interrupted(
        "evaluate_table",
        asked,
        store,
        lambda: bool(attempts) and attempts[0].total() > size // 4,
        doomed.head.kill,
    )
    came_before = attempts[0]
    assert size // 4 < came_before.total() < size
    on(cluster, monkeypatch)
    ledger: Ledger = resume_run(store, run_id)
    before, after = attempts
    assert before == came_before
    assert (before + after).total() == len(before + after) == size, (
        "something was measured twice, or not at all"
    )
    assert store.get_run(run_id).state is RunState.DONE
    for name in (TABLE_FILE, BITS_FILE):
        assert ledger.artifact(name) == expected.artifact(name), f"{name} is another"


def test_trainings_go_on_from_their_checkpoints(
    doomed: RayCluster,
    cluster: RayCluster,
    store: RunStore,
    digits_entry: SupernetEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)
    space = digits_entry.space
    asked: JsonObject = {
        "supernet": "small",
        "arch": space.arch_id(space.smallest),
        "seeds": 3,
        "epochs": 24,
    }
    expected = alone(train_alone, **asked)

    def epochs() -> list[Any]:
        return [row for run in store.list_runs() for row in store.ledger(run.run_id).metrics()]

    on(doomed, monkeypatch)
    run_id = interrupted("train_alone", asked, store, lambda: len(epochs()) >= 8, lambda: kill_head(doomed))
    before = {row["step"]: row for row in epochs()}
    assert 8 <= len(before) < len(expected.metrics())
    on(cluster, monkeypatch)
    ledger = resume_run(store, run_id)
    assert digest(ledger) == digest(expected)
    # An epoch that was trained twice would have taken another time.
    after = {row["step"]: row for row in epochs()}
    assert {step: after[step] for step in before} == before
    assert len(after) == len(expected.metrics())
