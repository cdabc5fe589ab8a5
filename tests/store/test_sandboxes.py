"""A student's store: apart from all others, with little room, and known to the home's bookkeeping."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InvalidInput, NotFound, StorageFailed
from core.records import Measurement, RunState
from core.store import RunStore
from core.store.sandboxes import Sandboxes, store_here

A, B = "a" * 32, "b" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'paretoscope.db'}", tmp_path) as opened:
        yield opened


@pytest.fixture
def sandboxes(store: RunStore) -> Iterator[Sandboxes]:
    opened = Sandboxes(store.home)
    yield opened
    opened.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_SANDBOX_MB", "1")


def run_in(store: RunStore, data: bytes = b"file") -> str:
    run_id = store.create_run("train_toy", {"steps": 3}, title="mine", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    ledger.add_measurements(0, [Measurement((0,), {"accuracy": 0.5})])
    ledger.save_artifact("a.bin", data, "application/octet-stream")
    return run_id


def test_each_sees_its_own_and_nothing_else(store: RunStore, sandboxes: Sandboxes) -> None:
    places = [store, sandboxes.open(A), sandboxes.open(B)]
    runs = [run_in(place, f"of {n}".encode()) for n, place in enumerate(places)]
    nets = [place.add_supernet("net", b"weights %d" % n, {}) for n, place in enumerate(places)]
    for n, place in enumerate(places):
        assert [run.run_id for run in place.list_runs()] == [runs[n]]
        assert [net.supernet_id for net in place.list_supernets()] == [nets[n]]
        for other in set(range(3)) - {n}:
            file = place.kept.content
            with pytest.raises(NotFound):
                place.ledger(runs[other])
            with pytest.raises(NotFound):
                place.leases.request_cancel(runs[other])
            with pytest.raises(NotFound):
                place.delete_run(runs[other])
            with pytest.raises(NotFound):
                place.titles.rename_run(runs[other], "taken")
            with pytest.raises(NotFound):
                place.delete_supernet(nets[other])
            with pytest.raises(Exception, match="missing"):
                file(hashlib.sha256(f"of {other}".encode()).hexdigest())
    assert [place.get_run(run).title for place, run in zip(places, runs, strict=True)] == ["mine"] * 3


def test_it_is_opened_once_and_only_by_an_id(store: RunStore, sandboxes: Sandboxes) -> None:
    assert sandboxes.open(A) is sandboxes.open(A)
    assert sandboxes.find(B) is None
    assert sandboxes.ids() == [A]
    for name in ("", "../main", "A" * 32, "a" * 31, "a" * 31 + "\n"):
        with pytest.raises(InvalidInput):
            sandboxes.open(name)
    assert oct((store.home / "sandboxes" / A).stat().st_mode)[-3:] == "700"


def test_many_stay_usable_after_their_connections_were_closed(
    store: RunStore, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.sandboxes._MOST_OPEN", 2)
    first = sandboxes.open(A)
    for name in "bc":
        sandboxes.open(name * 32)
    run_id = run_in(first)
    assert sandboxes.open(A).get_run(run_id).title == "mine"


@pytest.mark.usefixtures("small")
def test_a_full_one_says_what_to_do_and_loses_nothing(store: RunStore, sandboxes: Sandboxes) -> None:
    own = sandboxes.open(A)
    run_id = run_in(own, os.urandom(600_000))
    ledger = own.ledger(run_id)
    with pytest.raises(StorageFailed, match="delete runs you no longer need on the Runs page"):
        ledger.checkpoint(os.urandom(600_000), fraction=0.5)
    with pytest.raises(StorageFailed, match="is left of your 1 MB in this class"):
        own.add_supernet("net", os.urandom(600_000), {})
    left = 1_000_000 - own.room.used() - 1
    ledger.save_artifact("b.bin", os.urandom(left), "application/octet-stream")
    with pytest.raises(StorageFailed, match="is left"):
        ledger.save_artifact("c.bin", b"xx", "application/octet-stream")
    own.append_log(run_id, *["a line that fills a page"] * 400)  # a log is never refused
    with pytest.raises(StorageFailed, match="is left"):
        own.create_run("train_toy", {}, title="one more")
    with pytest.raises(StorageFailed, match="is left"):
        ledger.add_measurements(1, [Measurement((1,), {"accuracy": 0.5})])
    assert ledger.save_artifact("same.bin", ledger.artifact("a.bin"), "")  # it is there already
    assert (own.check(), len(ledger.artifacts()), own.count_measurements(run_id)) == ([], 3, 1)
    sandboxes.open(B).add_supernet("net", os.urandom(600_000), {})  # another has room
    own.set_state(run_id, RunState.DONE)
    own.delete_run(run_id)
    assert own.create_run("train_toy", {}, title="one more")


def test_the_trash_holds_what_was_removed_until_it_is_emptied(store: RunStore, sandboxes: Sandboxes) -> None:
    own = sandboxes.open(A)
    run_id = run_in(own)
    place = sandboxes.put_away(A)
    assert place == store.home / "trash" / time.strftime("%Y-%m-%d") / f"sandbox-{A}"
    assert sandboxes.ids() == []
    assert sandboxes.put_away(A) is None
    place.rename(store.home / "sandboxes" / A)  # by hand
    assert sandboxes.open(A).get_run(run_id).title == "mine"
    sandboxes.put_away(A)
    sandboxes.open(A)  # the same id once more, and away again
    sandboxes.put_away(A)
    assert len(list(place.parent.iterdir())) == 2
    n_files, n_bytes = store.empty_trash(0)
    assert sandboxes.empty_trash(0) == (0, 0)
    assert n_files > 2
    assert n_bytes > 1000
    assert not place.parent.exists()


def test_the_home_knows_the_folder(store: RunStore, sandboxes: Sandboxes) -> None:
    own = sandboxes.open(A)
    run_id = run_in(own)
    [part] = [part for part in store.storage() if part.name == "sandboxes of classes"]
    assert part.files >= 3
    assert store.check() == sandboxes.check() == []
    assert sandboxes.used_bytes(A) == own.room.used() > 1000
    assert sandboxes.used_bytes(B) == 0
    store.sweep()
    own.sweep()
    assert own.ledger(run_id).artifact("a.bin") == b"file"
    [blob] = [path for path in (own.home / "blobs").iterdir() if path.read_bytes() == b"file"]
    blob.write_bytes(b"filf")
    [said] = sandboxes.check()
    assert said.startswith(f"Sandbox {A}: a.bin of run {run_id} is damaged")


def test_an_upload_that_only_a_student_names_is_kept(store: RunStore, sandboxes: Sandboxes) -> None:
    folder = store.home / "datasets" / "uploads"
    folder.mkdir(parents=True)
    named, unnamed = (hashlib.sha256(name).hexdigest() for name in (b"a", b"b"))
    for name in (named, unnamed):
        (folder / f"{name}.bin").write_bytes(b"picture")
        os.utime(folder / f"{name}.bin", (0, 0))
    sandboxes.open(A).create_run("train_toy", {"upload": named}, title="mine")
    assert store.sweep() == 1
    assert [path.name for path in folder.iterdir()] == [f"{named}.bin"]


@pytest.mark.usefixtures("small")
def test_uploads_that_a_students_runs_name_take_the_students_room(
    store: RunStore, sandboxes: Sandboxes
) -> None:
    folder = store.home / "datasets" / "uploads"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name * 64}.bin").write_bytes(os.urandom(500_000))
    own = sandboxes.open(A)
    own.create_run("train_toy", {"data": {"upload": "a" * 64}}, title="half of the room")
    with pytest.raises(StorageFailed, match="is left"):
        own.create_run("train_toy", {"data": {"upload": "b" * 64}}, title="the other half and more")
    assert own.create_run("train_toy", {"data": {"upload": "a" * 64}}, title="the same images")


def test_a_server_finds_what_is_unfinished_without_opening_all(store: RunStore, sandboxes: Sandboxes) -> None:
    for name, state in ((A, RunState.INTERRUPTED), (B, RunState.DONE)):
        own = sandboxes.open(name)
        own.set_state(run_in(own), state)
    (store.home / "sandboxes" / ("c" * 32)).mkdir()
    damaged = store.home / "sandboxes" / ("d" * 32)
    damaged.mkdir()
    (damaged / "paretoscope.db").write_bytes(b"no database")
    fresh = Sandboxes(store.home)
    assert fresh.unfinished() == [A]
    assert fresh._open == {}
    assert not fresh.in_use(60)
    assert [said for said in fresh.check() if "d" * 32 in said]


def test_a_worker_opens_the_store_its_environment_names(
    store: RunStore, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_in(sandboxes.open(A))
    for place, expected in ((sandboxes.open(A), [run_id]), (store, [])):
        for name in ("PARETOSCOPE_SANDBOX", "PARETOSCOPE_HOME", "PARETOSCOPE_DATABASE_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in place.environment().items():
            monkeypatch.setenv(name, value)
        with store_here() as opened:
            assert [run.run_id for run in opened.list_runs()] == expected
        assert os.environ["PARETOSCOPE_HOME"] == str(store.home)  # for its data sets
