"""A home in one file: the same elsewhere, taken while it is in use, and nothing that a damaged one could do."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.cli.main import app
from core.errors import CoreError, InvalidInput, StorageFailed
from core.records import Measurement, RunState
from core.store import RunStore
from core.store.backup import UPLOADED, Backup, back_up, put_back
from core.store.blobs import BlobStore
from core.store.copying import copy_in
from core.store.sandboxes import Sandboxes
from core.store.schema import Base, IdentityRow, ServerRow
from core.store.servers import PAGES
from core.store.signing import Owner
from core.store.storage import UPLOADS
from core.training.loop import train
from tests.reliability.kill_harness import fingerprint
from tests.store.databases import DATABASES, open_store
from tests.training.small import digits, fresh_net, settings

ON_DISK = [each for each in DATABASES if each != "memory_database"]


def url(home: Path) -> str:
    return f"sqlite:///{home / 'p.db'}"


def restored(file: Path, where: str, home: Path) -> Backup:
    with RunStore(where, home) as store:
        return put_back(store, file)


def fill(store: RunStore, number: int = 0) -> None:
    """A bit of everything."""
    run_id = store.create_run("train_x", {"epochs": 10 + number}, title="Ünïcode", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    for step in range(3):
        archs = [(step, i, number) for i in range(700)]
        ledger.add_measurements(step, [Measurement(a, {"accuracy": sum(a) / 1e3}) for a in archs])
        ledger.log_metrics(step, {"loss": 0.5 / (step + 1)})
        ledger.checkpoint(f"{number} {step}".encode() * 99, fraction=0.1)
    ledger.save_artifact("weights", f"w{number}".encode(), "application/octet-stream")
    store.append_log(run_id, "one", "two")
    store.create_run("search_x", {}, title="waits")
    store.set_state(store.create_run("search_x", {}, title="done"), RunState.DONE)
    store.add_supernet("mine", f"supernet {number}".encode(), {"family": "elastic_cnn"})
    store.baskets.add(store.baskets.create("To compare"), "net:1", "One")
    store.classes.create()


def rows(store: RunStore) -> dict[str, list[Any]]:
    """All of a store's tables; of runs that were at work, what stays."""
    moved = {"state", "message", "eta_seconds", "begun"}
    found = {}
    with store._database.read() as connection:
        for table in Base.metadata.sorted_tables:
            if table not in (IdentityRow.__table__, ServerRow.__table__):
                columns = [c for c in table.columns if table.name != "runs" or c.name not in moved]
                found[table.name] = sorted(map(tuple, connection.execute(select(*columns))), key=repr)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    with RunStore(url(folder), folder) as store:
        fill(store)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("source", ON_DISK)
@pytest.mark.parametrize("target", ON_DISK)
def test_it_is_the_same_elsewhere(source: str, target: str, tmp_path: Path) -> None:
    if source == target == "postgres":
        pytest.skip("There is one Postgres here.")
    with open_store(source, tmp_path / "a") as store:
        fill(store)
        made = back_up(store, tmp_path / "b.tar")
        assert made.missing == ()
        before, files = rows(store), store._blobs.names()
    with open_store(target, tmp_path / "c") as empty:
        where = empty.url
    held = restored(tmp_path / "b.tar", where, tmp_path / "c")
    assert held.files == made.files == len(files)
    with RunStore(where, tmp_path / "c") as store:
        assert store.check() == []
        assert rows(store) == before
        assert {run.state for run in store.list_runs()} == {RunState.INTERRUPTED, RunState.DONE}
        # New rows are numbered after those that came back.
        store.create_run("train_x", {}, title="new")
        assert store.list_runs()[0].title == "new"
        assert store.check() == []


@pytest.mark.slow
def test_what_a_killed_training_had_goes_on_from_the_backup_to_the_same_end(tmp_path: Path) -> None:
    data, config = digits(), settings(epochs=4)
    with RunStore(url(tmp_path / "a"), tmp_path / "a") as store:
        run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        work = train(fresh_net(), data, config, store.ledger(run_id))
        while True:
            next(work)
            if len(store.ledger(run_id).metrics()) == 2:
                break
        back_up(store, tmp_path / "b.tar")
        for _ in work:
            pass
        uninterrupted = fingerprint(store.ledger(run_id))
    restored(tmp_path / "b.tar", url(tmp_path / "c"), tmp_path / "c")
    with RunStore(url(tmp_path / "c"), tmp_path / "c") as store:
        assert store.check() == []
        ledger = store.ledger(run_id)
        assert store.get_run(run_id).state is RunState.INTERRUPTED
        assert len(ledger.metrics()) == 2
        assert fingerprint(ledger) != uninterrupted
        for _ in train(fresh_net(), data, config, ledger):
            pass
        assert fingerprint(ledger) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("database", ON_DISK)
