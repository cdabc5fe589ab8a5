"""No file is ever deleted because a database does not name it: whose files are whose, and the trash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.jobs import JobManager
from core.records import RunState
from core.store import RunStore
from core.store.home import RECORD

WEIGHTS = b"weights of a supernet" * 50


def url(home: Path, name: str = "paretoscope.db") -> str:
    return f"sqlite:///{home / name}"


def start(home: Path, address: str = "") -> None:
    """What a server does when it starts, and one ends."""
    store = RunStore(address or url(home), home)
    JobManager(store).close()
    store.close()


def everything(home: Path) -> dict[str, bytes]:
    """The content of every file in the home that is no database, by SHA-256."""
    found = {}
    for path in home.rglob("*"):
        if path.is_file() and ".db" not in path.name and path.name != RECORD:
            content = path.read_bytes()
            found[hashlib.sha256(content).hexdigest()] = content
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one supernet, closed."""
    folder = tmp_path / "home"
    with RunStore(url(folder), folder) as store:
        store.add_supernet("mine", WEIGHTS, {})
    return folder


def assert_intact(home: Path, address: str = "") -> None:
    with RunStore(address or url(home), home) as store:
        [supernet] = store.list_supernets()
        assert store.supernet_path(supernet.supernet_id).read_bytes() == WEIGHTS
        assert store.check() == []


