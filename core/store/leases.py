"""Who executes which run: the queue, the lease, and the change of states.

A lease is an owner's id with a counter that only grows; a stopped counter means a dead owner. No clock
is compared between machines. On the same machine the process itself is looked up, which is immediate
and cannot mistake a slow server for a dead one. Every change is "if the row is still as I saw it", in a
writing transaction, so that two servers on one database never both win.

A queued run is nobody's, and any server may claim it; one that a command or a student's server queued for
itself is that one's alone. A start has a number, the attempt: who was taken for dead and wakes up has an
old one, with which nothing can be written any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.errors import InvalidInput, NotFound
from core.records import COMMAND_LINE, RunState
from core.store.database import Database
from core.store.quotas import held
from core.store.schema import LogRow, RunRow
from core.store.signing import NOBODY, Owner

ACTIVE = (RunState.QUEUED, RunState.RUNNING)
CANCELLED = "Cancelled. What was saved is kept: resume the run to go on."


@dataclass(frozen=True)
class Lease:
    """An active run as its owner last signed it."""

    run_id: str
    owner: Owner
    heartbeat: int
    attempt: int


@dataclass(frozen=True)
class Waiting:
    """A queued run.

    Attributes:
        run_id: its id.
        kind: its workflow.
        session: who asked for it.
        begun: whether a server had it before.
    """

    run_id: str
    kind: str
    session: str
    begun: bool = False


@dataclass(frozen=True)
class Again:
    """How a run that was cut short is queued again without a person.

    Attributes:
        said: the line of its log, from the share (0-1) that was done.
        most: how often it may say the same.
    """

    said: Callable[[float], str]
    most: int


@dataclass(frozen=True)
class Interrupted:
    """A run whose last start, `attempt`, was cut short; `created` is when it was asked for, by somebody's clock."""

    run_id: str
    attempt: int
    created: float