def test_whoever_writes_goes_on_and_every_backup_is_whole(database: str, tmp_path: Path) -> None:
    """Checkpoints replace each other as fast as they can: without one moment for rows and files, some would be gone."""
    with open_store(database, tmp_path / "a") as store:
        run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        ledger, stop, written = store.ledger(run_id), threading.Event(), [0]

        def work() -> None:
            while not stop.is_set():
                written[0] += 1
                ledger.checkpoint(uuid.uuid4().bytes * 50, fraction=0.5)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for number in range(6):
                before = written[0]
                assert back_up(store, tmp_path / f"{number}.tar").missing == ()
                while written[0] < before + 3:
                    stop.wait(0.01)
        finally:
            stop.set()
            worker.join()
    for number in range(6):
        place = tmp_path / f"restored{number}"
        restored(tmp_path / f"{number}.tar", url(place), place)
        with RunStore(url(place), place) as store:
            assert store.check() == []
            assert store.ledger(run_id).latest_checkpoint() is not None


def test_sandboxes_and_uploads_come_along(home: Path, tmp_path: Path) -> None:
    uploaded = home / UPLOADS / f"{'a' * 64}.zip"
    uploaded.parent.mkdir(parents=True)
    data = b"pictures"
    import hashlib

    uploaded = uploaded.with_name(f"{hashlib.sha256(data).hexdigest()}.zip")
    uploaded.write_bytes(data)
    (uploaded.parent / ".tmp-half").write_bytes(b"half")
    sandbox_id = uuid.uuid4().hex
    fill(Sandboxes(home).open(sandbox_id), 1)
    with RunStore(url(home), home) as store:
        back_up(store, tmp_path / "b.tar")
    there = tmp_path / "c"
    restored(tmp_path / "b.tar", url(there), there)
    assert [f.read_bytes() for f in (there / UPLOADS).iterdir()] == [data]
    found = Sandboxes(there).find(sandbox_id)
    assert found is not None
    assert rows(found) == rows(Sandboxes(home).open(sandbox_id))
    assert Sandboxes(there).check() == []


def test_servers_are_no_part_of_it_and_in_nobodys_way(home: Path, tmp_path: Path) -> None:
    with RunStore(url(home), home) as store:
        store.servers.sign(Owner(), does=PAGES, workers=1)
        back_up(store, tmp_path / "b.tar")
    there = tmp_path / "c"
    with RunStore(url(there), there) as store:
        store.servers.sign(owner := Owner(), does=PAGES, workers=1)
    restored(tmp_path / "b.tar", url(there), there)
    with RunStore(url(there), there) as store:
        assert [server.owner_id for server in store.servers.living()] == [owner.owner_id]


def test_nothing_that_is_there_is_overwritten(home: Path, tmp_path: Path) -> None:
    with RunStore(url(home), home) as store:
        back_up(store, tmp_path / "b.tar")
        before = rows(store)
    with pytest.raises(InvalidInput, match="something in this home already"):
        restored(tmp_path / "b.tar", url(home), home)
    with RunStore(url(home), home) as store:
        assert rows(store) == before


def test_a_damaged_file_is_named_and_all_else_is_there(home: Path, tmp_path: Path) -> None:
    victim = next(path for path in sorted((home / "blobs").iterdir()) if path.read_bytes() == b"w0")
    victim.write_bytes(b"w1")
    with RunStore(url(home), home) as store:
        made = back_up(store, tmp_path / "b.tar")
    [sentence] = made.missing
    assert victim.name[:12] in sentence
    restored(tmp_path / "b.tar", url(tmp_path / "c"), tmp_path / "c")
    with RunStore(url(tmp_path / "c"), tmp_path / "c") as store:
        assert len(store.check()) == 1


