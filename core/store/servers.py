"""Which servers live: a row each, signed while the server lives.

As with leases (`core.store.leases`), a server on this machine is looked up, one elsewhere is dead when its counter stands
still; no clock is compared to tell. Times are for display, and to remove the rows of dead servers after a day.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass

from sqlalchemy import case, delete, func, insert, select, update

from core import __version__
from core.errors import NotFound
from core.records import RunState
from core.store.database import Database
from core.store.schema import RunRow, ServerRow
from core.store.signing import Owner

PAGES, JOBS = "pages", "jobs"
"""What a server does: pages and jobs, or jobs alone."""

_SAID = ("name", "host", "pid", "version", "does", "workers", "since", "in_sandboxes", "draining")

KEPT_SECONDS = 86_400.0
"""How long the row of a server that ended is kept."""


@dataclass(frozen=True)
class Server:
    """A living server.

    Attributes:
        owner_id: as it signs its runs.
        name: of its machine or container.
        host: machine, start of the machine, and process table; "" where the system does not tell.
        pid: of its process.
        version: of the program.
        does: PAGES or JOBS.
        workers: how many jobs of each sort it runs at a time.
        since: when it started, by its own clock, in seconds since 1970.
        runs: ids of the runs of the main store that it has now.
        in_sandboxes: how many jobs of students it runs now.
        draining: whether it takes no new work, as somebody asked.
    """

    owner_id: str
    name: str
    host: str
    pid: int
    version: str
    does: str
    workers: int
    since: float
    runs: tuple[str, ...] = ()
    in_sandboxes: int = 0
    draining: bool = False


@dataclass(frozen=True)
class Work:
    """What a server has done for the runs it had last.

    Attributes:
        ended: runs that are done.
        seconds: at work, over all of these runs and all their starts.
        measured: measurements they keep.
    """

    ended: int
    seconds: float
    measured: int


@dataclass(frozen=True)
class Signed:
    """A server's row as it last signed it."""

    owner: Owner
    beat: int


class Servers:
    """The rows of servers in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def living(self) -> list[Server]:
        """The servers nobody has found dead, oldest first; one of this machine whose process is gone is none.

        Raises:
            DamagedArtifact, StorageFailed: the database cannot be read.
        """
        row, running = ServerRow, (RunRow.state == RunState.RUNNING)
        with self._database.read("reading which servers live", tolerant=True) as connection:
            rows = connection.execute(select(row).where(row.ended.is_(None)).order_by(row.since, row.owner))
            found = [dict(each) for each in rows.mappings()]
            owned = select(RunRow.owner, RunRow.run_id).where(running).order_by(RunRow.claimed, RunRow.number)
            runs = [tuple(each) for each in connection.execute(owned)]
        return [
            Server(
                owner_id=each["owner"],
                runs=tuple(run_id for owner, run_id in runs if owner == each["owner"]),
                **{name: each[name] for name in _SAID},
            )
            for each in found
            if _owner(each).alive_here() is not False
        ]

    def sign(self, owner: Owner, *, does: str, workers: int, in_sandboxes: int = 0) -> None:
        """Say that `owner` lives; also after others took it for dead.

        Args:
            owner: the server.
            does: PAGES or JOBS.
            workers: how many jobs of each sort it runs at a time.
            in_sandboxes: how many jobs of students it runs now.

        Raises:
            StorageFailed: the database refused it.
        """
        says = {"does": does, "workers": workers, "in_sandboxes": in_sandboxes}
        this = ServerRow.owner == owner.owner_id
        with self._database.write("signing as a living server") as connection:
            again = update(ServerRow).where(this).values(beat=ServerRow.beat + 1, ended=None, **says)
            if connection.execute(again).rowcount:
                return
            made = {"name": platform.node() or "this machine", "version": __version__, "beat": 0}
            connection.execute(
                insert(ServerRow).values(**owner.columns(), **says, **made, since=time.time(), ended=None)
            )

    def work(self) -> dict[str, Work]:
        """What each server has done, by its owner id; a run counts for the server that had it last."""
        row = RunRow
        since = case(
            (row.state == RunState.RUNNING, row.updated - func.coalesce(row.begun, row.updated)), else_=0.0
        )
        query = select(
            row.owner,
            func.sum(case((row.state == RunState.DONE, 1), else_=0)),
            func.sum(func.coalesce(row.worked, 0.0) + since),
            func.sum(row.n_measurements),
        ).group_by(row.owner)
        with self._database.read("reading what servers did", tolerant=True) as connection:
            found = connection.execute(query).all()
        return {
            owner: Work(int(ended), max(float(seconds), 0.0), int(n))
            for owner, ended, seconds, n in found
            if owner
        }

    def drain(self, owner_id: str, draining: bool) -> None:
        """Let a server take no new work, or take work again; what runs there goes on.

        Raises:
            NotFound: it has ended.
            StorageFailed: the database refused it.
        """
        this = (ServerRow.owner == owner_id) & ServerRow.ended.is_(None)
        with self._database.write("draining a server") as connection:
            if connection.execute(update(ServerRow).where(this).values(draining=draining)).rowcount != 1:
                raise NotFound("That server has ended meanwhile; what ran there goes on elsewhere.")

    def is_drained(self, owner: Owner) -> bool:
        """Whether somebody wants `owner` to take no new work."""
        with self._database.read("reading which servers live") as connection:
            return bool(
                connection.scalar(select(ServerRow.draining).where(ServerRow.owner == owner.owner_id))
            )

    def others(self, owner: Owner) -> list[Signed]:
        """Servers beside `owner` that nobody has found dead."""
        row = ServerRow
        query = select(row.owner, row.host, row.pid, row.started, row.beat)
        query = query.where(row.ended.is_(None), row.owner != owner.owner_id)
        with self._database.read("reading which servers live", tolerant=True) as connection:
            return [
                Signed(Owner(owner_id, host, pid, started), beat)
                for owner_id, host, pid, started, beat in connection.execute(query)
            ]

    def end(self, owner: Owner, beat: int | None = None) -> bool:
        """Mark a server as ended, and remove the rows of those that ended a day ago.

        Args:
            owner: which.
            beat: only if it has not signed since it was seen with this number.

        Returns:
            Whether it was marked.

        Raises:
            StorageFailed: the database refused it.
        """
        this = (ServerRow.owner == owner.owner_id) & ServerRow.ended.is_(None)
        if beat is not None:
            this &= ServerRow.beat == beat
        now = time.time()
        with self._database.write("marking a server that ended") as connection:
            connection.execute(delete(ServerRow).where(ServerRow.ended < now - KEPT_SECONDS))
            return connection.execute(update(ServerRow).where(this).values(ended=now)).rowcount == 1


def _owner(row: dict[str, object]) -> Owner:
    return Owner(str(row["owner"]), str(row["host"]), int(str(row["pid"])), str(row["started"]))
