"""A supernet from a person's file: understood in a confined process, shown, and kept when the person says so.

What was made of a file lies as one package under the file's SHA-256, so nothing is decoded twice and a page may ask
again at every rerun. Packages are only copies: the ones used longest ago are deleted when there are many.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.cache import Cache
from core.config import JsonObject, Settings
from core.confined import Limits, run_confined
from core.datasets.loading import write_whole
from core.errors import InvalidInput, NotFound
from core.library import supernets
from core.library.supernets import TABLE_FILE, SupernetEntry
from core.records import RunState
from core.settings import settings
from core.supernets.folders.folder import of_path
from core.supernets.headers import peek_supernet, with_data
from core.supernets.loaders.understood import Understood

if TYPE_CHECKING:
    from core.store import RunStore

UNNAMED = "supernet"
LOADED = "loaded"
"""Under this name a stored supernet's card says what file it was made of; `TOLD` is what of it."""
TOLD = ("loader", "label", "facts", "fixed", "sha256", "beside")
LOADER = "core.supernets.loaders.worker"
SUPERNET = "supernet.safetensors"
MOST_FILE_BYTES = 256 * 2**20
MOST_KEPT_BYTES = 2 * 2**30
_CPU_SECONDS = 120
_MEMORY_BYTES = 3 * 2**30
"""Torch's own, and a network as large as the smallest files carry; larger files may take more."""
_OURS = re.compile(r"[0-9a-f]{64}\.(zip|json)")
_MOST_ANSWER = 2**24

_refused: Cache[str] = Cache(512)


@dataclass(frozen=True)
class Added:
    """Where a loaded supernet is now.

    Attributes:
        supernet_id: its id in the store.
        title: what it is called there.
        was_there: whether the same file had been added before; then nothing was stored.
    """

    supernet_id: str
    title: str
    was_there: bool


def understand(name: str, given: bytes | Path, settings: JsonObject | None = None) -> Understood:
    """What a file is; decoded once, in a confined process.

    Args:
        name: of the file.
        given: its bytes; or a folder of a transformer on this machine.
        settings: of the loader, where it has some; the same file with others is another supernet.

    Raises:
        InvalidInput: it is nothing that can be loaded, is damaged, or is hostile.
        NotFound: there is no such folder.
        Busy: the machine has no time to read it now.
        StorageFailed: the disk refused what was made of it.
    """
    sha256 = content_sha256(given)
    package_key = (
        sha256 if not settings else hashlib.sha256(f"{sha256} {_text(settings)}".encode()).hexdigest()
    )
    known = _known(package_key)
    if known is not None:
        return known
    if (said := _refused.find(package_key)) is not None:
        raise InvalidInput(said)
    package, told = _paths(package_key)
    data, asked = asked_of(name, given, settings)
    try:
        answer = run_confined(LOADER, data, asked, package, limits_for(given))
    except InvalidInput as error:
        _refused.put(package_key, str(error))
        raise
    found = Understood.model_validate(answer | {"sha256": sha256, "package": package_key})
    write_whole(told, lambda file: file.write(found.model_dump_json().encode()), private=True)
    _make_room(package)
    return found


def content_sha256(given: bytes | Path) -> str:
    """SHA-256 of a file's bytes, or of the names and contents of a folder's files.

    Raises:
        InvalidInput: there is too much of it.
        NotFound: there is no such folder.
    """
    if isinstance(given, Path):
        return of_path(given).sha256()
    if len(given) > MOST_FILE_BYTES:
        raise InvalidInput(f"The file has {len(given):,} bytes; at most {MOST_FILE_BYTES:,} are accepted.")
    return hashlib.sha256(given).hexdigest()


def asked_of(name: str, given: bytes | Path, settings: JsonObject | None) -> tuple[bytes, Settings]:
    """What a confined process gets: bytes and options."""
    asked: Settings = {"name": name[:200]}
    if settings:
        asked["settings"] = dict(settings)
    if isinstance(given, Path):
        return b"", asked | {"folder": str(given.resolve())}
    return given, asked


def limits_for(given: bytes | Path) -> Limits:
    """What the process may use that reads a file."""
    size = of_path(given).weight_bytes if isinstance(given, Path) else len(given)
    return Limits(memory_bytes=_MEMORY_BYTES + 6 * size, cpu_seconds=_CPU_SECONDS, file_bytes=2 * 2**30)


def _text(settings: JsonObject) -> str:
    return json.dumps(dict(settings), sort_keys=True)


