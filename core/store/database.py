"""The connection to the database: durable settings, two kinds of transaction, plain failures.

Every transaction says whether it writes. A writing one takes the write lock at its start (`BEGIN
IMMEDIATE`): a reading transaction that later wants to write fails under contention, which was measured
at 10,851 lock errors against none. On another database than SQLite a transaction-long advisory lock
gives the same order, so that code above may rely on "one writer at a time".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from core.errors import CoreError, DatabaseAway
from core.people.actions import Action
from core.people.person import Person
from core.store.failures import plain_failures, readable_rows

_BUSY_SECONDS = 30.0
_ADVISORY_LOCK = 7_266_573  # any fixed number: the name of our lock on a shared Postgres
_POSTGRES_MS = {
    "statement_timeout": 120_000,
    "lock_timeout": int(_BUSY_SECONDS * 1000),
    # A process that was stopped while it held the lock is cut off, well within a lease.
    "idle_in_transaction_session_timeout": 10_000,
}
_POSTGRES: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": " ".join(f"-c {name}={ms}" for name, ms in _POSTGRES_MS.items()),
}
_TRY_AGAIN_SECONDS = 0.25

R = TypeVar("R")


class Gate(Protocol):
    """What a write passes where people are told apart (`core.store.permits`)."""

    def asking(self) -> Person | None: ...

    def permitted(
        self, connection: Connection, person: Person, doing: str, of: str, action: Action | None
    ) -> AbstractContextManager[None]: ...

    def record_refusal(
        self,
        connection: Connection,
        person: Person,
        doing: str,
        of: str,
        action: Action | None,
        error: Exception,
    ) -> None: ...


class Spent:
    """Numbers of transactions and the seconds they took, for whoever watches a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found = {"read": (0, 0.0), "write": (0, 0.0)}

    def note(self, kind: str, seconds: float) -> None:
        """One transaction more."""
        with self._lock:
            n, before = self._found[kind]
            self._found[kind] = (n + 1, before + seconds)

    def now(self) -> dict[str, tuple[int, float]]:
        """ "read" and "write" -> how many, and how many seconds."""
        with self._lock:
            return dict(self._found)