def test_an_older_backup_stays_when_the_disk_refuses(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b.tar"
    with RunStore(url(home), home) as store:
        back_up(store, target)
        before = target.read_bytes()
        monkeypatch.setattr(
            "os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(StorageFailed, match="full"):
            back_up(store, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "home"]
    assert not list(home.glob(".*backup*"))


def test_cut_or_changed_anywhere_it_is_refused_and_the_home_stays_empty(home: Path, tmp_path: Path) -> None:
    with RunStore(url(home), home) as store:
        back_up(store, tmp_path / "b.tar")
    whole, there = (tmp_path / "b.tar").read_bytes(), tmp_path / "c"
    bad = tmp_path / "bad.tar"
    with tarfile.open(tmp_path / "b.tar") as archive:
        inside = [(m.offset_data + m.size // 2) for m in archive if m.size and m.name != "backup.json"]
    cut = [whole[:n] for n in (0, 100, len(whole) // 3, len(whole) // 2)]
    flipped = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in inside[:8]]
    for content in [*cut, *flipped, b"x" * 5000]:
        bad.write_bytes(content)
        with pytest.raises(CoreError):
            restored(bad, url(there), there)
        with RunStore(url(there), there) as store:
            assert not any(rows(store).values())
    restored(tmp_path / "b.tar", url(there), there)
    with RunStore(url(there), there) as store:
        assert store.check() == []


def repacked(source: Path, target: Path, change: Any) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            for changed, data in change(member, content.read()):
                changed.size = len(data) if changed.isreg() else 0
                new.addfile(changed, io.BytesIO(data))


def _also(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    def change(member: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if member.name != "backup.json":
            return [(member, data)]
        more = tarfile.TarInfo(name)
        more.type, more.linkname = kind, link
        return [(member, data), (more, b"evil")]

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        _also("../evil"),
        _also("/evil"),
        _also("files/evil"),
        _also(f"files/{'b' * 64}"),
        _also(f"files/{'b' * 64}", tarfile.SYMTYPE, "/etc/passwd"),
        _also(f"files/{'b' * 64}", tarfile.LNKTYPE, "backup.json"),
        _also("files", tarfile.SYMTYPE, "/tmp"),
        _also(f"{UPLOADED}/{'c' * 64}.zip"),
        _also(f"sandboxes/{'d' * 32}/database.db"),
        _also(f"sandboxes/../{'d' * 32}/database.db"),
        _also("backup.json"),
    ],
)
def test_a_strangers_archive_writes_nowhere_else(home: Path, tmp_path: Path, change: Any) -> None:
    with RunStore(url(home), home) as store:
        back_up(store, tmp_path / "b.tar")
    repacked(tmp_path / "b.tar", tmp_path / "bad.tar", change)
    there = tmp_path / "c"
    with pytest.raises(InvalidInput):
        restored(tmp_path / "bad.tar", url(there), there)
    with RunStore(url(there), there) as store:
        assert not any(rows(store).values())
        assert store._blobs.names() == set()


def test_a_database_with_a_program_in_it_is_refused(home: Path, tmp_path: Path) -> None:
    with RunStore(url(home), home) as store:
        store.copy_out(tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy" / "database.db")) as connection:
        connection.execute("CREATE VIEW endless AS SELECT 1")
    there = tmp_path / "c"
    with RunStore(url(there), there) as store, pytest.raises(InvalidInput, match="none of Paretoscope's"):
        store.copy_in(tmp_path / "copy")


def test_killed_between_files_and_rows_it_can_be_done_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore(url(home), home) as store:
        before = rows(store)
        store.copy_out(tmp_path / "copy")
    there = tmp_path / "c"
    put, calls = BlobStore.put, [0]

    def dying(self: BlobStore, data: bytes) -> str:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return put(self, data)

    with RunStore(url(there), there) as store:
        monkeypatch.setattr(BlobStore, "put", dying)
        with pytest.raises(KeyboardInterrupt):
            store.copy_in(tmp_path / "copy")
        monkeypatch.setattr(BlobStore, "put", put)
        assert not any(rows(store).values())
        assert copy_in(store._files, tmp_path / "copy") > 0
        assert rows(store) == before
        assert store.check() == []


def test_the_commands(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "p.db").rename(home / "paretoscope.db")
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home))
    target = tmp_path / "made" / "b.tar"
    made = CliRunner().invoke(app, ["backup", str(target)])
    assert made.exit_code == 0, made.output
    assert "MB" in made.output
    assert target.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "c"))
    restored = CliRunner().invoke(app, ["restore", str(target)])
    assert restored.exit_code == 0, restored.output
    assert CliRunner().invoke(app, ["check"]).exit_code == 0
    assert "train_x" in CliRunner().invoke(app, ["runs"]).output