def keep(store: RunStore, understood: Understood, title: str, data: JsonObject | None = None) -> Added:
    """Keep a supernet that was understood, unless the same one is there already.

    Args:
        store: where it is kept.
        understood: what `understand` answered.
        title: what a person calls it.
        data: what its card is to say of the data it is measured on, where the file names none.

    Raises:
        NotFound: what was made of the file is gone; it must be loaded again.
        InvalidInput: the title cannot be shown.
        StorageFailed: the disk refused it; nothing was stored.
    """
    file = converted(understood)
    if data is not None:
        file = with_data(file, data)
    sha256 = understood.file_sha256 if data is None else hashlib.sha256(file).hexdigest()
    for kept in store.list_supernets():
        if kept.sha256 == sha256:
            store.repair(file)  # its file may have been damaged since
            _keep_table(store, understood, kept.supernet_id, kept.name)
            return Added(kept.supernet_id, kept.name, was_there=True)
    # Whole: what the card names of this machine's uploads counts as used.
    told = understood.model_dump(mode="json", include=set(TOLD))
    described = {**peek_supernet(file)["card"], "family": understood.family, LOADED: told}
    named = title.strip() or UNNAMED
    supernet_id = store.add_supernet(named, file, described)
    _keep_table(store, understood, supernet_id, named)
    return Added(supernet_id, named, was_there=False)


def keep_with_data(store: RunStore, entry: SupernetEntry, data: JsonObject) -> Added:
    """A supernet once more, with data that it is measured on: the same weights, another card.

    Args:
        store: where it is kept.
        entry: that names no data.
        data: what the new one's card will say of them.

    Raises:
        StorageFailed: the disk refused it; nothing was stored.
    """
    file = with_data(entry.read(), data)
    sha256 = hashlib.sha256(file).hexdigest()
    for kept in store.list_supernets():
        if kept.sha256 == sha256:
            return Added(kept.supernet_id, kept.name, was_there=True)
    described: Settings = {**peek_supernet(file)["card"], "family": entry.family}
    if entry.origin == "uploaded" and LOADED in (before := store.get_supernet(entry.supernet_id).card):
        described[LOADED] = before[LOADED]
    named = f"{entry.title[:160]} on own images"
    return Added(store.add_supernet(named, file, described), named, was_there=False)


def _keep_table(store: RunStore, understood: Understood, supernet_id: str, title: str) -> None:
    """Keep a complete table that came beside a supernet, as if it had been measured here; unless there is one."""
    if TABLE_FILE not in understood.beside or supernets.find(store, supernet_id).read_table is not None:
        return
    run_id = store.create_run(
        "evaluate_table",
        {"supernet": supernet_id},
        title=f"All subnets of {title}, as they came with it",
        state=RunState.RUNNING,
    )
    ledger = store.ledger(run_id)
    # The table last: without it there is none, whatever else was written.
    for name in sorted(understood.beside, key=lambda each: each == TABLE_FILE):
        ledger.save_artifact(name, converted(understood, name), "application/octet-stream")
    store.set_state(run_id, RunState.DONE, "Came with the supernet's file.")


def converted(understood: Understood, name: str = SUPERNET) -> bytes:
    """A file of the package that was made: the supernet's own, or one that came beside it.

    Raises:
        NotFound: it is gone.
    """
    package, _ = _paths(understood.package or understood.sha256)
    try:
        with zipfile.ZipFile(package) as opened:
            data = opened.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise NotFound("What was read of that file is no longer kept here; load it again.") from error
    if name == SUPERNET and hashlib.sha256(data).hexdigest() != understood.file_sha256:
        raise NotFound("What was read of that file was damaged on the disk; load it again.")
    return data


def add_supernet(store: RunStore, title: str, data: bytes, name: str = "") -> Added:
    """Understand a file and keep it; raises as both do."""
    return keep(store, understand(name, data), title)


def _known(sha256: str) -> Understood | None:
    package, told = _paths(sha256)
    try:
        if told.stat().st_size > _MOST_ANSWER or not package.is_file():
            return None
        found = Understood.model_validate(json.loads(told.read_bytes()))
    except (OSError, ValueError):
        return None
    with suppress(OSError):
        os.utime(package)
    return found


def _paths(sha256: str) -> tuple[Path, Path]:
    """Where the package lies, and what was understood of it."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise NotFound("What was read of that file is no longer kept here; load it again.")
    folder = settings().home / "loaded"
    return folder / f"{sha256}.zip", folder / f"{sha256}.json"


def _make_room(newest: Path) -> None:
    """Delete packages used longest ago, beyond `MOST_KEPT_BYTES`; never the one just made."""
    with suppress(OSError):
        ours = [path for path in newest.parent.iterdir() if _OURS.fullmatch(path.name)]
        packages = [path for path in ours if path.suffix == ".zip" and path != newest]
        stats = sorted(((path.stat(), path) for path in packages), key=lambda pair: -pair[0].st_mtime)
        total = newest.stat().st_size
        for stat, path in stats:
            total += stat.st_size
            if total > MOST_KEPT_BYTES:
                path.unlink(missing_ok=True)
                path.with_suffix(".json").unlink(missing_ok=True)