class Database:
    """One engine with a reading and a writing kind of transaction.

    Attributes:
        patience: seconds for which a transaction that cannot begin, because the database is away, is tried again. A
            page says at once what is wrong; a worker has hours of work to lose, and nobody waits for it.
    """

    patience: ClassVar[float] = 0.0

    def __init__(self, url: URL, connections: int = 5) -> None:
        """Nothing is opened yet.

        Args:
            url: of the database.
            connections: kept open between transactions; more are opened while they are needed.
        """
        self.url = url
        self.gate: Gate | None = None
        self.spent = Spent()
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.in_memory = self.is_sqlite and url.database in (None, "", ":memory:")
        options: dict[str, Any] = {}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        elif url.get_backend_name() == "postgresql" and url.get_driver_name().startswith("psycopg"):
            # What the address itself says goes before ours.
            options["connect_args"] = {name: v for name, v in _POSTGRES.items() if name not in url.query}
            options["pool_pre_ping"] = True
        if self.in_memory:
            options["poolclass"] = StaticPool
        else:
            options["pool_size"], options["max_overflow"] = connections, 15 - connections
        self.engine: Engine = create_engine(url, **options)
        self._writing_engine = self.engine.execution_options(writes=True)
        # An in-memory database is one connection, which threads must take in turn.
        self._turn: AbstractContextManager[Any] = threading.RLock() if self.in_memory else nullcontext()
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        elif url.get_backend_name() == "postgresql":
            event.listen(self.engine, "begin", _begin_postgres)

    @contextmanager
    def read(self, doing: str = "reading the database", *, tolerant: bool = False) -> Iterator[Connection]:
        """A transaction that sees one consistent state and writes nothing.

        Rows are decoded inside the block.

        Args:
            doing: what is read, as the subject of a sentence.
            tolerant: text with damaged bytes is read as far as it goes, for callers that compare the
                hash of each row; otherwise it fails as a whole.

        Raises:
            DamagedArtifact: the database or a row in it cannot be read.
        """
        with (
            self._turn,
            readable_rows(),
            plain_failures(doing),
            self._begun(self.engine, doing) as connection,
            reading_damaged_text(connection) if tolerant else nullcontext(),
        ):
            yield connection

    @contextmanager
    def snapshot(self, doing: str) -> Iterator[Connection]:
        """As `read`, of the rows as they are when it begins, for as long as it lasts; whoever writes goes on.

        Raises:
            DamagedArtifact: the database cannot be read.
        """
        engine = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        with self._turn, readable_rows(), plain_failures(doing), engine.begin() as connection:
            # The first look at any row fixes what is seen.
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
            yield connection

    @contextmanager
    def write(
        self, doing: str, of: str = "", action: Action | None = None, *, long: bool = False
    ) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or has not happened.

        Where people are told apart, what a page asks for passes `core.store.permits` first.

        Args:
            doing: what is written, as the subject of a sentence.
            of: id of the run, supernet or table that it changes or makes.
            action: the deed that it is, where `doing` does not say it.
            long: the block does more than a few seconds of other things in between.

        Raises:
            StorageFailed: disk or database refused; the state is the one from before.
            DatabaseAway: it cannot be reached. If the connection broke while the block ended, it is not known whether
                the transaction happened.
            NotAllowed: who asks may not do this; nothing was changed.
        """
        gate = self.gate
        person = None if gate is None else gate.asking()
        if gate is not None and person is not None:
            with self._write_for(gate, person, doing, of, action) as connection:
                yield self._unhurried(connection, long)
            return
        with self._turn, plain_failures(doing), self._begun(self._writing_engine, doing) as connection:
            yield self._unhurried(connection, long)

    @contextmanager
    def _write_for(
        self, gate: Gate, person: Person, doing: str, of: str, action: Action | None
    ) -> Iterator[Connection]:
        try:
            with (
                self._turn,
                plain_failures(doing),
                self._begun(self._writing_engine, doing) as connection,
                gate.permitted(connection, person, doing, of, action),
            ):
                yield connection
        except CoreError as error:
            # What was refused stays refused, also where nobody can write down that it was.
            with (
                suppress(CoreError),
                self._turn,
                plain_failures(doing),
                self._begun(self._writing_engine, doing) as connection,
            ):
                gate.record_refusal(connection, person, doing, of, action, error)
            raise

    def _unhurried(self, connection: Connection, long: bool) -> Connection:
        if long and connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        return connection

    @contextmanager
    def _begun(self, engine: Engine, doing: str) -> Iterator[Connection]:
        """A transaction that has begun."""

        def begin() -> Connection:
            with plain_failures(doing):
                return stack.enter_context(engine.begin())

        started = time.monotonic()
        try:
            with ExitStack() as stack:
                yield patiently(begin)
        finally:
            kind = "write" if engine is self._writing_engine else "read"
            self.spent.note(kind, time.monotonic() - started)

    def close(self) -> None:
        self.engine.dispose()


def patiently(attempt: Callable[[], R]) -> R:
    """What `attempt` returns; while the database is away it is tried again, for `Database.patience` seconds.

    What it writes must be the same however often it happens.

    Raises:
        DatabaseAway: it did not come back.
    """
    deadline = time.monotonic() + Database.patience
    while True:
        try:
            return attempt()
        except DatabaseAway:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_TRY_AGAIN_SECONDS)


@contextmanager
def reading_damaged_text(connection: Connection) -> Iterator[None]:
    """Let text that is no UTF-8 be read, with a mark for each damaged place (SQLite alone stores such)."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.text_factory = lambda content: content.decode("utf-8", "replace")
    try:
        yield
    finally:
        raw.text_factory = str


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.execute("PRAGMA cell_size_check=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


def absolute_url(url: URL) -> URL:
    """`url` without dependence on the working folder, which differs between server and worker."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path == ":memory:" or path.startswith("file:"):
        return url
    return url.set(database=str(Path(path).absolute()))
