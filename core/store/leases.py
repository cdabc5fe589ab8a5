"""Who executes which run: the queue, the lease, and the change of states.

A lease is an owner's id with a counter that only grows; a stopped counter means a dead owner. No clock
is compared between machines. On the same machine the process itself is looked up, which is immediate
and cannot mistake a slow server for a dead one. Every change is "if the row is still as I saw it", in a
writing transaction, so that two servers on one database never both win.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, update

from core.errors import InvalidInput, NotFound
from core.records import RunState
from core.store.database import Database
from core.store.quotas import held
from core.store.schema import RunRow

ACTIVE = (RunState.QUEUED, RunState.RUNNING)


def process_started(pid: int) -> str:
    """When a process of this machine started, in kernel ticks; "" if none runs or we cannot know."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def this_host() -> str:
    """This machine since its start, and the process table we see; "" where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


@dataclass(frozen=True)
class Owner:
    """One server (a job manager or a command) as it signs its leases."""

    owner_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    host: str = field(default_factory=this_host)
    pid: int = field(default_factory=os.getpid)
    started: str = field(default_factory=lambda: process_started(os.getpid()))

    def alive_here(self) -> bool | None:
        """Whether the process lives; None if only its counter can tell (another machine)."""
        if not self.host or not self.started or self.host != this_host():
            return None
        return process_started(self.pid) == self.started

    def columns(self) -> dict[str, Any]:
        return {"owner": self.owner_id, "host": self.host, "pid": self.pid, "started": self.started}


@dataclass(frozen=True)
class Lease:
    """An active run as its owner last signed it."""

    run_id: str
    owner: Owner
    heartbeat: int
    attempt: int


@dataclass(frozen=True)
class Waiting:
    """A queued run."""

    run_id: str
    kind: str
    session: str


class Leases:
    """The states and owners of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, run_id: str, owner: Owner) -> None:
        """Put a run that was stopped or failed at the back of `owner`'s queue.

        A run whose owner was a process of this machine and is no more counts as stopped: a killed command
        can be resumed at once, without a server that marks it.

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
            values: dict[str, Any] = {
                "state": RunState.QUEUED,
                "message": "Waiting",
                "eta_seconds": None,
                "updated": time.time(),
            }
            counters = {
                "cancel_requested": False,
                "queue_number": last + 1,
                "heartbeat": row["heartbeat"] + 1,
            }
            values |= _worked(row, row["updated"])
            _change(connection, run_id, **values, **counters, **owner.columns())

    def claim(self, run_id: str, owner: Owner) -> int | None:
        """Start a queued run of `owner`: the number of this start; None if it is no longer queued, or has to wait for
        other runs of the person who asked for it."""
        with self._database.write("starting a run") as connection:
            row = _row(connection, run_id)
            if row["state"] != RunState.QUEUED or row["owner"] != owner.owner_id:
                return None
            if held(connection, run_id):
                return None
            attempt = int(row["attempt"]) + 1
            values = {"state": RunState.RUNNING, "message": "Starting", "attempt": attempt}
            now = time.time()
            _change(connection, run_id, **values, heartbeat=row["heartbeat"] + 1, updated=now, begun=now)
            return attempt

    def finish(self, run_id: str, attempt: int, state: RunState, message: str) -> bool:
        """Give a running start its final state; False if it already has one."""
        with self._database.write("saving the end of a run") as connection:
            row = _row(connection, run_id)
            if row["state"] != RunState.RUNNING or row["attempt"] != attempt:
                return False
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

    def queued(self, owner_id: str) -> list[Waiting]:
        """The queue of an owner, first come first."""
        waiting = (RunRow.owner == owner_id) & (RunRow.state == RunState.QUEUED)
        query = (
            select(RunRow.run_id, RunRow.kind, RunRow.session).where(waiting).order_by(RunRow.queue_number)
        )
        with self._database.read(tolerant=True) as connection:
            return [Waiting(*found) for found in connection.execute(query)]

    def of_others(self, owner: Owner) -> list[Lease]:
        """Active runs that somebody else signed."""
        row = RunRow
        query = select(row.run_id, row.owner, row.host, row.pid, row.started, row.heartbeat, row.attempt)
        query = query.where(row.state.in_(ACTIVE), row.owner != owner.owner_id)
        with self._database.read(tolerant=True) as connection:
            return [
                Lease(run_id, Owner(owner_id, host, pid, started), heartbeat, attempt)
                for run_id, owner_id, host, pid, started, heartbeat, attempt in connection.execute(query)
            ]

    def interrupt(self, lease: Lease, message: str) -> bool:
        """Mark a run as interrupted if nobody has signed it since `lease` was read."""
        with self._database.write("marking an interrupted run") as connection:
            row = _row(connection, lease.run_id)
            seen = (lease.owner.owner_id, lease.heartbeat, lease.attempt)
            if row["state"] not in ACTIVE or (row["owner"], row["heartbeat"], row["attempt"]) != seen:
                return False
            values = {"state": RunState.INTERRUPTED, "message": message, "eta_seconds": None}
            # Its server may have been dead for long: it was at work until it was last heard of.
            values |= _worked(row, row["updated"])
            _change(connection, lease.run_id, **values, updated=time.time())
            return True


def _row(connection: Connection, run_id: str) -> dict[str, Any]:
    row = RunRow
    lease = (row.state, row.owner, row.host, row.pid, row.started, row.heartbeat, row.attempt)
    query = select(*lease, row.begun, row.worked, row.updated).where(row.run_id == run_id)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise NotFound(f"There is no run {run_id[:32]!r}.")
    return dict(found)


def _worked(row: dict[str, Any], until: float) -> dict[str, Any]:
    """The time at work with that of the start that ends; nothing where no start is under way."""
    if row["begun"] is None:
        return {}
    return {"worked": (row["worked"] or 0.0) + max(until - row["begun"], 0.0), "begun": None}


def _owner(row: dict[str, Any]) -> Owner:
    return Owner(row["owner"], row["host"], row["pid"], row["started"])


def _change(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(RunRow).where(RunRow.run_id == run_id).values(**values))