def move_database(home: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for path in home.glob("paretoscope.db*"):
        path.rename(to / path.name)


def make_it_0_1(home: Path) -> None:
    """Undo what later versions add, in the database and in the home."""
    (home / RECORD).unlink()
    with sqlite3.connect(home / "paretoscope.db") as connection:
        for statement in (
            "DROP TABLE editions",
            "DROP TABLE servers",
            "DROP INDEX ix_runs_claimed",
            "ALTER TABLE runs DROP COLUMN claimed",
            "DROP TABLE owners",
            "DROP TABLE audit",
            "DROP TABLE audit_head",
            "DROP TABLE class_entries",
            "DROP TABLE class_deals",
            "DROP TABLE class_takings",
            "DROP TABLE class_students",
            "DROP TABLE classes",
            "DROP TABLE imported_tables",
            "DROP TABLE basket_items",
            "DROP TABLE baskets",
            "ALTER TABLE runs DROP COLUMN begun",
            "ALTER TABLE runs DROP COLUMN worked",
            "DROP TABLE identity",
            "DROP TABLE run_params",
            "DROP INDEX ix_runs_kind",
            "UPDATE alembic_version SET version_num = '0001'",
        ):
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("release", ["this", "0.1"])
def test_a_database_moved_aside_and_back_finds_its_files(home: Path, tmp_path: Path, release: str) -> None:
    if release == "0.1":
        make_it_0_1(home)
    before = everything(home)
    move_database(home, tmp_path / "aside")
    start(home)
    assert everything(home).items() >= before.items()
    with RunStore(url(home), home) as new:  # what is made meanwhile is not lost either
        meanwhile = new.add_supernet("meanwhile", b"meanwhile", {})
        assert new.supernet_path(meanwhile).read_bytes() == b"meanwhile"
    start(home)
    move_database(home, tmp_path / "new")
    move_database(tmp_path / "aside", home)
    start(home)
    assert_intact(home)
    assert hashlib.sha256(b"meanwhile").hexdigest() in everything(home)


def test_another_database_on_the_same_home_takes_nothing(home: Path, tmp_path: Path) -> None:
    other = url(tmp_path, "other.db")
    for address in (other, "", other, ""):
        start(home, address)
        assert_intact(home)
    with RunStore(other, home) as store:
        same = store.add_supernet("the same file", WEIGHTS, {})
        own = store.add_supernet("its own", b"its own", {})
        store.delete_supernet(same)  # both name this content, and only one of them let go of it
        assert store.supernet_path(own).read_bytes() == b"its own"
    start(home)
    assert_intact(home)
    with RunStore(other, home) as store:
        assert store.supernet_path(own).read_bytes() == b"its own"


def test_a_copy_of_the_database_is_another_database(home: Path) -> None:
    shutil.copy(home / "paretoscope.db", home / "copy.db")
    with RunStore(url(home, "copy.db"), home) as copy:
        [supernet] = copy.list_supernets()
        assert copy.supernet_path(supernet.supernet_id).read_bytes() == WEIGHTS
        copy.delete_supernet(supernet.supernet_id)
    start(home, url(home, "copy.db"))
    assert_intact(home)


def test_an_older_backup_costs_nothing_that_came_after_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    shutil.copy(home / "paretoscope.db", tmp_path / "backup")
    with RunStore(url(home), home) as store:
        later = store.add_supernet("later", b"later", {})
    move_database(home, tmp_path / "aside")
    move_database(tmp_path / "backup", home)
    start(home)
    swept = list((home / "trash").glob("*/*"))
    assert [path.read_bytes() for path in swept] == [b"later"]
    assert swept[0].parent.name == time.strftime("%Y-%m-%d")
    move_database(home, tmp_path / "restored")
    move_database(tmp_path / "aside", home)
    with RunStore(url(home), home) as store:  # found in the trash by whoever asks for it, before any start
        assert store.supernet_path(later).read_bytes() == b"later"
        assert (store.check(), list((home / "trash").glob("*/*"))) == ([], [])


def test_a_start_puts_back_what_the_database_names(home: Path) -> None:
    [blob] = (home / "blobs").iterdir()
    day = home / "trash" / "2020-02-02"
    day.mkdir(parents=True)
    blob.rename(day / blob.name)
    start(home)
    assert blob.read_bytes() == WEIGHTS


def test_foreign_files_and_links_in_the_folder_stay(home: Path, tmp_path: Path) -> None:
    blobs = home / "blobs"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine too")
    foreign = [blobs / "notes.txt", blobs / ".tmp-notes", blobs / ("A" * 64), blobs / ("b" * 63), blobs / "c"]
    for path in foreign:
        path.write_bytes(b"not ours")
    (blobs / ("d" * 64)).symlink_to(elsewhere)
    (blobs / ("e" * 64)).mkdir()
    orphan = blobs / ("f" * 64)
    orphan.write_bytes(b"of a killed process")
    start(home)
    assert all(path.read_bytes() == b"not ours" for path in foreign)
    assert ((blobs / ("d" * 64)).is_symlink(), (blobs / ("e" * 64)).is_dir()) == (True, True)
    assert elsewhere.read_bytes() == b"mine too"
    [trashed] = (home / "trash").glob("*/*")
    assert (trashed.name, trashed.read_bytes(), orphan.exists()) == ("f" * 64, b"of a killed process", False)


def test_nothing_is_swept_through_a_link(home: Path, tmp_path: Path) -> None:
    """Two homes that share one folder: neither may touch what only the other names."""
    second = tmp_path / "second"
    second.mkdir()
    (second / "blobs").symlink_to(home / "blobs")
    with RunStore(url(second), second) as store:
        theirs = store.add_supernet("theirs", b"theirs", {})
        same = store.add_supernet("same", WEIGHTS, {})
        store.delete_supernet(same)
    start(second)
    assert_intact(home)
    with RunStore(url(second), second) as store:
        assert store.supernet_path(theirs).read_bytes() == b"theirs"


def test_a_folder_moved_to_another_disk_by_a_link_still_works(tmp_path: Path) -> None:
    home, disk = tmp_path / "home", tmp_path / "disk"
    home.mkdir()
    (disk / "blobs").mkdir(parents=True)
    (home / "blobs").symlink_to(disk / "blobs")
    with RunStore(url(home), home) as store:
        store.add_supernet("mine", WEIGHTS, {})
    (disk / "blobs" / ("f" * 64)).write_bytes(b"of a killed process, or of somebody else")
    start(home)
    assert_intact(home)
    assert (disk / "blobs" / ("f" * 64)).exists()


def test_a_home_of_0_1_is_taken_over_only_by_a_database_that_names_its_files(home: Path) -> None:
    make_it_0_1(home)
    orphans = [home / "blobs" / (digit * 64) for digit in "0123"]
    for path in orphans:
        path.write_bytes(b"whose?")
    start(home)  # names one of five: in doubt, nothing is touched
    assert all(path.exists() for path in orphans)
    assert not (home / "trash").exists()
    assert_intact(home)
    for path in orphans[:4]:
        path.unlink()
    start(home)
    assert json.loads((home / RECORD).read_text())["database"] == "paretoscope.db"
    orphans[0].write_bytes(b"of a killed process")
    start(home)
    assert not orphans[0].exists()
    assert_intact(home)


def test_a_damaged_record_is_written_anew_by_who_names_the_files(home: Path, tmp_path: Path) -> None:
    (home / RECORD).write_text("{not json")
    start(home, url(tmp_path, "other.db"))
    assert (home / RECORD).read_text() == "{not json"
    start(home)
    assert json.loads((home / RECORD).read_text())["database"] == "paretoscope.db"
    assert_intact(home)


def test_a_moved_home_stays_its_databases_home(home: Path, tmp_path: Path) -> None:
    moved = home.rename(tmp_path / "moved")
    (moved / "blobs" / ("f" * 64)).write_bytes(b"of a killed process")
    start(moved)
    assert not (moved / "blobs" / ("f" * 64)).exists()
    assert_intact(moved)


def test_the_trash_is_kept_until_somebody_empties_it(home: Path) -> None:
    orphan = home / "blobs" / ("f" * 64)
    orphan.write_bytes(b"orphan")
    start(home)
    old = home / "trash" / "2001-01-01"
    old.mkdir()
    (old / "g").write_bytes(b"123")
    start(home)
    with RunStore(url(home), home) as store:
        [trash] = [part for part in store.storage() if part.name == "trash"]
        assert (trash.files, trash.bytes, "empty-trash" in trash.hint) == (2, 9, True)
        assert store.empty_trash(older_than_days=30) == (1, 3)
        assert store.empty_trash() == (1, 6)
        assert store.empty_trash() == (0, 0)
    assert_intact(home)


def test_emptying_the_trash_spares_what_the_database_names(home: Path) -> None:
    [blob] = (home / "blobs").iterdir()
    (home / "trash" / "2020-02-02").mkdir(parents=True)
    blob.rename(home / "trash" / "2020-02-02" / blob.name)
    with RunStore(url(home), home) as store:
        assert store.empty_trash() == (0, 0)
    assert_intact(home)


# --- uploads --------------------------------------------------------------------------------------


def put_upload(home: Path, content: bytes, days_ago: float) -> Path:
    path = home / "datasets" / "uploads" / f"{hashlib.sha256(content).hexdigest()}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = time.time() - days_ago * 86_400
    os.utime(path, (then, then))
    return path


def test_unused_uploads_go_to_the_trash_and_come_back(home: Path) -> None:
    used, unused, young = (
        put_upload(home, content, days) for content, days in ((b"u", 99), (b"o", 8), (b"y", 6))
    )
    foreign = used.parent / "readme.txt"
    foreign.write_bytes(b"not ours")
    os.utime(foreign, (0, 0))
    with RunStore(url(home), home) as store:
        params = {"data": {"config": {"upload": used.name[:64]}}}
        store.create_run("train_x", params, title="t", state=RunState.DONE)
        [part] = [part for part in store.storage() if part.name == "uploaded images"]
        assert (part.files, part.bytes) == (4, 11)
    start(home)
    assert [path.exists() for path in (used, unused, young, foreign)] == [True, False, True, True]
    with RunStore(url(home), home) as store:
        store.create_run("train_x", {"upload": unused.name[:64]}, title="t", state=RunState.DONE)
    start(home)
    assert unused.read_bytes() == b"o"


def test_another_database_does_not_judge_the_uploads(home: Path, tmp_path: Path) -> None:
    upload = put_upload(home, b"o", 99)
    start(home, url(tmp_path, "other.db"))
    assert upload.exists()


# --- who may read ---------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everyones_umask(act: Callable[[], None]) -> None:
    before = os.umask(0o000)
    try:
        act()
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_what_is_stored_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.datasets.images import keep_upload
    from tests.security.test_hostile_uploads import npz

    home = tmp_path / "home"
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home))

    def use() -> None:
        with RunStore(url(home), home) as store:
            store.add_supernet("mine", WEIGHTS, {})
            keep_upload(npz())

    everyones_umask(use)
    start(home)
    readable = [path for path in (home, *home.rglob("*")) if mode(path) & 0o077 and path.is_file()]
    assert readable == []
    assert {mode(path) for path in (home, home / "blobs", home / "datasets" / "uploads")} == {0o700}


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_an_existing_home_is_closed_to_others(home: Path) -> None:
    upload = put_upload(home, b"image", 0)
    for name in ("packed", "forecasts"):  # what the pages keep there is ours as well
        (home / name).mkdir()
    loose = [home, home / "blobs", home / "paretoscope.db", upload.parent, upload]
    for path in loose:
        path.chmod(0o755 if path.is_dir() else 0o644)
    start(home)
    assert [mode(path) & 0o077 for path in loose] == [0] * 5
    assert_intact(home)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_home_that_holds_other_things_stays_open(tmp_path: Path) -> None:
    """Somebody's shared folder: only what is ours in it is closed."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "letters.txt").write_text("for all")
    (shared / "letters.txt").chmod(0o644)
    start(shared)
    assert (mode(shared), mode(shared / "letters.txt")) == (0o755, 0o644)
    assert (mode(shared / "paretoscope.db"), mode(shared / "blobs")) == (0o600, 0o700)
