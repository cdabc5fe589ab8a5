"""Several servers on one database, each with a home of its own, and one place for files."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DamagedArtifact, DataUnavailable, InvalidInput, NotFound, StorageFailed
from core.library.uploaded import keep_file, kept_file
from core.records import RunState
from core.settings import settings
from core.store import RunStore
from core.store.backup import back_up, put_back
from core.store.database import Database
from core.store.home import Holder, holder_anywhere, identity_of
from core.store.sandboxes import store_here
from tests.helpers.s3_server import SmallS3, small_s3
from tests.store.databases import postgres_url, reason_to_skip

pytest.importorskip("obstore")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with small_s3() as server:
        yield server


def on(home: Path, base: Path, files_url: str | None = None) -> RunStore:
    """The store of a server with this home, on the one database of them all."""
    url = settings().files_url if files_url is None else files_url
    return RunStore(f"sqlite:///{base / 'p.db'}", home, url)


def homes(base: Path) -> tuple[Path, Path]:
    return base / "a", base / "b"


def far(base: Path, kind: str) -> str:
    if kind == "s3":
        return settings().files_url
    (base / "disk of them all").mkdir()
    return f"file://{base}/disk%20of%20them%20all"


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_what_one_server_saves_another_has(tmp_path: Path, s3: SmallS3, kind: str) -> None:
    a, b = homes(tmp_path)
    url = far(tmp_path, kind)
    with on(a, tmp_path, url) as first, on(b, tmp_path, url) as second:
        run_id = first.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        first.ledger(run_id).checkpoint(b"one", fraction=0.1)
        assert second.ledger(run_id).latest_checkpoint() == b"one"
        second.ledger(run_id).checkpoint(b"two", fraction=0.2)
        second.ledger(run_id).checkpoint(b"three", fraction=0.3)
        assert first.ledger(run_id).latest_checkpoint() == b"three"
        assert first._blobs.names() == second._blobs.names()
        assert len(first._blobs.names()) == 2
        orphan = first._blobs.put(b"written, but killed before its row")
        assert (second.sweep(), first._blobs.thrown()) == (1, {orphan})
        assert (first.check(), second.check(), first.sweep()) == ([], [], 0)
        [part] = [part for part in first.storage() if part.name == "files of runs and supernets"]
        assert (part.files, part.bytes, part.place) == (2, 8, first._blobs.place)
        assert "never-to-be-shown" not in str(first.storage())
        assert second.empty_trash() == (1, 34)
    assert not list((a / "blobs").iterdir())
    assert not list((b / "blobs").iterdir())
    assert b"never-to-be-shown" not in (tmp_path / "p.db").read_bytes()


_WORKER = """
import sys
from core.store.sandboxes import store_here
store, run_id = store_here(), sys.argv[1]
for i in range(6):
    store.ledger(run_id).save_artifact(f"{sys.argv[2]} {i}", f"{sys.argv[2]} {i}".encode(), "text/plain")
    store.ledger(run_id).checkpoint(f"of both {i}".encode(), fraction=0.1)
    store.sweep()
