"""The databases every store test runs on: SQLite as a file and in memory, and Postgres where there is one.

`objects` is the file with the files of runs in an object store in memory.

Where Postgres is installed, a throw-away server of our own is started at the first test that wants it, as
an unprivileged user, on a socket in a temporary folder, and stopped at the end. PARETOSCOPE_TEST_POSTGRES
names another empty database instead, as a SQLAlchemy URL. The tables are dropped before each test.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from core.store import RunStore
from core.store.object_blobs import ObjectBlobs
from core.store.schema import Base

_OTHER_USERS = ("postgres", "nobody")


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def reason_to_skip() -> str:
    if os.environ.get("PARETOSCOPE_TEST_POSTGRES"):
        return ""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    return "" if _binaries() else "Postgres is not installed"


_OBJECTS = pytest.param(
    "objects",
    marks=pytest.mark.skipif(importlib.util.find_spec("obstore") is None, reason="obstore is not installed"),
)
DATABASES = [
    "file",
    "memory_database",
    _OBJECTS,
    pytest.param("postgres", marks=pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())),
]


@cache
def postgres_url() -> str:
    """The SQLAlchemy URL of a running Postgres; starts one if need be."""
    return os.environ.get("PARETOSCOPE_TEST_POSTGRES") or start_postgres()


def start_postgres(port: int | None = None) -> str:
    """Start a Postgres that ends with this process; its SQLAlchemy URL.

    Args:
        port: to listen on, on the loopback only; none to be reached by a socket in a folder.
    """
    server = Postgres(port)
    atexit.register(server.close)
    return server.url


class Postgres:
    """A Postgres of one's own, which a test may stop and start again."""

    def __init__(self, port: int | None = None) -> None:
        """Make it and start it; as `start_postgres`."""
        binaries = _binaries()
        assert binaries is not None
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:  # Postgres refuses to run as the superuser
            self._who["user"] = next(name for name in _OTHER_USERS if _exists(name))
            shutil.chown(self.folder, self._who["user"])
        data = str(self.folder / "data")
        make = [str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, cwd=self.folder, check=True, capture_output=True, timeout=120, **self._who)
        where = ["-h", ""] if port is None else ["-h", "127.0.0.1", "-p", str(port)]
        self._serve = [str(binaries / "postgres"), "-D", data, "-k", str(self.folder), *where, "-F"]
        self.url = f"postgresql+psycopg://tests@/postgres?host={self.folder}"
        if port is not None:
            self.url = f"postgresql+psycopg://tests@127.0.0.1:{port}/postgres"
        self.start()

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(self._serve, cwd=self.folder, stdout=log, stderr=log, **self._who)
        _wait_for(self.url)

    def stop(self) -> None:
        """End it now, whoever is connected."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(30)

    def close(self) -> None:
        """End it, and remove what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _exists(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    engine = create_engine(url)
    while True:
        try:
            engine.connect().close()
            break
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    engine.dispose()


def emptied(url: str) -> str:
    """The same URL, of a database that has no tables any more."""
    engine = create_engine(url)
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()
    return url


def open_store(database: str, home: Path) -> RunStore:
    """An empty store on one of `DATABASES`."""
    if database == "postgres":
        return RunStore(emptied(postgres_url()), home)
    if database == "objects":
        return RunStore(f"sqlite:///{home / 'p.db'}", home, "memory:///")
    return RunStore("sqlite://" if database == "memory_database" else f"sqlite:///{home / 'p.db'}", home)


def kept(store: RunStore) -> dict[bytes, str]:
    """What the store's own place of files holds, as it is there: content and name."""
    if isinstance(store._blobs, ObjectBlobs):
        found = {name: store._blobs._objects.get(store._blobs._name(name)) for name in store._blobs.names()}
        return {content: name for name, content in found.items() if content is not None}
    return {path.read_bytes(): path.name for path in (store.home / "blobs").iterdir()}


def damage(store: RunStore, sha256: str, content: bytes | None) -> None:
    """Change a file where it is kept, or take it away; copies of it on this machine are gone."""
    if isinstance(store._blobs, ObjectBlobs):
        store._blobs._cache.drop(sha256)
        name, raw = store._blobs._name(sha256), store._blobs._objects._store
        raw.delete(name) if content is None else raw.put(name, content)
    elif content is None:
        (store.home / "blobs" / sha256).unlink()
    else:
        (store.home / "blobs" / sha256).write_bytes(content)
