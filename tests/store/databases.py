"""The databases every store test runs on: SQLite as a file and in memory, and Postgres where there is one.

Set PARETOSCOPE_TEST_POSTGRES to the SQLAlchemy URL of an empty database to include it; its tables are
dropped before each test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.store import RunStore
from core.store.schema import Base

POSTGRES = os.environ.get("PARETOSCOPE_TEST_POSTGRES", "")
DATABASES = [
    "file",
    "memory_database",
    pytest.param(
        "postgres", marks=pytest.mark.skipif(not POSTGRES, reason="PARETOSCOPE_TEST_POSTGRES is not set")
    ),
]


def open_store(database: str, home: Path) -> RunStore:
    """An empty store on one of `DATABASES`."""
    if database == "postgres":
        engine = create_engine(POSTGRES)
        with engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        engine.dispose()
        return RunStore(POSTGRES, home)
    return RunStore("sqlite://" if database == "memory_database" else f"sqlite:///{home / 'p.db'}", home)
