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
    binaries = _binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # Postgres refuses to run as the superuser
        who["user"] = next(name for name in _OTHER_USERS if _exists(name))
        shutil.chown(folder, who["user"])
    data = str(folder / "data")
    make = [str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8", "--no-sync"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True, timeout=120, **who)
    where = ["-h", ""] if port is None else ["-h", "127.0.0.1", "-p", str(port)]
    serve = [str(binaries / "postgres"), "-D", data, "-k", str(folder), *where, "-F"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(serve, cwd=folder, stdout=log, stderr=log, **who)
    atexit.register(_stop, server, folder)
    url = f"postgresql+psycopg://tests@/postgres?host={folder}"
    if port is not None:
        url = f"postgresql+psycopg://tests@127.0.0.1:{port}/postgres"
    _wait_for(url)
    return url


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


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    server.send_signal(signal.SIGINT)  # Postgres: end now, without waiting for connections
    server.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def open_store(database: str, home: Path) -> RunStore:
    """An empty store on one of `DATABASES`."""
    if database == "postgres":
        engine = create_engine(postgres_url())
        with engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        engine.dispose()
        return RunStore(postgres_url(), home)
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