print(len(store.check()))
"""


@pytest.mark.slow
def test_two_processes_write_and_sweep_over_one_prefix(tmp_path: Path, s3: SmallS3) -> None:
    a, b = homes(tmp_path)
    with on(a, tmp_path) as store:
        run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        environments = [
            {**os.environ, **store.environment(), "PARETOSCOPE_HOME": str(home), "PYTHONPATH": str(ROOT)}
            for home in (a, b)
        ]
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", _WORKER, run_id, name], env=env, stdout=subprocess.PIPE, text=True
            )
            for name, env in zip("ab", environments, strict=True)
        ]
        # The other server may be at work when one compares: what is superseded meanwhile is no damage here.
        answers = [worker.communicate(timeout=60)[0] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], answers
        ledger = store.ledger(run_id)
        assert sorted(each.name for each in ledger.artifacts()) == sorted(
            f"{w} {i}" for w in "ab" for i in range(6)
        )
        assert all(ledger.artifact(each.name) == each.name.encode() for each in ledger.artifacts())
        assert (ledger.latest_checkpoint(), store.check()) == (b"of both 5", [])


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_uploads_reach_the_other_server(
    tmp_path: Path, s3: SmallS3, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = homes(tmp_path)
    url = far(tmp_path, kind)
    with on(a, tmp_path, url) as first, on(b, tmp_path, url) as second:
        monkeypatch.setenv("PARETOSCOPE_HOME", str(a))
        in_run, in_card, unnamed = (
            keep_file(data) for data in (b"named by a run", b"named by a card", b"unnamed")
        )
        run_id = first.create_run("train_x", {"data": {"upload": in_run}}, title="t", state=RunState.DONE)
        first.add_supernet("mine", b"weights", {"data": in_card})
        monkeypatch.setenv("PARETOSCOPE_HOME", str(b))
        assert (kept_file(in_run), kept_file(in_card)) == (b"named by a run", b"named by a card")
        assert (b / "datasets" / "uploads" / f"{in_run}.bin").stat().st_mode & 0o777 == 0o600
        with pytest.raises(NotFound):
            kept_file(unnamed)
        # Nobody names it for a long time: put away, and back when somebody does.
        second.delete_run(run_id)
        assert second._shared is not None
        place = second._shared.blobs
        monkeypatch.setattr("core.store.files.KEPT_DAYS", 0.01 / 86_400)
        time.sleep(0.05)
        assert (second.sweep(), place.thrown()) == (1, {in_run})
        second.create_run("train_x", {"upload": in_run}, title="t", state=RunState.DONE)
        second.empty_trash()
        assert in_run in place.names()
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "c"))
    with pytest.raises(NotFound):  # nobody is asked any more
        kept_file(in_run)


def test_a_store_that_cannot_be_reached_is_a_sentence_and_rows_are_read(tmp_path: Path, s3: SmallS3) -> None:
    a, _ = homes(tmp_path)
    with on(a, tmp_path) as store:
        store._blobs._objects._pauses = ()
        run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        store.ledger(run_id).checkpoint(b"kept", fraction=0.1)
        store.supernet_path(store.add_supernet("mine", b"weights", {}))
        s3.fault = lambda method, key: 403
        for act in (lambda: store.ledger(run_id).latest_checkpoint(), store.sweep):
            with pytest.raises(DataUnavailable, match="s3://files/lab refuses these credentials"):
                act()
        with pytest.raises(StorageFailed, match="intact") as caught:
            store.ledger(run_id).checkpoint(b"new", fraction=0.2)
        assert "key-of-tests" not in str(caught.value)
        [said] = store.check()
        assert "refuses" in said
        assert store.get_run(run_id).title == "t"
        [mine] = store.list_supernets()
        assert store.supernet_path(mine.supernet_id).read_bytes() == b"weights", "a copy is here"
        assert store.storage()
        s3.fault = lambda method, key: None
        assert (store.ledger(run_id).latest_checkpoint(), store.check()) == (b"kept", [])
    s3.fault = lambda method, key: 403
    with on(a, tmp_path) as again:  # it opens
        assert again.get_run(run_id).title == "t"


@pytest.mark.parametrize("fault", [503, "hang up", "half", "other"])
def test_a_stumble_on_the_way_is_not_noticed(tmp_path: Path, s3: SmallS3, fault: int | str) -> None:
    with on(tmp_path / "a", tmp_path) as store:
        sha256 = store._blobs.put(b"0123456789" * 1000)
        left = [1]
        s3.fault = lambda method, key: fault if method == "GET" and left and left.pop() else None
        assert store._blobs.get(sha256) == b"0123456789" * 1000


def test_a_put_that_is_lost_is_not_acknowledged(tmp_path: Path, s3: SmallS3) -> None:
    with on(tmp_path / "a", tmp_path) as store:
        store._blobs.put(b"before")
        s3.fault = lambda method, key: "lose" if method in ("PUT", "POST") else None
        for data in (b"small", b"large" * 2_000_000):
            with pytest.raises(StorageFailed, match="does not have it"):
                store._blobs.put(data)


def test_a_missing_bucket_is_said(tmp_path: Path, s3: SmallS3) -> None:
    s3.fault = lambda method, key: 404
    with on(tmp_path / "a", tmp_path) as store, pytest.raises(StorageFailed, match="no bucket"):
        store._blobs.put(b"data")


def test_without_the_package_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(InvalidInput, match="pip install obstore"):
        on(tmp_path / "a", tmp_path, "s3://files/lab")


def test_a_disk_that_is_not_mounted_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="mount"):
        on(tmp_path / "a", tmp_path, f"file://{tmp_path}/not/there")
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_what_was_in_the_home_before_is_still_read_and_its_place_told(
    tmp_path: Path, s3: SmallS3, kind: str
) -> None:
    a, b = homes(tmp_path)
    with on(a, tmp_path, "") as store:
        old = store.add_supernet("mine", b"weights", {})
    url = far(tmp_path, kind)
    with on(a, tmp_path, url) as store, on(b, tmp_path, url) as other:
        assert store.supernet_path(old).read_bytes() == b"weights"
        with pytest.raises(DamagedArtifact):
            other.supernet_path(old)
        assert any(part.name == "files in the home" for part in store.storage())
        if kind == "s3":
            [said] = store.check()
            assert "move-files" in said
        store.delete_supernet(old)
    assert (a / "blobs" / hashlib.sha256(b"weights").hexdigest()).exists()


def test_a_backup_during_work_holds_what_is_superseded_meanwhile(
    tmp_path: Path, s3: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = homes(tmp_path)
    monkeypatch.setenv("PARETOSCOPE_HOME", str(b))
    with on(b, tmp_path) as other:
        upload = keep_file(b"handed to the other server")
        other.create_run("train_x", {"upload": upload}, title="u", state=RunState.DONE)
    with on(a, tmp_path) as store:
        ledger = store.ledger(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
        for at in range(2):
            ledger.checkpoint(b"state %d" % at, fraction=0.1)
        copied, further = store._blobs.copy_to, iter([True])

        def work_goes_on(sha256: str, target: Path) -> bool:
            if next(further, False):
                for at in range(2, 5):
                    ledger.checkpoint(b"state %d" % at, fraction=0.1)
            return copied(sha256, target)

        monkeypatch.setattr(store._blobs, "copy_to", work_goes_on)
        made = back_up(store, tmp_path / "b.tar")
        assert (made.missing, made.files) == ((), 3)
        assert ledger.latest_checkpoint() == b"state 4"
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "new"))
    with RunStore(f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "new", settings().files_url) as new:
        put_back(new, tmp_path / "b.tar")
        assert (new.check(), kept_file(upload)) == ([], b"handed to the other server")
        assert {new.ledger(run.run_id).latest_checkpoint() for run in new.list_runs()} == {b"state 1", None}
        assert new._shared is not None
        assert new._shared.blobs.holds(upload), "the restored server's neighbors have it as well"
    with RunStore(f"sqlite:///{tmp_path / 'f.db'}", tmp_path / "f") as in_folder:
        put_back(in_folder, tmp_path / "b.tar")
        assert in_folder.check() == []


def test_a_worker_works_where_its_server_does(
    tmp_path: Path, s3: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on(tmp_path / "a", tmp_path) as store:
        for name, value in store.environment().items():
            monkeypatch.setenv(name, value)
    with store_here() as found:
        assert (found.files_url, found.home) == ("s3://files/lab", tmp_path / "a")


def test_nothing_of_it_is_loaded_without_the_setting(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from core.store import RunStore\n"
        "RunStore('sqlite://', pathlib.Path(sys.argv[1]))._blobs.put(b'x')\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('obstore', 'torch') or m.startswith('core.datasets')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_a_postgres_is_the_same_from_every_machine_and_its_copy_is_not() -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    from core.store.migrations import migrate

    url = make_url(postgres_url())
    again = url.set(query={**url.query, "application_name": "as another machine calls it"}, username="tests")
    found = []
    for address in (url, again.set(port=5432)):
        database = Database(address)
        migrate(database)
        found.append(holder_anywhere(database))
        database.close()
    assert found[0] == found[1]
    assert found[0].database.startswith("postgresql:")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS copied"))
        connection.execute(text("CREATE DATABASE copied"))
        copied = Database(url.set(database="copied"))
        migrate(copied)
        assert holder_anywhere(copied).database != found[0].database
        copied.close()
        connection.execute(text("DROP DATABASE copied"))
    engine.dispose()


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_one_home_on_a_shared_disk_serves_two_addresses_of_one_postgres(tmp_path: Path) -> None:
    from sqlalchemy.engine import make_url

    from tests.store.databases import open_store

    with open_store("postgres", tmp_path) as first:
        named, identity = make_url(first.url), identity_of(first._database)
    (tmp_path / "store.json").write_bytes(Holder(identity, f"postgresql://:/{named.database}").record)
    address = named.set(port=5432).render_as_string(hide_password=False)
    with RunStore(first.url, tmp_path) as first, RunStore(address, tmp_path) as second:
        run_id = first.create_run("train_x", {}, title="t", state=RunState.RUNNING)
        first.ledger(run_id).checkpoint(b"one", fraction=0.1)
        second.ledger(run_id).checkpoint(b"two", fraction=0.2)
        second.ledger(run_id).checkpoint(b"three", fraction=0.2)
        assert sorted(path.name for path in tmp_path.glob("blobs*")) == ["blobs"]
        assert len(list((tmp_path / "blobs").iterdir())) == 2
        writing = tmp_path / "blobs" / f".tmp-{'0' * 8}-{'1' * 32}"
        writing.write_bytes(b"another machine is writing this")
        assert (first.sweep(), writing.exists()) == (0, True)
        os.utime(writing, (0, 0))
        assert (second.sweep(), writing.exists(), second.check()) == (1, False, [])
