"""The audit log: who did what, when, to which run, and what came of it.

Rows are only ever added. Each carries a hash over itself and the hash of the row before, and one row of another table
holds the last hash: a changed row, a gap and a cut end all show in `check`. Whoever may write to the database can write
all of it anew; to notice that, too, keep the last hash somewhere else (`python -m core audit` prints it).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from core.people.person import Person
from core.store.database import Database
from core.store.schema import AuditHeadRow, AuditRow, row_hash

DONE, REFUSED, FAILED = "done", "refused", "failed"

_START = "0" * 64
_FIELDS = ("number", "at_ms", "person", "name", "action", "about", "outcome", "said")
_LONGEST = 400


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        number: from 1, without gaps.
        at: seconds since the epoch, for display only.
        person, name: who; "" for somebody not known.
        action: see `core.people.Action`, or "log in".
        about: id of the run, supernet or table; "" where it is none.
        outcome: "done", "refused" or "failed".
        said: the sentence that was shown where it was not done.
    """

    number: int
    at: float
    person: str
    name: str
    action: str
    about: str
    outcome: str
    said: str


def append(
    connection: Connection, person: Person, action: str, about: str = "", outcome: str = DONE, said: str = ""
) -> None:
    """Add a row in a writing transaction, so that it is there exactly if what it says has happened."""
    head = connection.execute(select(AuditHeadRow.number, AuditHeadRow.row_hash)).one_or_none()
    number, before = (0, _START) if head is None else head
    values: dict[str, Any] = {
        "number": number + 1,
        "at_ms": int(time.time() * 1000),
        "person": _plain(person.id, 200),
        "name": _plain(person.name, 200),
        "action": action[:64],
        "about": _plain(about, 64),
        "outcome": outcome,
        "said": _plain(said, _LONGEST),
    }
    hashed = _hash(values, before)
    connection.execute(insert(AuditRow).values(**values, row_hash=hashed))
    now = {"number": number + 1, "row_hash": hashed}
    if head is None:
        connection.execute(insert(AuditHeadRow).values(only=1, **now))
    else:
        connection.execute(update(AuditHeadRow).values(**now))


class Audit:
    """Reads the log, and adds what is no write of its own, such as a log-in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, person: Person, action: str, outcome: str = DONE, said: str = "") -> None:
        """Add a row.

        Raises:
            StorageFailed: the disk refused it.
        """
        with self._database.write("saving the audit log") as connection:
            append(connection, person, action, "", outcome, said)

    def newest(self, most: int = 200) -> list[Entry]:
        """The last rows, newest first."""
        return self._read(select(AuditRow.__table__).order_by(AuditRow.number.desc()).limit(most))

    def all(self) -> list[Entry]:
        """Every row, oldest first."""
        return self._read(select(AuditRow.__table__).order_by(AuditRow.number))

    def last_hash(self) -> str:
        """The hash of the last row, which stands for all before; "" where there is none."""
        with self._database.read() as connection:
            return str(connection.execute(select(AuditHeadRow.row_hash)).scalar() or "")

    def _read(self, query: Any) -> list[Entry]:
        with self._database.read("reading the audit log", tolerant=True) as connection:
            return [
                Entry(
                    **{name: row[name] for name in _FIELDS if name != "at_ms"}, at=float(row["at_ms"]) / 1000
                )
                for row in connection.execute(query).mappings()
            ]


def audit_damage(connection: Connection) -> Iterator[str]:
    """One sentence for each row that was changed, removed or put in between, and for an end that was cut off."""
    number, before = 0, _START
    for row in connection.execute(select(AuditRow.__table__).order_by(AuditRow.number)).mappings():
        if row["number"] != number + 1:
            yield f"The audit log lacks rows {number + 1} to {row['number'] - 1}: somebody removed them."
        elif _hash(row, before) != row["row_hash"]:
            yield f"Row {row['number']} of the audit log, or the one before it, was changed after it was written."
        number, before = row["number"], row["row_hash"]
    head = connection.execute(select(AuditHeadRow.number, AuditHeadRow.row_hash)).all()
    expected = [(number, before)] if number else []
    if [tuple(each) for each in head] != expected:
        yield f"The end of the audit log was cut off or put on: it ends with row {number}, which was not the last one written."


def _hash(row: Any, before: str) -> str:
    return row_hash(before, *(row[name] for name in _FIELDS))


def _plain(text: str, longest: int) -> str:
    """Text that any database takes: no NUL, no half of a pair."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()[:longest]
