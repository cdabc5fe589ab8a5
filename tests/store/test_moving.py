"""Files to another place and back: copied, compared there, and only then put away here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DataUnavailable, InvalidInput, StorageFailed
from core.library.uploaded import keep_file, kept_file
from core.records import RunState
from core.store import RunStore
from tests.helpers.s3_server import SmallS3, small_s3

pytest.importorskip("obstore")
FAR = "s3://files/lab"


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with small_s3() as server:
        yield server


def opened(home: Path, url: str = "") -> RunStore:
    return RunStore(f"sqlite:///{home / 'p.db'}", home, url)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs, a supernet, a removed table, an upload, and a file that no row names yet."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    with opened(tmp_path / "home") as store:
        upload = keep_file(b"handed over")
        ledger = store.ledger(
            store.create_run("train_x", {"upload": upload}, title="t", state=RunState.RUNNING)
        )
        for at in range(2):
            ledger.checkpoint(b"state %d" % at, fraction=0.5)
        store.set_state(ledger.run_id, RunState.DONE)
        store.add_supernet("mine", b"weights" * 1000, {})
        table = store.tables.add("t", b"columns", about="{}", columns_key="k", source_sha256="s")
        store.tables.remove(table)
        store._blobs.put(b"of a run that is about to name it")
    return tmp_path / "home"


def everything(store: RunStore) -> tuple[object, ...]:
    [run] = store.list_runs()
    [mine] = store.list_supernets()
    return (
        store.ledger(run.run_id).latest_checkpoint(),
        store.supernet_path(mine.supernet_id).read_bytes(),
        store.check(),
    )


WHOLE = (b"state 1", b"weights" * 1000, [])


def kept_in(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_to_an_object_store_and_back(
    home: Path, tmp_path: Path, s3: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    with opened(home) as store:
        before = kept_in(home / "blobs")
        moved = store.move_files(FAR, put_away=True, report=lambda *seen: told.append(seen))
        assert (moved.place, moved.copied, moved.there, moved.put_away, moved.missing) == (FAR, 5, 0, 5, ())
        assert told[-1] == (5, 5)
        assert kept_in(home / "blobs") == set()
        assert kept_in(home / "trash") >= before
    (home / "trash").rename(tmp_path / "trash")  # another machine has none of it
    (home / "datasets").rename(tmp_path / "datasets")
    with opened(home, FAR) as store:
        assert everything(store) == WHOLE
        [run] = store.list_runs()
        assert kept_file(str(run.params["upload"])) == b"handed over"
        [table] = (
            store.tables._database.engine.connect()
            .exec_driver_sql("SELECT table_id FROM imported_tables")
            .scalars()
        )
        store.tables.restore(table)
        assert store.tables.content(store.tables.get(table)) == b"columns"
        (home / "datasets" / "uploads" / f"{run.params['upload']}.bin").unlink()
        again = store.move_files("", put_away=True)
        assert (again.copied, again.there, again.missing) == (5, 0, ())
        assert store._blobs.names() == set()
        assert len(store._blobs.thrown()) == 5
    s3.close()
    with opened(home) as store:
        assert everything(store) == WHOLE
        assert kept_file(str(run.params["upload"])) == b"handed over"


def test_after_the_setting_is_changed_the_rest_can_still_be_moved(home: Path, s3: SmallS3) -> None:
    with opened(home, FAR) as store:
        assert len(store.check()) == 3, "they lie in the home alone"
        assert everything(store)[:2] == WHOLE[:2]
        moved = store.move_files(FAR)
        assert (moved.copied, moved.put_away) == (5, 0)
        assert everything(store) == WHOLE
        assert store.move_files(FAR, put_away=True).there == 5
    with opened(home, FAR) as store:
        assert (everything(store), kept_in(home / "blobs")) == (WHOLE, set())


@pytest.mark.parametrize("at", range(5))
def test_cut_off_anywhere_nothing_is_put_away_and_it_goes_on(
    home: Path, s3: SmallS3, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.moving._AT_ONCE", 1)
    monkeypatch.setattr("core.store.objects.PAUSES", ())
    stored = lambda: sum("/blobs/" in name for name in s3.objects)  # noqa: E731
    s3.fault = lambda method, key: 403 if method == "PUT" and "/blobs/" in key and stored() == at else None
    with opened(home) as store:
        before = kept_in(home / "blobs")
        with pytest.raises(StorageFailed, match="refuses"):
            store.move_files(FAR, put_away=True)
        assert kept_in(home / "blobs") >= before
        assert everything(store) == WHOLE
        s3.fault = lambda method, key: None
        moved = store.move_files(FAR, put_away=True)
        assert (moved.there, moved.copied, moved.put_away) == (at, 5 - at, 5)
    with opened(home, FAR) as store:
        assert everything(store) == WHOLE


@pytest.mark.parametrize("fault", ["other", "half"])
def test_nothing_is_put_away_that_is_not_whole_at_the_other_place(
    home: Path, s3: SmallS3, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.store.object_blobs._SHOWN_AGAIN", 0)  # sizes are believed, as of large files
    s3.fault = lambda method, key: fault if method == "GET" and "/blobs/" in key else None
    with opened(home) as store:
        before = kept_in(home / "blobs")
        with pytest.raises((StorageFailed, DataUnavailable)):
            store.move_files(FAR, put_away=True)
        assert kept_in(home / "blobs") >= before


def test_what_is_damaged_here_is_said_and_the_rest_stays_here_too(home: Path, s3: SmallS3) -> None:
    victim = next(path for path in (home / "blobs").iterdir() if path.read_bytes() == b"state 1")
    victim.write_bytes(b"changed")
    with opened(home) as store:
        before = kept_in(home / "blobs")
        moved = store.move_files(FAR, put_away=True)
        assert (len(moved.missing), moved.put_away, moved.copied) == (1, 0, 4)
        assert kept_in(home / "blobs") >= before
    with opened(home, FAR) as store:
        [run] = store.list_runs()
        assert store.ledger(run.run_id).latest_checkpoint() == b"state 0"


def test_while_something_runs_files_are_copied_and_stay(home: Path, s3: SmallS3) -> None:
    with opened(home) as store:
        run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        with pytest.raises(InvalidInput, match="wait or run"):
            store.move_files(FAR, put_away=True)
        assert not any("/blobs/" in name for name in s3.objects)
        assert store.move_files(FAR).copied == 5
        begins = iter([True])

        def begin_meanwhile(done: int, total: int) -> None:
            if next(begins, False):
                store.create_run("train_x", {}, title="new", state=RunState.RUNNING)

        store.set_state(run_id, RunState.DONE)
        before = kept_in(home / "blobs")
        with pytest.raises(InvalidInput, match="wait or run"):
            store.move_files(FAR, put_away=True, report=begin_meanwhile)
        assert kept_in(home / "blobs") >= before


def test_what_is_saved_while_files_are_moved_stays(home: Path, s3: SmallS3) -> None:
    with opened(home) as store:

        def saved_meanwhile(done: int, total: int) -> None:
            if done == total:
                store._blobs.put(b"saved at the last moment")

        store.move_files(FAR, put_away=True, report=saved_meanwhile)
        assert kept_in(home / "blobs") == {b"saved at the last moment"}


def test_there_already_is_said(home: Path) -> None:
    with opened(home) as store, pytest.raises(InvalidInput, match="already"):
        store.move_files("")
