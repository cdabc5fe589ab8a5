"""What every place of files promises: a folder, a folder for several servers, and object stores in memory and on the disk."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import DamagedArtifact, DataUnavailable, StorageFailed
from core.store.blobs import BlobStore
from core.store.file_cache import FileCache
from core.store.home import Holder
from core.store.object_blobs import ObjectBlobs
from core.store.objects import Objects
from core.store.opening import OwnPrefix, in_objects
from core.store.places import Blobs

obstore = pytest.importorskip("obstore")
ME = Holder("a" * 32, "postgresql:1/db")
KINDS = ["folder", "memory", "disk"]


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def place(kind: str, folder: Path) -> Blobs:
    if kind == "folder":
        return BlobStore(folder / "blobs")
    made = (
        obstore.store.MemoryStore()
        if kind == "memory"
        else obstore.store.LocalStore(folder / "far", mkdir=True)
    )
    return in_objects(Objects(made, "far"), ME, folder / "cache", tuple)[0]


@pytest.fixture(params=KINDS)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return place(request.param, tmp_path)


def spoil(blobs: Blobs, sha256: str, content: bytes | None) -> None:
    if isinstance(blobs, BlobStore):
        blobs.path(sha256).unlink() if content is None else blobs.path(sha256).write_bytes(content)
    elif isinstance(blobs, ObjectBlobs):
        blobs._cache.drop(sha256)
        store, name = blobs._objects._store, blobs._name(sha256)
        store.delete(name) if content is None else store.put(name, content)


@pytest.mark.parametrize("data", [b"", b"a", os.urandom(100_000), os.urandom(6_000_000)])
def test_content_comes_back_under_its_hash(blobs: Blobs, data: bytes) -> None:
    sha256 = blobs.put(data)
    assert sha256 == name_of(data)
    assert (blobs.get(sha256), blobs.locate(sha256).read_bytes()) == (data, data)
    assert blobs.put(data) == sha256
    assert (blobs.names(), blobs.sizes()) == ({sha256}, {sha256: len(data)})
    assert (blobs.has(sha256), blobs.holds(sha256), blobs.has("0" * 64), blobs.holds("0" * 64)) == (
        True,
        True,
        False,
        False,
    )
    blobs.verify(sha256)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "missing", "swap"])
def test_any_damage_is_found_and_repaired_by_writing_again(blobs: Blobs, damage: str) -> None:
    data = os.urandom(500)
    sha256 = blobs.put(data)
    flipped = bytes([data[0] ^ 1]) + data[1:]
    changes = {"flip": flipped, "truncate": data[:-1], "empty": b"", "swap": b"other", "missing": None}
    spoil(blobs, sha256, changes[damage])
    for read in (blobs.get, blobs.verify, blobs.locate):
        with pytest.raises(DamagedArtifact, match="missing" if damage == "missing" else "changed"):
            read(sha256)
    assert not blobs.holds(sha256)
    blobs.put(data)
    assert blobs.get(sha256) == data


def test_what_is_put_away_lies_in_the_trash_and_comes_back(blobs: Blobs) -> None:
    first, second, third = (blobs.put(data) for data in (b"1", b"2", b"3"))
    blobs.put_away({first, second, "0" * 64})
    assert (blobs.names(), blobs.thrown()) == ({third}, {first, second})
    assert blobs.put_back({first}) == 1
    assert (blobs.names(), blobs.thrown()) == ({first, third}, {second})
    assert blobs.get(second) == b"2", "it was wanted, and is back"
    assert (blobs.names(), blobs.thrown()) == ({first, second, third}, set())
    blobs.put_away({second})
    assert blobs.empty_trash(older_than_days=1) == (0, 0)
    assert (blobs.empty_trash(0), blobs.thrown(), blobs.names()) == ((1, 1), set(), {first, third})
    with pytest.raises(DamagedArtifact):
        blobs.get(second)


def test_only_files_that_it_knows_by_name_are_ever_touched(blobs: Blobs, tmp_path: Path) -> None:
    sha256 = blobs.put(b"mine")
    if isinstance(blobs, ObjectBlobs):
        store, root = blobs._objects._store, ME.identity
        foreign = [
            f"{root}/blobs/notes.txt",
            f"{root}/trash/2020-01-01/notes.txt",
            f"{root}/trash/{'b' * 64}",
            "other/blobs/x",
        ]
        for name in foreign:
            store.put(name, b"somebody's")
    blobs.put_away(blobs.names())
    blobs.sweep_temporary()
    assert blobs.empty_trash(0) == (1, 4)
    assert blobs.names() == set()
    with pytest.raises(DamagedArtifact):
        blobs.get(sha256)
    if isinstance(blobs, ObjectBlobs):
        assert all(bytes(store.get(name).bytes()) == b"somebody's" for name in foreign)


def test_what_is_removed_during_a_backup_can_still_be_copied(blobs: Blobs, tmp_path: Path) -> None:
    kept, gone = blobs.put(b"kept"), blobs.put(b"superseded")
    with blobs.held():
        for sha256 in (kept, gone):
            blobs.link(sha256, tmp_path / sha256)
        blobs.remove(gone)
        assert blobs.names() == {kept}
        assert all(
            (tmp_path / each).exists() or blobs.copy_to(each, tmp_path / each) for each in (kept, gone)
        )
    assert (tmp_path / gone).read_bytes() == b"superseded"
    blobs.put_away({gone})
    blobs.empty_trash(0)
    again = blobs.put(b"again")
    blobs.remove(again)
    assert (blobs.thrown(), blobs.copy_to(again, tmp_path / "no")) == (set(), False), (
        "afterwards, removed is removed"
    )


def test_the_age_of_a_file_is_told(blobs: Blobs) -> None:
    sha256 = blobs.put(b"young")
    time.sleep(0.05)
    assert (blobs.names(older_than=60), blobs.names(older_than=0.02)) == (set(), {sha256})


# --- copies on this machine -----------------------------------------------------------------------


def test_a_copy_is_verified_whenever_it_is_used(tmp_path: Path) -> None:
    blobs = place("memory", tmp_path)
    sha256 = blobs.put(b"weights")
    copy = blobs.locate(sha256)
    copy.write_bytes(b"changed on this machine")
    assert blobs.get(sha256) == b"weights"
    copy.write_bytes(b"changed on this machine")
    assert blobs.locate(sha256).read_bytes() == b"weights"


def test_a_check_does_not_believe_copies(tmp_path: Path) -> None:
    blobs = place("memory", tmp_path)
    sha256 = blobs.put(b"weights")
    blobs.locate(sha256)
    assert isinstance(blobs, ObjectBlobs)
    blobs._objects._store.delete(blobs._name(sha256))
    with pytest.raises(DamagedArtifact):
        blobs.verify(sha256)


def test_copies_have_a_limit_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "c", most=300)
    names = []
    for at in range(3):
        data = bytes([at]) * 100
        names.append(name_of(data))
        cache.keep(names[-1], data)
        os.utime(tmp_path / "c" / names[-1], (at + 1, at + 1))
    assert cache.find(names[0]) is not None, "used now"
    cache.keep(name_of(b"new" * 30), b"new" * 30)
    assert [cache.find(name) is not None for name in names] == [True, False, True]
    large = b"x" * 1000
    cache.keep(name_of(large), large)
    assert [path.name for path in (tmp_path / "c").iterdir()] == [name_of(large)], (
        "the newest stays, whatever its size"
    )


def test_a_full_disk_here_does_not_hide_what_is_there(tmp_path: Path) -> None:
    blobs = place("memory", tmp_path)
    sha256 = blobs.put(b"there")
    (tmp_path / "cache").write_bytes(b"no folder")
    assert blobs.get(sha256) == b"there"
    with pytest.raises(StorageFailed):
        blobs.locate(sha256)


# --- whose prefix ---------------------------------------------------------------------------------


def test_a_prefix_belongs_to_one_database_and_its_copy_reads_there(tmp_path: Path) -> None:
    store = obstore.store.MemoryStore()
    copy = Holder(ME.identity, "postgresql:2/db")

    def opened(me: Holder) -> Blobs:
        return in_objects(Objects(store, "far"), me, tmp_path / me.database[-4], tuple)[0]

    mine = opened(ME)
    sha256 = mine.put(b"of the first")
    theirs = opened(copy)
    assert theirs.get(sha256) == b"of the first"
    assert theirs.names() == set(), "nothing there is the copy's to judge"
    other = theirs.put(b"of the copy")
    assert opened(ME).get(other) == b"of the copy", "moved back, it finds what it made elsewhere"
    assert (opened(ME).names(), opened(copy).names()) == ({sha256}, {other})


def test_two_servers_that_open_at_once_agree_on_the_prefix() -> None:
    store = obstore.store.MemoryStore()

    class Late(Objects):
        """Another server claims the prefix after this one has looked."""

        def claim(self, name: str, data: bytes) -> bool:
            store.put(name, ME.record)
            return super().claim(name, data)

    assert OwnPrefix(Late(store, "far"), ME)() == f"{ME.identity}/"
    other = Holder(ME.identity, "elsewhere")
    assert OwnPrefix(Late(store, "far"), other)() == f"{other.prefix}/"


# --- a store that fails ---------------------------------------------------------------------------


class Faulty:
    """A store that does to a call what it is told to: ("put", name) -> how; everything else is as it should be."""

    def __init__(self, fault: Callable[[str, int], str]) -> None:
        self._store = obstore.store.MemoryStore()
        self._fault, self.calls = fault, []

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            self.calls.append(kind)
            fault = self._fault(kind, self.calls.count(kind))
            if fault == "fails":
                raise obstore.exceptions.GenericError("signed address of the store: ?X-Amz-Signature=secret")
            if fault == "refuses":
                raise obstore.exceptions.PermissionDeniedError("secret")
            if fault == "loses":
                return {}
            if fault == "halves" and kind == "put":
                given = (given[0], given[1][: len(given[1]) // 2])
            answer = getattr(self._store, kind)(*given, **more)
            if kind == "get" and fault in ("other", "halves"):
                data = bytes(answer.bytes())
                return Given(data[: len(data) // 2] if fault == "halves" else b"?" + data[1:])
            return answer

        return call


class Given:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def bytes(self) -> bytes:
        return self._data


def faulty(tmp_path: Path) -> Iterator[tuple[Blobs, dict[str, str], Faulty]]:
    how: dict[str, str] = {}
    store = Faulty(lambda kind, n: how.get(f"{kind} {n}", how.get(kind, "")))
    blobs, _ = in_objects(Objects(store, "s3://files/lab", pauses=(0.0, 0.0)), ME, tmp_path / "cache", tuple)
    yield blobs, how, store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Blobs, dict[str, str], Faulty]]:
    yield from faulty(tmp_path)


World = tuple[Blobs, dict[str, str], Faulty]


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("fault", ["loses", "halves", "fails", "refuses"])
def test_nothing_is_acknowledged_that_the_store_does_not_have(world: World, fault: str, size: int) -> None:
    blobs, how, _ = world
    before = blobs.put(b"before")
    how["put"] = fault
    with pytest.raises(StorageFailed) as caught:
        blobs.put(b"x" * size)
    assert "secret" not in str(caught.value)
    assert "intact" in str(caught.value)
    how.clear()
    assert (blobs.names(), blobs.get(before)) == ({before}, b"before") if fault != "halves" else True
    assert blobs.get(blobs.put(b"x" * size)) == b"x" * size


def test_a_put_does_not_return_before_the_store_has_answered(tmp_path: Path) -> None:
    import threading

    released = threading.Event()

    class Slow(Faulty):
        def put(self, *given: Any, **more: Any) -> Any:
            if "blobs" in given[0]:
                assert released.wait(10)
            return self._store.put(*given, **more)

    blobs, _ = in_objects(Objects(Slow(lambda kind, n: ""), "far"), ME, tmp_path / "cache", tuple)
    done: list[str] = []
    writer = threading.Thread(target=lambda: done.append(blobs.put(b"slow")))
    writer.start()
    writer.join(0.2)
    assert (done, blobs.has(name_of(b"slow"))) == ([], False)
    released.set()
    writer.join()
    assert done == [name_of(b"slow")]


@pytest.mark.parametrize("kind", ["put", "get", "head", "list", "copy", "delete"])
def test_what_fails_once_is_tried_again(world: World, kind: str) -> None:
    blobs, how, store = world
    blobs.put(b"first")
    how[f"{kind} {store.calls.count(kind) + 1}"] = "fails"
    sha256 = blobs.put(b"data")
    blobs._cache.drop(sha256)
    assert (blobs.get(sha256), blobs.has(sha256), len(blobs.names())) == (b"data", True, 2)
    blobs.put_away({sha256})
    assert (blobs.names(), blobs.thrown()) == ({name_of(b"first")}, {sha256})


def test_other_bytes_are_never_given_and_once_is_no_damage(world: World) -> None:
    blobs, how, store = world
    sha256 = blobs.put(b"data")
    how[f"get {store.calls.count('get') + 1}"] = "other"
    assert blobs.get(sha256) == b"data"
    blobs._cache.drop(sha256)
    for fault in ("other", "halves"):
        how["get"] = fault
        with pytest.raises(DamagedArtifact, match="changed"):
            blobs.get(sha256)
    how.clear()
    assert blobs.get(sha256) == b"data"


def test_a_store_that_does_not_answer_is_no_damage_and_is_not_asked_at_once_again(world: World) -> None:
    blobs, how, store = world
    sha256 = blobs.put(b"data")
    how["get"] = how["head"] = "fails"
    with pytest.raises(DataUnavailable, match="does not answer"):
        blobs.get(sha256)
    asked = len(store.calls)
    with pytest.raises(DataUnavailable, match="s3://files/lab"):
        blobs.get(sha256)
    assert len(store.calls) == asked
    how.clear()
    blobs._objects._silent_until = 0.0
    assert blobs.get(sha256) == b"data"


@pytest.mark.parametrize("fault", ["loses", "fails"])
def test_a_move_that_is_cut_off_leaves_the_file_where_it_was(world: World, fault: str) -> None:
    blobs, how, _ = world
    sha256 = blobs.put(b"data")
    how["copy"] = fault
    with pytest.raises(StorageFailed):
        blobs.put_away({sha256})
    how.clear()
    how["delete"] = "fails"
    with pytest.raises(StorageFailed):
        blobs.put_away({sha256})
    assert (blobs.holds(sha256), blobs.names(), blobs.thrown()) == (True, {sha256}, {sha256})
    how.clear()
    blobs.put_away({sha256})
    assert (blobs.names(), blobs.thrown()) == (set(), {sha256})


def test_a_fault_of_ours_is_not_called_the_stores(world: World) -> None:
    blobs, _, store = world
    store.put = lambda *given, **more: {}["no such thing"]
    with pytest.raises(KeyError):
        blobs.put(b"data")
