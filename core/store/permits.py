"""The gate: a write that a page asks for passes only if who asks may do it.

It stands where every write begins (`Database.write`), so a page with a forgotten button, a message that names a disabled
one and a new method of the store all meet it. What is written in the table below under its own words is a deed with a
role; what is not is for administrators.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from core.errors import NotAllowed
from core.people.actions import Action
from core.people.asking import asking, require, why_not
from core.people.person import Person
from core.store import audit
from core.store.database import Database
from core.store.owners import keep_spent, owner_of, sign
from core.store.quotas import require_quota

FOLLOWS = frozenset(
    {
        "preparing the database",
        "putting files back",
        "removing old files",
        "moving files to the trash",
        "saving the audit log",
    }
)
"""What is done for a deed that has passed, and harms nothing alone: only files that no row names are moved."""

DEEDS: dict[str, Action] = {
    "saving a run": Action.START,
    "queueing a run": Action.RESUME,
    "cancelling a run": Action.CANCEL,
    "deleting a run": Action.DELETE,
    "renaming a run": Action.RENAME,
    "saving a supernet": Action.UPLOAD,
    "renaming a supernet": Action.RENAME,
    "deleting a supernet": Action.DELETE,
    "saving a table": Action.UPLOAD,
    "saving other columns of a table": Action.CHANGE,
    "saving what columns mean": Action.CHANGE,
    "renaming a table": Action.RENAME,
    "removing a table": Action.DELETE,
    "bringing a table back": Action.DELETE,
    "saving a basket": Action.COLLECT,
    "adding to a basket": Action.COLLECT,
    "removing from a basket": Action.COLLECT,
    "renaming a basket": Action.COLLECT,
    "deleting a basket": Action.COLLECT,
    "bringing a basket back": Action.COLLECT,
    "removing a damaged row": Action.REPAIR,
    "holding files for a backup": Action.BACK_UP,
    "putting a backup back": Action.BACK_UP,
    "making a class": Action.HOLD_CLASS,
    "deleting a class": Action.HOLD_CLASS,
}

_MADE = (Action.START, Action.UPLOAD)
_QUOTAS = (Action.START, Action.RESUME, Action.UPLOAD)
_QUIET = (Action.TAKE_PART, Action.COLLECT)
"""Not written to the audit log where it is done: it would hide what matters."""

_AGAIN_SECONDS = 10.0
_MOST_REMEMBERED = 1000


class _Refusals:
    """Which refusals were written down lately: whoever presses a thousand times fills no disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lately: dict[tuple[str, str, str], float] = {}

    def is_new(self, *key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if len(self._lately) > _MOST_REMEMBERED:
                self._lately.clear()
            last = self._lately.get((key[0], key[1], key[2]))
            if last is not None and now - last < _AGAIN_SECONDS:
                return False
            self._lately[key[0], key[1], key[2]] = now
            return True


_refusals = _Refusals()


class Permits:
    """The gate of a store: see `core.store.database.Gate`."""

    def asking(self) -> Person | None:
        """Who asks in this thread; None is the machine's own work."""
        return asking()

    @contextmanager
    def permitted(
        self, connection: Connection, person: Person, doing: str, of: str, action: Action | None
    ) -> Iterator[None]:
        """A deed inside its own transaction: checked before, signed and written to the audit log after.

        Args:
            connection: of the writing transaction.
            person: who asks.
            doing: what, as `Database.write` was told.
            of: id of the thing it is done to, or that it makes; "" where it is none.
            action: the deed, where the words do not say it.

        Raises:
            NotAllowed: who asks may not, or has used up what they may have.
        """
        if doing in FOLLOWS:
            yield
            return
        deed = action or DEEDS.get(doing, Action.OTHER)
        owner = None if deed in _MADE or not of else owner_of(connection, of)
        own = deed in _MADE or not of or (owner is not None and owner.id == person.id)
        if reason := why_not(person, deed, own=own):
            raise NotAllowed(reason)
        if deed in _QUOTAS:
            require_quota(connection, person, deed)
        if deed is Action.DELETE:
            keep_spent(connection, of)
        yield
        if deed in _MADE and of:
            sign(connection, of, person)
        if deed not in _QUIET:
            audit.append(connection, person, deed, of)

    def record_refusal(
        self,
        connection: Connection,
        person: Person,
        doing: str,
        of: str,
        action: Action | None,
        error: Exception,
    ) -> None:
        """Write down that a deed was refused or failed, in a transaction of its own."""
        deed = action or DEEDS.get(doing, Action.OTHER)
        outcome = audit.REFUSED if isinstance(error, NotAllowed) else audit.FAILED
        if doing not in FOLLOWS and deed is not Action.TAKE_PART and _refusals.is_new(person.id, deed, of):
            audit.append(connection, person, deed, of, outcome, str(error))


def require_upload(database: Database) -> None:
    """Before a file is written that a row shall name: let pass who may upload and has room left.

    Raises:
        NotAllowed: who asks may not, or holds as much as they may.
    """
    person = None if database.gate is None else database.gate.asking()
    if person is None:
        return
    require(Action.UPLOAD)
    with database.read() as connection:
        require_quota(connection, person, Action.UPLOAD)


def require_for(database: Database, action: Action, of: str) -> None:
    """Before a file is written for a thing that is there: let pass who may do this to it.

    Raises:
        NotAllowed: who asks may not.
    """
    person = None if database.gate is None else database.gate.asking()
    if person is None:
        return
    with database.read() as connection:
        owner = owner_of(connection, of)
    require(action, own=owner is not None and owner.id == person.id)
