"""Classes: who leads one, who is in it, what the teacher has set, and what was done in lessons.

Secrets are kept as SHA-256 and compared in constant time. Two counters say that something changed: `version` counts
everything, for the board; `rules_version` what students' pages must follow. A page asks for them at most once a second.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.people import Action
from core.store.class_rows import (
    CODE_LENGTH,
    LETTERS,
    Room,
    Rules,
    Student,
    Taking,
    checked_nickname,
    hash_of,
    is_whole,
    nickname_key,
    read_code,
    read_room,
    read_student,
    read_taking,
)
from core.store.database import Database
from core.store.schema import ClassRow, StudentRow, TakingRow

MOST_STUDENTS = 200
MOST_TAKINGS = 2000
"""Rows one student can add."""
MOST_CLASSES_A_DAY = 200

_LATELY_SECONDS = 1.0
_SEEN_SECONDS = 60.0
_DAY = 86_400.0
NO_CLASS = "There is no class with this code; ask your teacher for it."
REMOVED = "Your teacher has removed this nickname; join the class again with another one."
ENDED = "This class is over: everything in it can be looked at, but nothing changes any more."


class Classes:
    """The classes of this home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[float, tuple[int, int]]] = {}

    def create(self) -> tuple[Room, str]:
        """Make a class; returns it and the teacher's secret, which is kept nowhere.

        Raises:
            InvalidInput: far too many were made today.
        """
        secret, now = secrets.token_urlsafe(24), time.time()
        with self._database.write("making a class") as connection:
            lately = select(func.count()).select_from(ClassRow).where(ClassRow.created > now - _DAY)
            if (connection.execute(lately).scalar() or 0) >= MOST_CLASSES_A_DAY:
                raise InvalidInput(
                    "Too many classes were made here today; use one of them, or come tomorrow."
                )
            code = _new_code(connection)
            row: dict[str, Any] = {"code": code, "secret_sha256": _sha256(secret)}
            row |= {"seed": secrets.randbelow(2**31), "rules": Rules().model_dump_json()}
            row["row_hash"] = hash_of(Room, row)
            connection.execute(insert(ClassRow).values(**row, created=now, version=1, rules_version=1))
        return self.get(code), secret

    def all(self) -> list[Room]:
        """All classes, the newest first; damaged ones are left out (`check` names them)."""
        found = []
        with self._database.read(tolerant=True) as connection:
            newest = select(ClassRow.__table__).order_by(ClassRow.created.desc(), ClassRow.code)
            for row in connection.execute(newest).mappings():
                with suppress(DamagedArtifact):
                    found.append(read_room(dict(row)))
        return found

    def get(self, code: str) -> Room:
        """A class.

        Args:
            code: as a person types it.

        Raises:
            NotFound: there is none.
            DamagedArtifact: its row has changed on the disk.
        """
        with self._database.read(tolerant=True) as connection:
            return read_room(_class_row(connection, read_code(code)))

    def versions(self, code: str) -> tuple[int, int]:
        """(version, rules_version) as they were at most a second ago; own changes are seen at once. (0, 0): no class."""
        now = time.monotonic()
        when, known = self._seen.get(code, (-math.inf, (0, 0)))
        if now - when < _LATELY_SECONDS:
            return known
        query = select(ClassRow.version, ClassRow.rules_version).where(ClassRow.code == code)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        versions = (int(found[0]), int(found[1])) if found else (0, 0)
        if found:  # strangers' codes are not remembered
            self._seen[code] = now, versions
        return versions

    def is_teacher(self, code: str, secret: str) -> bool:
        """Whether this is the teacher's secret of this class."""
        query = select(ClassRow.secret_sha256).where(ClassRow.code == read_code(code))
        with self._database.read() as connection:
            kept = connection.execute(query).scalar()
        # Compared even where there is no class, so that the time tells nothing.
        return hmac.compare_digest(_sha256(secret), kept or "") and kept is not None

    def new_secret(self, code: str) -> str:
        """Another secret for the teacher: the old link no longer leads the class.

        Raises:
            NotFound: there is no such class.
        """
        secret = secrets.token_urlsafe(24)
        with self._changed(code, rules=True, doing="changing the teacher's link") as (connection, row):
            new = {**row, "secret_sha256": _sha256(secret)}
            values = {"secret_sha256": new["secret_sha256"], "row_hash": hash_of(Room, new)}
            connection.execute(update(ClassRow).where(ClassRow.code == row["code"]).values(**values))
        return secret

    def set_rules(self, code: str, change: Callable[[Rules, int], Rules]) -> Rules:
        """Change what the teacher has set; returns it.

        Args:
            code: of the class.
            change: from the rules as they are now and the class's counter to the new ones; what it raises
                changes nothing.

        Raises:
            NotFound: there is no such class.
        """
        with self._changed(code, rules=True, doing="changing a class") as (connection, row):
            rules = change(read_room(row).rules, row["version"])
            new = {**row, "rules": rules.model_dump_json()}
            values = {"rules": new["rules"], "row_hash": hash_of(Room, new)}
            connection.execute(update(ClassRow).where(ClassRow.code == row["code"]).values(**values))
        return rules

    def delete(self, code: str) -> list[Student]:
        """Delete a class with everything kept of its students; returns them, for their sandboxes are elsewhere.

        Raises:
            NotFound: there is no such class.
        """
        students = self.students(read_code(code))
        with self._database.write("deleting a class") as connection:
            gone = connection.execute(delete(ClassRow).where(ClassRow.code == read_code(code)))
            if gone.rowcount != 1:
                raise NotFound(NO_CLASS)
        self._seen.pop(read_code(code), None)
        return students

    def join(self, code: str, nickname: str) -> tuple[Student, str]:
        """Become a student of a class; returns who, and the student's secret, which is kept nowhere.

        Raises:
            NotFound: there is no such class.
            InvalidInput: the nickname cannot be used or is taken, or the class is full or over.
        """
        name, secret, now = checked_nickname(nickname), secrets.token_hex(16), time.time()
        with self._changed(code, rules=False, doing="joining a class") as (connection, of):
            if read_room(of).rules.ended:
                raise InvalidInput(ENDED)
            mine = StudentRow.code == of["code"]
            count = connection.execute(select(func.count()).select_from(StudentRow).where(mine)).scalar() or 0
            if count >= MOST_STUDENTS:
                raise InvalidInput(f"This class is full: it has {MOST_STUDENTS} students.")
            taken = select(StudentRow.number).where(mine, StudentRow.name_key == nickname_key(name))
            if connection.execute(taken).first():
                raise InvalidInput("Somebody in this class has this nickname; choose another one.")
            row = {"student_id": uuid.uuid4().hex, "code": of["code"], "number": count + 1, "nickname": name}
            row["secret_sha256"] = _sha256(secret)
            row["row_hash"] = hash_of(Student, row)
            row |= {
                "name_key": nickname_key(name),
                "joined": now,
                "seen": now,
                "lesson": "",
                "removed": False,
            }
            connection.execute(insert(StudentRow).values(**row))
            return read_student(row), secret

    def student(self, student_id: str, secret: str) -> Student | None:
        """Who has this id and this secret; None for nobody, also for who was removed."""
        query = select(StudentRow.__table__).where(StudentRow.student_id == student_id)
        with self._database.read(tolerant=True) as connection:
            row = connection.execute(query).mappings().one_or_none()
        kept = row["secret_sha256"] if row else ""
        if not hmac.compare_digest(_sha256(secret), kept) or row is None:
            return None
        found = read_student(dict(row))
        return None if found.removed or not is_whole(Student, dict(row)) else found

    def students(self, code: str) -> list[Student]:
        """Everybody who has joined, removed ones too, in this order; damaged rows are left out."""
        query = select(StudentRow.__table__).where(StudentRow.code == code).order_by(StudentRow.number)
        with self._database.read(tolerant=True) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            return [read_student(row) for row in rows if is_whole(Student, row)]

    def remove(self, code: str, student_id: str, *, removed: bool = True) -> None:
        """Remove a student from the class, or bring one back; what was done is kept.

        Raises:
            NotFound: there is no such student in this class.
        """
        this = (StudentRow.student_id == student_id) & (StudentRow.code == read_code(code))
        with self._changed(code, rules=True, doing="removing a student") as (connection, _):
            if connection.execute(update(StudentRow).where(this).values(removed=removed)).rowcount != 1:
                raise NotFound("This student is not in the class.")

    def at(self, student: Student, lesson: str) -> None:
        """Say which lesson a student has open; written only where it is news, or a minute old."""
        now, this = time.time(), StudentRow.student_id == student.student_id
        query = select(StudentRow.lesson, StudentRow.seen).where(this)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        if found is None or (found[0] == lesson and now - found[1] < _SEEN_SECONDS):
            return
        with self._changed(student.code, rules=False, doing="saying where a student is") as (connection, _):
            connection.execute(update(StudentRow).where(this).values(lesson=lesson[:64], seen=now))

    def take(
        self, student: Student, lesson: str, evidence: str, change: Callable[[str, Rules], tuple[str, bool]]
    ) -> Taking:
        """Add what a student has done in a lesson.

        Args:
            student: who.
            lesson: its name.
            evidence: what its numbers are of; "" as in the row before.
            change: from what was taken before ("" for nothing) and the class's rules to what is taken now and
                whether the lesson is begun again; what it raises changes nothing.

        Raises:
            InvalidInput: the student was removed, the class is over, or too much was done.
        """
        this = (TakingRow.code == student.code) & (TakingRow.student_id == student.student_id)
        with self._changed(student.code, rules=False, doing="saving what you did") as (connection, of):
            rules = read_room(of).rules
            self.require_active(connection, student, rules)
            last = select(TakingRow.taken, TakingRow.evidence).where(this, TakingRow.lesson == lesson)
            before = connection.execute(last.order_by(TakingRow.ordinal.desc()).limit(1)).one_or_none()
            if (connection.execute(select(func.count()).where(this)).scalar() or 0) >= MOST_TAKINGS:
                raise InvalidInput("You have done more in this class than is kept; nothing more is saved.")
            taken, reset = change(before[0] if before else "", rules)
            row = {"code": of["code"], "ordinal": of["version"], "student_id": student.student_id}
            row |= {"lesson": lesson[:64], "taken": taken, "reset": reset, "created": time.time()}
            row["evidence"] = (evidence or (before[1] if before else ""))[:200]
            row["row_hash"] = hash_of(Taking, row)
            connection.execute(insert(TakingRow).values(**row))
            seen = update(StudentRow).where(StudentRow.student_id == student.student_id)
            connection.execute(seen.values(lesson=row["lesson"], seen=row["created"]))
            return read_taking(row)

    def takings(self, code: str, student_id: str | None = None) -> list[Taking]:
        """Everything that was done, oldest first, or what one student did; damaged rows are left out."""
        query = select(TakingRow.__table__).where(TakingRow.code == code).order_by(TakingRow.ordinal)
        if student_id is not None:
            query = query.where(TakingRow.student_id == student_id)
        with self._database.read(tolerant=True) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            return [read_taking(row) for row in rows if is_whole(Taking, row)]

    def require_active(self, connection: Connection, student: Student, rules: Rules) -> None:
        """Refuse what somebody does who was removed, or in a class that is over.

        Raises:
            InvalidInput: so it is.
        """
        removed = select(StudentRow.removed).where(StudentRow.student_id == student.student_id)
        if connection.execute(removed).scalar() is not False:
            raise InvalidInput(REMOVED)
        if rules.ended:
            raise InvalidInput(ENDED)

    @contextmanager
    def changed(self, code: str, doing: str) -> Iterator[tuple[Connection, Room]]:
        """A writing transaction that counts as one change of the class, which comes with its new counter.

        Raises:
            NotFound: there is no such class.
        """
        with self._changed(code, rules=False, doing=doing) as (connection, row):
            yield connection, read_room(row)

    @contextmanager
    def _changed(
        self, code: str, *, rules: bool, doing: str
    ) -> Iterator[tuple[Connection, Mapping[str, Any]]]:
        known = read_code(code)
        try:
            with self._database.write(doing, action=Action.TAKE_PART) as connection:
                row = dict(_class_row(connection, known))
                row["version"] += 1
                row["rules_version"] += rules
                counted = update(ClassRow).where(ClassRow.code == known)
                counters = {name: row[name] for name in ("version", "rules_version")}
                connection.execute(counted.values(**counters))
                yield connection, row
        finally:
            self._seen.pop(known, None)


def _class_row(connection: Connection, code: str) -> Mapping[str, Any]:
    found = connection.execute(select(ClassRow.__table__).where(ClassRow.code == code)).mappings()
    row = found.one_or_none()
    if row is None:
        raise NotFound(NO_CLASS)
    return dict(row)


def _new_code(connection: Connection) -> str:
    while True:
        code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
        if not connection.execute(select(ClassRow.code).where(ClassRow.code == code)).first():
            return code


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
