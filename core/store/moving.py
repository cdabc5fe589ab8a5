"""Files of a database from one place to another: copied, compared there, and put away here only after that.

It may be cut off at any moment and begun again: what is there already is read and compared instead of copied. Files that rows
name, and those of the place itself that none names yet, are copied, for a run may be about to name them; what the trash
holds stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, func, select

from core.errors import DamagedArtifact, InvalidInput, StorageFailed
from core.store.files import Files
from core.store.leases import ACTIVE
from core.store.naming import named_files
from core.store.opening import Opened, open_places
from core.store.places import Blobs
from core.store.schema import ImportedTableRow, RunRow
from core.store.shared_uploads import SharedUploads
from core.store.storage import UPLOADS
from core.store.uploads import used_uploads

Report = Callable[[int, int], None]
"""Told how many files are there and compared, of how many."""
_AT_ONCE = 4


@dataclass(frozen=True)
class Moved:
    """What became of it.

    Attributes:
        place: where the files are now.
        copied: files that were copied.
        there: files that were there already, read again and whole.
        bytes: size of what was copied.
        put_away: files that were moved to the trash of the place they came from.
        missing: a sentence for each file that rows name and that is nowhere whole.
    """

    place: str
    copied: int
    there: int
    bytes: int
    put_away: int
    missing: tuple[str, ...]


def move_files(
    files: Files, home: Path, url: str, *, put_away: bool = False, report: Report = lambda done, total: None
) -> Moved:
    """Copy every file of a database to another place, and compare each there.

    Args:
        files: of the store, where they are now.
        home: of the store.
        url: where to, as PARETOSCOPE_FILES_URL says it; "" is the home.
        put_away: afterwards move those it copied to the trash of the place they came from.
        report: told after each file.

    Raises:
        InvalidInput: they are there already; or they shall be put away while runs wait or run.
        StorageFailed, DataUnavailable: one of the places refuses, or cannot be reached; nothing was put away.
    """
    target = open_places(home, files.database, url)
    source = files.blobs
    if source.place == target.blobs.place:
        source = open_places(home, files.database, "").blobs
    if source.place == target.blobs.place:
        raise InvalidInput(f"The files are in {source.place} already.")
    if put_away:
        with files.database.read("looking at runs") as connection:
            _require_rest(connection)
    with files.database.read("listing files") as connection:
        wanted = named_files(connection) | set(connection.execute(select(ImportedTableRow.sha256)).scalars())
        named = named_files(connection)
    done: dict[str, int] = {}
    missing = []
    names = sorted(wanted | source.names())
    for sha256, outcome in _together(lambda each: _copied([files.blobs, source], target.blobs, each), names):
        if isinstance(outcome, str):
            missing += [outcome] if sha256 in named else []
        else:
            done[sha256] = outcome
        report(len(done), len(names))
    _move_uploads(files, home, target)
    away = _put_away(files, source, set(done)) if put_away and not missing else 0
    copied = [size for size in done.values() if size >= 0]
    return Moved(target.blobs.place, len(copied), len(done) - len(copied), sum(copied), away, tuple(missing))


def _copied(sources: list[Blobs], target: Blobs, sha256: str) -> int | str:
    """Bytes copied, -1 where it was there, or why there is nothing to copy."""
    if target.holds(sha256):
        return -1
    for source in sources:
        try:
            data = source.get(sha256)
        except DamagedArtifact as error:
            said = str(error)
            continue
        target.without_limit().put(data)
        if not target.holds(sha256):
            raise StorageFailed(
                f"{target.place} did not keep the file {sha256[:12]} as it was sent. Nothing was removed where it came from: "
                "look at that place, then move again."
            )
        return len(data)
    return said


def _put_away(files: Files, source: Blobs, there: set[str]) -> int:
    """Move to the trash what was seen whole at the other place, and nothing else."""
    with files.database.write("putting moved files away") as connection:
        _require_rest(connection)
        away = source.names() & there
        source.put_away(away)
    return len(away)


def _move_uploads(files: Files, home: Path, target: Opened) -> None:
    """What requests and cards name of what people handed over."""
    folder = home / UPLOADS
    with files.database.read("listing uploads") as connection:
        used = used_uploads(connection)
    if files.shared_uploads is not None:
        now = SharedUploads(folder, files.shared_uploads, ask=False)
        now.bring_all(sorted(used & files.shared_uploads.names()))
    if target.uploads is not None:
        SharedUploads(folder, target.uploads, ask=False).share(" ".join(used))


def _require_rest(connection: Connection) -> None:
    active = select(func.count()).select_from(RunRow).where(RunRow.state.in_(ACTIVE))
    if connection.execute(active).scalar():
        raise InvalidInput(
            "Runs wait or run, which save files where they are now. Let them finish or cancel them, stop the servers, then put "
            "the files away; copying alone is possible at any time."
        )


def _together(call: Callable[[str], int | str], names: Iterable[str]) -> Iterator[tuple[str, int | str]]:
    """(name, answer) in order, a few at a time; the first that raises ends it."""
    waiting = iter(names)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while part := list(islice(waiting, 4 * _AT_ONCE)):
            yield from zip(part, pool.map(call, part), strict=True)
