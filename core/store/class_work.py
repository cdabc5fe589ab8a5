"""What a class does together: subnets dealt to students to be trained alone, and entries in contests.

A deal and a try are counted in the same transaction as they are written, so that two tabs get no sixth try and no two
students the same network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.errors import InvalidInput
from core.store.class_rows import (
    TRIES,
    Contest,
    Deal,
    Entry,
    Student,
    hash_of,
    is_whole,
    read_deal,
    read_entry,
)
from core.store.classes import Classes
from core.store.database import Database
from core.store.schema import DealRow, EntryRow

MOST_DEALS = 2
"""Networks that one student trains for the shared experiment."""


class ClassWork:
    """Deals and entries of the classes of this home."""

    def __init__(self, database: Database, classes: Classes) -> None:
        self._database, self._classes = database, classes

    def deal(self, student: Student, choose: Callable[[int], tuple[str, int]]) -> Deal:
        """Give a student the next subnet to train alone, or again one whose training was never queued.

        Args:
            student: who.
            choose: number of the deal, from 0 -> (arch_id, seed).

        Raises:
            InvalidInput: the experiment is closed, the class over, the student removed or done.
        """
        of_class = DealRow.code == student.code
        with self._classes.changed(student.code, "dealing a network") as (connection, room):
            self._classes.require_active(connection, student, room.rules)
            if not room.rules.experiment:
                raise InvalidInput("The shared experiment is closed.")
            mine = select(DealRow.__table__).where(of_class, DealRow.student_id == student.student_id)
            had = [dict(row) for row in connection.execute(mine).mappings()]
            for row in had:
                if not row["run_id"]:
                    return read_deal(row)
            if len(had) >= MOST_DEALS:
                raise InvalidInput(f"You have trained your {MOST_DEALS} networks; thank you.")
            number = int(connection.execute(select(func.count()).where(of_class)).scalar() or 0)
            arch_id, seed = choose(number)
            row = {"code": room.code, "number": number, "student_id": student.student_id, "arch_id": arch_id}
            row |= {"seed": seed, "run_id": "", "finished": None, "test_accuracy": None}
            row |= {"row_hash": hash_of(Deal, row), "created": time.time()}
            connection.execute(insert(DealRow).values(**row))
            return read_deal(row)

    def queued(self, code: str, number: int, run_id: str) -> None:
        """Say which run of the student's sandbox trains a deal."""
        with self._classes.changed(code, "saving which run trains a network") as (connection, _):
            _update_deal(connection, code, number, run_id=run_id)

    def finished(self, code: str, number: int, test_accuracy: float) -> None:
        """Keep the result of a deal; a second one changes nothing."""
        with self._classes.changed(code, "saving the result of a network") as (connection, room):
            this = (DealRow.code == code) & (DealRow.number == number) & DealRow.finished.is_(None)
            if connection.execute(select(DealRow.number).where(this)).first():
                _update_deal(connection, code, number, finished=room.version, test_accuracy=test_accuracy)

    def deals(self, code: str) -> list[Deal]:
        """All deals in order; damaged rows are left out."""
        query = select(DealRow.__table__).where(DealRow.code == code).order_by(DealRow.number)
        with self._database.read(tolerant=True) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            return [read_deal(row) for row in rows if is_whole(Deal, row)]

    def enter(self, student: Student, *, supernet: str, arch_id: str, macs: int, of: int) -> Entry:
        """Take one of the student's tries in the open contest; the entry is judged afterwards.

        Args:
            supernet, arch_id: the subnet.
            macs: what it needs.
            of: hidden images it will be judged on.

        Raises:
            InvalidInput: no contest is open, the budget is exceeded, the subnet was entered before, no try is
                left, the class is over or the student removed; no try is used then.
        """
        with self._classes.changed(student.code, "entering a contest") as (connection, room):
            self._classes.require_active(connection, student, room.rules)
            contest = _open_contest(room.rules.contests)
            if macs > contest.budget:
                raise InvalidInput(
                    f"This subnet needs {macs:,} MACs; the budget is {contest.budget:,}. No try was used."
                )
            mine = (EntryRow.code == room.code) & (EntryRow.contest == contest.number)
            mine &= EntryRow.student_id == student.student_id
            tried = connection.execute(
                select(EntryRow.supernet, EntryRow.arch_id, EntryRow.attempt).where(mine)
            )
            had = list(tried.all())
            if any((each[0], each[1]) == (supernet, arch_id) for each in had):
                raise InvalidInput("You have entered this subnet already; no try was used.")
            if len(had) >= TRIES:
                raise InvalidInput(f"Your {TRIES} tries of this contest are used.")
            row: dict[str, Any] = {"code": room.code, "contest": contest.number}
            row |= {
                "student_id": student.student_id,
                "attempt": max((each[2] for each in had), default=0) + 1,
            }
            row |= {"supernet": supernet, "arch_id": arch_id, "macs": macs, "correct": None, "of": of}
            row["ordinal"] = room.version
            row |= {"row_hash": hash_of(Entry, row), "created": time.time()}
            connection.execute(insert(EntryRow).values(**row))
            return read_entry(row)

    def judged(self, code: str, entry: Entry, correct: int) -> None:
        """Keep how many hidden images an entry got right; a second judgment changes nothing."""
        this = (EntryRow.code == code) & (EntryRow.contest == entry.contest)
        this &= (EntryRow.student_id == entry.student_id) & (EntryRow.attempt == entry.attempt)
        with self._classes.changed(code, "saving the result of an entry") as (connection, _):
            query = select(EntryRow.__table__).where(this, EntryRow.correct.is_(None))
            found = connection.execute(query).mappings().one_or_none()
            if found is not None:
                row = {**found, "correct": correct}
                values = {"correct": correct, "row_hash": hash_of(Entry, row)}
                connection.execute(update(EntryRow).where(this).values(**values))

    def entries(self, code: str) -> list[Entry]:
        """All entries in order; damaged rows are left out."""
        query = select(EntryRow.__table__).where(EntryRow.code == code).order_by(EntryRow.ordinal)
        with self._database.read(tolerant=True) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            return [read_entry(row) for row in rows if is_whole(Entry, row)]


def _open_contest(contests: Sequence[Contest]) -> Contest:
    if not contests or not contests[-1].open:
        raise InvalidInput("No contest is open now.")
    return contests[-1]


def _update_deal(connection: Connection, code: str, number: int, **changes: Any) -> None:
    this = (DealRow.code == code) & (DealRow.number == number)
    found = connection.execute(select(DealRow.__table__).where(this)).mappings().one()
    row = {**found, **changes}
    connection.execute(update(DealRow).where(this).values(**changes, row_hash=hash_of(Deal, row)))
