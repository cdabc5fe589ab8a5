"""Rows of classes that have changed on the disk without anybody writing them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from core.store.class_rows import Deal, Entry, Room, Student, Taking, is_whole
from core.store.schema import ClassRow, DealRow, EntryRow, StudentRow, TakingRow

_SAID = (
    (ClassRow, Room, "What is kept of class {code} has changed since it was saved. Restore a backup."),
    (
        StudentRow,
        Student,
        "Student {number} of class {code} has changed since joining; the board leaves it out.",
    ),
    (
        TakingRow,
        Taking,
        "Step {ordinal} of class {code} has changed since it was saved; the board leaves it out.",
    ),
    (
        DealRow,
        Deal,
        "Network {number} of class {code} has changed since it was saved; the board leaves it out.",
    ),
    (
        EntryRow,
        Entry,
        "An entry of contest {contest} of class {code} has changed since it was saved; it does not count.",
    ),
)


def damaged_class_rows(connection: Connection) -> Iterator[str]:
    """A sentence per row whose hash no longer fits."""
    for table, kind, said in _SAID:
        for row in connection.execute(select(table.__table__)).mappings():
            if not is_whole(kind, dict(row)):
                yield said.format(**row)
