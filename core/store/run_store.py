"""The store: every run, measurement, file and supernet of this installation.

With its ledgers and leases the only code that queries the database. Opening creates what is missing and upgrades
an older database. Threads may share a store. A method that returns has written durably; one that raises changed nothing.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from core.config import JsonObject
from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.people import Action
from core.records import Run, RunState
from core.store.audit import Audit
from core.store.baskets import Baskets
from core.store.class_work import ClassWork
from core.store.classes import Classes
from core.store.counting import Counting
from core.store.database import Database, absolute_url
from core.store.failures import plain_failures
from core.store.files import Files
from core.store.home import TRASH
from core.store.imported import ImportedTables
from core.store.kept import KeptFiles
from core.store.leases import Leases
from core.store.ledger import RunLedger, plain_json, require_name
from core.store.log import append_log, log_lines
from core.store.migrations import migrate
from core.store.opening import open_places
from core.store.owners import Owners
from core.store.permits import Permits, require_for
from core.store.quotas import held
from core.store.rows import (
    read_run,
    runs_query,
)
from core.store.sandbox_folders import named_uploads
from core.store.schema import (
    ArtifactRow,
    CheckpointRow,
    EditionRow,
    ParamRow,
    RunRow,
    indexed_params,
    indexed_value,
    row_hash,
)
from core.store.servers import Servers
from core.store.shared_uploads import SharedUploads
from core.store.signing import Owner
from core.store.storage import UPLOADS, prepare_places
from core.store.stored_supernets import SupernetsPart
from core.store.titles import Titles
from core.store.upkeep import UpkeepPart

MAX_PARAMS_BYTES = 4_000_000


class RunStore(SupernetsPart, UpkeepPart):
    """Runs, their records and files, the trained supernets, baskets, imported tables and classes."""

    _connections: ClassVar[int] = 5
    sandbox_id: str | None = None

    def __init__(self, url: str, home: Path, files_url: str = "") -> None:
        """Open the store, creating or upgrading what is needed.

        Args:
            url: SQLAlchemy URL ("sqlite:///path", "sqlite://" in memory, "postgresql+psycopg://...").
            home: folder of the files; created if missing.
            files_url: where files are kept for several servers, "" for the home (`core.store.opening`).

        Raises:
            StorageFailed: `home` or the database cannot be written to.
            DamagedArtifact: the database file is damaged.
            InvalidInput: `url` is no database URL, or its driver is not installed.
        """
        self.home = home.absolute()
        try:
            self._database = Database(absolute_url(make_url(url)), self._connections)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise InvalidInput(
                f"The database setting cannot be used: {error}. Check PARETOSCOPE_DATABASE_URL."
            ) from error
        self._database.gate = Permits()
        self.url = self._database.url.render_as_string(hide_password=False)
        self.in_memory, self.is_local = self._database.in_memory, self._database.is_sqlite
        with plain_failures(f"opening {self.home}"):
            prepare_places(self.home, self._database)
        migrate(self._database)
        self.files_url, opened = files_url, open_places(self.home, self._database, files_url)
        self._blobs = opened.blobs
        self._shared = SharedUploads(self.home / UPLOADS, opened.uploads) if opened.uploads else None
        self._files = Files(
            self._database,
            self._blobs,
            self.home / UPLOADS if opened.owns_home else None,
            trash=self.home / TRASH,
            shared_uploads=opened.uploads,
        )
        self.leases, self.servers = Leases(self._database), Servers(self._database)
        self.baskets, self.counting = Baskets(self._database), Counting(self._database)
        self.kept, self.tables = KeptFiles(self._files), ImportedTables(self._files)
        self.audit, self.owners = Audit(self._database), Owners(self._database)
        self.titles, self.classes = Titles(self._database), Classes(self._database)
        self.class_work = ClassWork(self._database, self.classes)
        self._files.used_elsewhere = lambda: named_uploads(self.home)

    def environment(self) -> dict[str, str]:
        """What a process must find in its environment to work for this store (`core.store.sandboxes.store_here`)."""
        found = {"PARETOSCOPE_HOME": str(self.home), "PARETOSCOPE_DATABASE_URL": self.url}
        return found | {"PARETOSCOPE_FILES_URL": self.files_url}

    @cached_property
    def editions(self) -> dict[str, int]:
        """Shipped supernet -> the edition that this database goes on with; whatever is not named is in its newest."""
        with self._database.read() as connection:
            query = select(EditionRow.name, EditionRow.edition)
            return {str(name): int(edition) for name, edition in connection.execute(query)}

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_run(
        self,
        kind: str,
        params: JsonObject,
        *,
        title: str,
        seed: int = 0,
        session: str = "local",
        state: RunState = RunState.QUEUED,
        owner: Owner | None = None,
    ) -> str:
        """Record a new run of the workflow `kind` and return its id.

        Args:
            params: JSON-able request.
            title: what a person reads in a list; cut to 200 printable characters.
            seed: seed of all chance in the run.
            session: who asked, for the fair queue.
            state: QUEUED, or RUNNING if the caller executes it now.
            owner: who executes it; this process if None.
        """
        shown = "".join(char if char.isprintable() else " " for char in title).strip()[:200]
        require_name(shown)
        text = plain_json(params)
        if len(text) > MAX_PARAMS_BYTES:
            raise InvalidInput("The request is too large to store.")
        self._share_uploads(text)
        found_by = indexed_params(json.loads(text))
        run_id, now, signed = uuid.uuid4().hex, time.time(), owner or Owner()
        fields = {"run_id": run_id, "kind": kind, "title": shown, "params": text, "seed": str(int(seed))}
        fields["session"] = session[:64]
        progress = {"state": state, "fraction": 0.0, "message": "", "created": now, "updated": now}
        counters = {"n_measurements": 0, "heartbeat": 0, "attempt": 0, "cancel_requested": False}
        with self._database.write("saving a run", run_id) as connection:
            last = connection.execute(
                select(RunRow.queue_number).order_by(RunRow.queue_number.desc()).limit(1)
            )
            values = {**fields, **progress, **counters, **signed.columns()}
            values["queue_number"] = (last.scalar() or 0) + 1
            connection.execute(insert(RunRow).values(**values, row_hash=row_hash(*fields.values())))
            index = [{"run_id": run_id, "name": name, "value": value} for name, value in found_by.items()]
            if index:
                connection.execute(insert(ParamRow), index)
        return run_id

    def get_run(self, run_id: str) -> Run:
        """The run as it is now.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.read(tolerant=True) as connection:
            row = connection.execute(runs_query(RunRow.run_id == run_id)).mappings().one_or_none()
            if row is None:
                raise NotFound(f"There is no run {run_id[:32]!r}.")
            return read_run(dict(row))

    def list_runs(
        self,
        state: RunState | None = None,
        kind: str | None = None,
        where: Mapping[str, str | float | bool | None] | None = None,
    ) -> list[Run]:
        """All runs, newest first, or those that fit; damaged ones are left out (see `damaged`).

        Args:
            state: only runs in this state.
            kind: only runs of this workflow.
            where: only runs whose request has these values, nested fields as "outer.inner"; through an index.
        """
        conditions = [] if state is None else [RunRow.state == state]
        if kind is not None:
            conditions.append(RunRow.kind == kind)
        for name, value in (where or {}).items():
            fits = (ParamRow.name == name) & (ParamRow.value == indexed_value(value))
            conditions.append(RunRow.run_id.in_(select(ParamRow.run_id).where(fits)))
        found = []
        with self._database.read(tolerant=True) as connection:
            for row in connection.execute(runs_query(*conditions)).mappings():
                with suppress(DamagedArtifact):
                    found.append(read_run(dict(row)))
        return found

    def set_state(self, run_id: str, state: RunState, message: str = "") -> bool:
        """Move a run to `state`; False if it has a final state, which only `leases.enqueue` leaves.

        Raises:
            NotFound: there is no such run.
        """
        self._require_run(run_id)
        active = (RunRow.run_id == run_id) & RunRow.state.in_((RunState.QUEUED, RunState.RUNNING))
        values: dict[str, Any] = {"state": state, "message": message[:2000], "updated": time.time()}
        if state is RunState.DONE:
            values["fraction"] = 1.0
        if state.is_final:
            values["eta_seconds"] = None
        with self._database.write("saving the state of a run") as connection:
            return connection.execute(update(RunRow).where(active).values(**values)).rowcount == 1

    def update_progress(
        self,
        run_id: str,
        fraction: float,
        message: str,
        eta: float | None = None,
        *,
        attempt: int | None = None,
    ) -> bool:
        """Show how far a running run is; False once it has ended or another start has taken over.

        Args:
            run_id: the run.
            fraction: 0-1.
            message: what is happening.
            eta: seconds left, if known.
            attempt: the start this report belongs to.
        """
        this = (RunRow.run_id == run_id) & (RunRow.state == RunState.RUNNING)
        if attempt is not None:
            this &= RunRow.attempt == attempt
        values = {"fraction": min(max(float(fraction), 0.0), 1.0), "message": message[:2000]}
        changed = update(RunRow).where(this).values(**values, eta_seconds=eta, updated=time.time())
        with self._database.write("saving progress") as connection:
            return connection.execute(changed).rowcount == 1

    def append_log(self, run_id: str, *lines: str, keep: int = 500) -> None:
        """Add lines to a run's log, of which the last `keep` stay; ignored if the run is gone."""
        append_log(self._database, run_id, lines, keep)

    def log_lines(self, run_id: str) -> list[str]:
        """The kept lines of a run's log, oldest first.

        Raises:
            NotAllowed: it is somebody else's, and who asks does not administer.
        """
        require_for(self._database, Action.SEE_LOG, run_id)
        return log_lines(self._database, run_id)

    def ledger(self, run_id: str, *, attempt: int | None = None) -> RunLedger:
        """The ledger of a run, to read it or to go on writing.

        Args:
            run_id: the run.
            attempt: the start this writer belongs to: its writes are refused once the run has been
                stopped or started again. None writes without a lease.

        Raises:
            NotFound: there is no such run.
        """
        return RunLedger(self._files, run_id, self.get_run(run_id).params, attempt)

    def is_held(self, run_id: str) -> bool:
        """Whether a waiting run waits for its person: for their other runs, for a new day, or for the right to run."""
        with self._database.read() as connection:
            return held(connection, run_id)

    def count_measurements(self, run_id: str) -> int:
        """How many measurements a run has: a cheap way to see whether a table has grown."""
        with self._database.read() as connection:
            return connection.scalar(select(RunRow.n_measurements).where(RunRow.run_id == run_id)) or 0

    def _require_run(self, run_id: str) -> None:
        with self._database.read() as connection:
            if connection.execute(select(RunRow.number).where(RunRow.run_id == run_id)).scalar() is None:
                raise NotFound(f"There is no run {run_id[:32]!r}.")

    def delete_run(self, run_id: str) -> None:
        """Remove a run with its measurements and files.

        Raises:
            NotFound: there is no such run.
            InvalidInput: it is queued or running.
        """
        named = [select(row.sha256).where(row.run_id == run_id) for row in (CheckpointRow, ArtifactRow)]
        with self._database.write("deleting a run", run_id) as connection:
            state = connection.execute(select(RunRow.state).where(RunRow.run_id == run_id)).scalar()
            if state is None:
                raise NotFound(f"There is no run {run_id[:32]!r}.")
            if state in (RunState.QUEUED, RunState.RUNNING):
                raise InvalidInput(f"The run is {state}: cancel it before deleting it.")
            sha256s = [sha256 for query in named for sha256 in connection.execute(query).scalars()]
            connection.execute(delete(RunRow).where(RunRow.run_id == run_id))
        self._files.forget(sha256s)