class Leases:
    """The states and owners of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, run_id: str, owner: Owner) -> None:
        """Put a run that was stopped or failed at the back of the queue.

        A run whose owner was a process of this machine and is no more counts as stopped: a killed command
        can be resumed at once, without a server that marks it.

        Args:
            run_id: the run.
            owner: who alone may claim it; NOBODY for any server.

        Raises:
            NotFound: there is no such run.
            InvalidInput: it is queued, running or done.
        """
        with self._database.write("queueing a run", run_id) as connection:
            row = _row(connection, run_id)
            state = RunState(row["state"])
            orphaned = state in ACTIVE and _owner(row).alive_here() is False
            if not (state.is_resumable or orphaned):
                raise InvalidInput(f"Only a run that was stopped can be resumed; this one is {state}.")
            last = connection.execute(select(func.max(RunRow.queue_number))).scalar() or 0
            _queue(connection, row, owner, queue_number=last + 1)

    def take_from_queue(self, run_id: str, owner: Owner) -> bool:
        """Reserve a queued run that is nobody's for `owner`; False if it is not such a run."""
        with self._database.write("queueing a run", run_id) as connection:
            row = _row(connection, run_id)
            if row["state"] != RunState.QUEUED or row["owner"] != NOBODY.owner_id:
                return False
            _change(connection, run_id, **owner.columns(), heartbeat=row["heartbeat"] + 1)
            return True

    def claim(self, run_id: str, owner: Owner) -> int | None:
        """Start a queued run: the number of this start, or None if it is no longer queued, is for another, or has to
        wait for other runs of the person who asked for it."""
        with self._database.write("starting a run") as connection:
            row = _row(connection, run_id)
            free = row["owner"] in (NOBODY.owner_id, owner.owner_id)
            if row["state"] != RunState.QUEUED or not free:
                return None
            if held(connection, run_id):
                return None
            attempt = int(row["attempt"]) + 1
            values = {"state": RunState.RUNNING, "message": "Starting", "attempt": attempt}
            values["claimed"] = (connection.execute(select(func.max(RunRow.claimed))).scalar() or 0) + 1
            now = time.time()
            values |= {"heartbeat": row["heartbeat"] + 1, "updated": now, "begun": now}
            _change(connection, run_id, **values, **owner.columns())
            return attempt

    def take_up(self, run_id: str, owner: Owner, again: Again) -> bool:
        """Put an interrupted run back to where it was in the queue.

        One that somebody had wanted cancelled is cancelled.

        Args:
            run_id: the run.
            owner: who alone may claim it; NOBODY for any server.
            again: what its log says, and how often it may.

        Returns:
            Whether it waits again; if not, nothing changed.

        Raises:
            NotFound: there is no such run.
            InvalidInput: it is not interrupted (any more).
        """
        with self._database.write("taking up a run") as connection:
            row = _row(connection, run_id)
            if row["state"] != RunState.INTERRUPTED:
                raise InvalidInput(f"Only an interrupted run is taken up, and this one is {row['state']}.")
            return _goes_on(connection, row, owner, again)

    def hand_back(self, run_id: str, attempt: int, owner: Owner, message: str) -> bool:
        """Put a run that `owner` stopped, or cannot know, back to where it was in the queue, for anybody.

        Args:
            run_id: the run.
            attempt: the start that is over.
            owner: whose start it was.
            message: what a person reads until it starts again.

        Returns:
            False if that start is not the newest, or was not cut short.
        """
        with self._database.write("handing back a run") as connection:
            row = _row(connection, run_id)
            cut_short = row["state"] in (RunState.RUNNING, RunState.INTERRUPTED)
            if not cut_short or (row["attempt"], row["owner"]) != (attempt, owner.owner_id):
                return False
            _hand_on(connection, row, NOBODY, "", message)
            return True

    def finish(
        self, run_id: str, attempt: int, state: RunState, message: str, again: Again | None = None
    ) -> bool:
        """Give a running start its final state; False if it already has one.

        With `again` an interrupted run goes back to the queue at once, for any server.
        """
        with self._database.write("saving the end of a run") as connection:
            row = _row(connection, run_id)
            if row["state"] != RunState.RUNNING or row["attempt"] != attempt:
                return False
            if state is RunState.INTERRUPTED and again and _goes_on(connection, row, NOBODY, again):
                return True
            values: dict[str, Any] = {"state": state, "message": message, "eta_seconds": None}
            if state is RunState.DONE:
                values["fraction"] = 1.0
            now = time.time()
            _change(connection, run_id, **values, **_worked(row, now), updated=now)
            return True

    def request_cancel(self, run_id: str) -> RunState:
        """Cancel a queued run, ask the owner of a running one to; returns the state it is in now.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.write("cancelling a run", run_id) as connection:
            state = RunState(_row(connection, run_id)["state"])
            if state is RunState.QUEUED:
                state = RunState.CANCELLED
                message = "Cancelled before it started"
                _change(connection, run_id, state=state, message=message, updated=time.time())
            elif state is RunState.RUNNING:
                _change(connection, run_id, cancel_requested=True)
            return state

    def beat(self, owner: Owner) -> None:
        """Sign all active runs of `owner` again."""
        theirs = (RunRow.owner == owner.owner_id) & RunRow.state.in_(ACTIVE)
        with self._database.write("signing a lease") as connection:
            connection.execute(update(RunRow).where(theirs).values(heartbeat=RunRow.heartbeat + 1))

    def cancel_requests(self, owner: Owner) -> list[str]:
        """Running runs of `owner` that somebody wants cancelled."""
        running = (RunRow.owner == owner.owner_id) & (RunRow.state == RunState.RUNNING)
        with self._database.read() as connection:
            query = select(RunRow.run_id).where(running, RunRow.cancel_requested.is_(True))
            return list(connection.execute(query).scalars())

    def held(self, owner: Owner) -> dict[str, int]:
        """Run -> start, of the runs that `owner` has claimed and that run."""
        running = (RunRow.owner == owner.owner_id) & (RunRow.state == RunState.RUNNING)
        with self._database.read() as connection:
            found = connection.execute(select(RunRow.run_id, RunRow.attempt).where(running))
            return {row.run_id: row.attempt for row in found}

    def queued(self, owner_id: str) -> list[Waiting]:
        """What `owner_id` may claim, first come first."""
        row = RunRow
        waiting = (row.state == RunState.QUEUED) & row.owner.in_((owner_id, NOBODY.owner_id))
        query = select(row.run_id, row.kind, row.session, row.attempt > 0).where(waiting)
        with self._database.read(tolerant=True) as connection:
            return [
                Waiting(run_id, kind, session, bool(begun))
                for run_id, kind, session, begun in connection.execute(query.order_by(row.queue_number))
            ]

    def interrupted(self) -> list[Interrupted]:
        """The runs that were interrupted, oldest first; not those of the command line."""
        row = RunRow
        of_a_server = (row.state == RunState.INTERRUPTED) & (row.session != COMMAND_LINE)
        query = select(row.run_id, row.attempt, row.created).where(of_a_server).order_by(row.number)
        with self._database.read(tolerant=True) as connection:
            return [Interrupted(*found) for found in connection.execute(query)]

    def turns(self, after: int = 0) -> list[tuple[int, str]]:
        """(number of its last claim, session) of the sessions that had a job since claim `after`, oldest first."""
        last = func.max(RunRow.claimed)
        query = select(last, RunRow.session).where(RunRow.claimed > after).group_by(RunRow.session)
        with self._database.read(tolerant=True) as connection:
            return [(int(number or 0), who) for number, who in connection.execute(query.order_by(last))]

    def of_others(self, owner: Owner) -> list[Lease]:
        """Active runs that somebody else signed; what waits in the queue is nobody's."""
        row = RunRow
        query = select(row.run_id, row.owner, row.host, row.pid, row.started, row.heartbeat, row.attempt)
        query = query.where(row.state.in_(ACTIVE), row.owner.not_in((owner.owner_id, NOBODY.owner_id)))
        with self._database.read(tolerant=True) as connection:
            return [
                Lease(run_id, Owner(owner_id, host, pid, started), heartbeat, attempt)
                for run_id, owner_id, host, pid, started, heartbeat, attempt in connection.execute(query)
            ]

    def interrupt(self, lease: Lease, message: str, again: Again | None = None) -> bool:
        """Mark a run as interrupted if nobody has signed it since `lease` was read.

        With `again` it goes back to the queue at once, for any server.
        """
        with self._database.write("marking an interrupted run") as connection:
            row = _row(connection, lease.run_id)
            seen = (lease.owner.owner_id, lease.heartbeat, lease.attempt)
            if row["state"] not in ACTIVE or (row["owner"], row["heartbeat"], row["attempt"]) != seen:
                return False
            if again and _goes_on(connection, row, NOBODY, again):
                return True
            values = {"state": RunState.INTERRUPTED, "message": message, "eta_seconds": None}
            # Its server may have been dead for long: it was at work until it was last heard of.
            values |= _worked(row, row["updated"])
            _change(connection, lease.run_id, **values, updated=time.time())
            return True


def _row(connection: Connection, run_id: str) -> dict[str, Any]:
    row = RunRow
    lease = (row.state, row.owner, row.host, row.pid, row.started, row.heartbeat, row.attempt)
    more = (row.run_id, row.session, row.begun, row.worked, row.updated, row.fraction, row.cancel_requested)
    query = select(*lease, *more).where(row.run_id == run_id)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise NotFound(f"There is no run {run_id[:32]!r}.")
    return dict(found)


def _queue(connection: Connection, row: dict[str, Any], owner: Owner, **more: Any) -> None:
    values: dict[str, Any] = {"state": RunState.QUEUED, "message": "Waiting", "eta_seconds": None}
    values |= {"updated": time.time(), "cancel_requested": False, "heartbeat": row["heartbeat"] + 1}
    values |= owner.columns() | _worked(row, row["updated"]) | more
    _change(connection, row["run_id"], **values)


def _goes_on(connection: Connection, row: dict[str, Any], owner: Owner, again: Again) -> bool:
    """Queue what was cut short, unless it may be what ends servers, or a person did it at a terminal."""
    line = again.said(row["fraction"])
    same = (LogRow.run_id == row["run_id"]) & (LogRow.text == line)
    known = connection.execute(select(func.count()).where(same)).scalar_one()
    if row["session"] == COMMAND_LINE or known >= again.most:
        return False
    _hand_on(connection, row, owner, line)
    return True


def _hand_on(
    connection: Connection, row: dict[str, Any], owner: Owner, line: str, message: str = "Waiting"
) -> None:
    """Queue what an end cut short; the wish to cancel it outlives the server that had not heard of it yet."""
    if row["cancel_requested"]:
        values: dict[str, Any] = {"state": RunState.CANCELLED, "message": CANCELLED, "eta_seconds": None}
        values |= {"updated": time.time(), "cancel_requested": False} | _worked(row, row["updated"])
        _change(connection, row["run_id"], **values)
        return
    _queue(connection, row, owner, message=message)
    if line:
        connection.execute(insert(LogRow).values(run_id=row["run_id"], created=time.time(), text=line))


def _worked(row: dict[str, Any], until: float) -> dict[str, Any]:
    """The time at work with that of the start that ends; nothing where no start is under way."""
    if row["begun"] is None:
        return {}
    return {"worked": (row["worked"] or 0.0) + max(until - row["begun"], 0.0), "begun": None}


def _owner(row: dict[str, Any]) -> Owner:
    return Owner(row["owner"], row["host"], row["pid"], row["started"])


def _change(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(RunRow).where(RunRow.run_id == run_id).values(**values))
