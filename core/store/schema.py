"""The tables, as SQLAlchemy classes: one row per run, server, checkpoint, measurement, metric, file, basket, imported table
and log line; those of classes; and who made and did what.

JSON is kept as text so that a row's hash covers exactly what is stored. Times are for display only;
order comes from counters, because clocks jump. A change here needs a new file in
`migrations/versions` and a new `HEAD` (a test compares the two).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.config import JsonObject

HEAD = "0010"
"""The revision this code needs; opening compares it with the database without importing Alembic."""

_MAX_NAME = 200
_MAX_VALUE = 120


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})


class IdentityRow(Base):
    """One row: who this database is, so that a folder of files can tell whose it is."""

    __tablename__ = "identity"
    identity: Mapped[str] = mapped_column(String(32), primary_key=True)


class EditionRow(Base):
    """The edition of a shipped supernet that this database goes on with, for its runs are about it."""

    __tablename__ = "editions"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    edition: Mapped[int] = mapped_column(Integer)


class RunRow(Base):
    """A run and the lease of whoever executes it."""

    __tablename__ = "runs"
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str] = mapped_column(Text)
    params: Mapped[str] = mapped_column(Text)
    seed: Mapped[str] = mapped_column(String(40))
    session: Mapped[str] = mapped_column(String(64))
    row_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    fraction: Mapped[float] = mapped_column(Double)
    message: Mapped[str] = mapped_column(Text)
    eta_seconds: Mapped[float | None] = mapped_column(Double)
    begun: Mapped[float | None] = mapped_column(Double)
    worked: Mapped[float | None] = mapped_column(Double)
    created: Mapped[float] = mapped_column(Double)
    updated: Mapped[float] = mapped_column(Double)
    n_measurements: Mapped[int] = mapped_column(Integer)
    owner: Mapped[str] = mapped_column(String(32))
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    started: Mapped[str] = mapped_column(String(32))
    heartbeat: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    queue_number: Mapped[int] = mapped_column(Integer)
    cancel_requested: Mapped[bool] = mapped_column(Boolean)
    claimed: Mapped[int | None] = mapped_column(Integer, index=True)


class ServerRow(Base):
    """A server that takes runs from the queue; no part of a backup, for it says what lives now."""

    __tablename__ = "servers"
    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    started: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(String(40))
    does: Mapped[str] = mapped_column(String(16))
    workers: Mapped[int] = mapped_column(Integer)
    in_sandboxes: Mapped[int] = mapped_column(Integer)
    beat: Mapped[int] = mapped_column(Integer)
    since: Mapped[float] = mapped_column(Double)
    ended: Mapped[float | None] = mapped_column(Double)
    draining: Mapped[bool] = mapped_column(Boolean, server_default=false())


class ParamRow(Base):
    """A field of a run's request, so that runs are found by what they are about without reading them all."""

    __tablename__ = "run_params"
    __table_args__ = (Index("ix_run_params_name_value", "name", "value"),)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))


class CheckpointRow(Base):
    __tablename__ = "checkpoints"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(Integer)
    fraction: Mapped[float] = mapped_column(Double)


class MeasurementRow(Base):
    __tablename__ = "measurements"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[int] = mapped_column(Integer)
    arch: Mapped[str] = mapped_column(Text)
    objective_values: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(32))
    row_hash: Mapped[str] = mapped_column(String(64))


class MetricRow(Base):
    __tablename__ = "metrics"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    metric_values: Mapped[str] = mapped_column(Text)
    row_hash: Mapped[str] = mapped_column(String(64))


class ArtifactRow(Base):
    __tablename__ = "artifacts"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(Integer)
    media_type: Mapped[str] = mapped_column(String(100))


class SupernetRow(Base):
    __tablename__ = "supernets"
    supernet_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    family: Mapped[str] = mapped_column(String(100))
    data: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(Integer)
    card: Mapped[str] = mapped_column(Text)
    row_hash: Mapped[str] = mapped_column(String(64))
    created: Mapped[float] = mapped_column(Double)


class BasketRow(Base):
    """A named list of networks that people put aside."""

    __tablename__ = "baskets"
    basket_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    created: Mapped[float] = mapped_column(Double)
    changed: Mapped[int] = mapped_column(Integer)
    deleted: Mapped[float | None] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class BasketItemRow(Base):
    """A network in a basket: a row each, so that two people who add one at the same time both succeed."""

    __tablename__ = "basket_items"
    basket_id: Mapped[str] = mapped_column(
        ForeignKey("baskets.basket_id", ondelete="CASCADE"), primary_key=True
    )
    network_id: Mapped[str] = mapped_column(String(300), primary_key=True)
    place: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(200))
    row_hash: Mapped[str] = mapped_column(String(64))


class ImportedTableRow(Base):
    """A table that somebody imported; its columns are a file."""

    __tablename__ = "imported_tables"
    table_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    source_sha256: Mapped[str] = mapped_column(String(64))
    columns_key: Mapped[str] = mapped_column(String(64), index=True)
    about: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Integer)
    created: Mapped[float] = mapped_column(Double)
    changed: Mapped[int] = mapped_column(Integer)
    deleted: Mapped[float | None] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class ClassRow(Base):
    """A class: who may lead it, what its students may do now, and two counters of changes."""

    __tablename__ = "classes"
    code: Mapped[str] = mapped_column(String(6), primary_key=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(Integer)
    created: Mapped[float] = mapped_column(Double)
    version: Mapped[int] = mapped_column(Integer)
    rules_version: Mapped[int] = mapped_column(Integer)
    rules: Mapped[str] = mapped_column(Text)
    row_hash: Mapped[str] = mapped_column(String(64))


class StudentRow(Base):
    """A student of a class; the id is that of the sandbox."""

    __tablename__ = "class_students"
    __table_args__ = (Index("ix_class_students_code_name", "code", "name_key", unique=True),)
    student_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey("classes.code", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    nickname: Mapped[str] = mapped_column(String(24))
    name_key: Mapped[str] = mapped_column(String(64))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    joined: Mapped[float] = mapped_column(Double)
    seen: Mapped[float] = mapped_column(Double)
    lesson: Mapped[str] = mapped_column(String(64))
    removed: Mapped[bool] = mapped_column(Boolean)
    row_hash: Mapped[str] = mapped_column(String(64))


class TakingRow(Base):
    """What a student has done in a lesson at one moment; rows are only ever added, the last one counts."""

    __tablename__ = "class_takings"
    code: Mapped[str] = mapped_column(ForeignKey("classes.code", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(String(32), index=True)
    lesson: Mapped[str] = mapped_column(String(64))
    taken: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(String(200))
    reset: Mapped[bool] = mapped_column(Boolean)
    created: Mapped[float] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class DealRow(Base):
    """A subnet that a student trains alone for the class's shared experiment, and what came out."""

    __tablename__ = "class_deals"
    code: Mapped[str] = mapped_column(ForeignKey("classes.code", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(String(32))
    arch_id: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(Integer)
    run_id: Mapped[str] = mapped_column(String(32))
    finished: Mapped[int | None] = mapped_column(Integer)
    test_accuracy: Mapped[float | None] = mapped_column(Double)
    created: Mapped[float] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class EntryRow(Base):
    """One try of a student in a contest of the class; `correct` is empty until the server has judged it."""

    __tablename__ = "class_entries"
    code: Mapped[str] = mapped_column(ForeignKey("classes.code", ondelete="CASCADE"), primary_key=True)
    contest: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True)
    supernet: Mapped[str] = mapped_column(String(64))
    arch_id: Mapped[str] = mapped_column(String(64))
    macs: Mapped[int] = mapped_column(Integer)
    correct: Mapped[int | None] = mapped_column(Integer)
    of: Mapped[int] = mapped_column(Integer)
    ordinal: Mapped[int] = mapped_column(Integer)
    created: Mapped[float] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class OwnerRow(Base):
    """Who made a run, a supernet or a table: written where people are told apart.

    It stays when the thing is deleted, with the seconds that a run computed, so that deleting gives nobody more to spend.
    """

    __tablename__ = "owners"
    thing_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(200), index=True)
    known: Mapped[str] = mapped_column(Text)
    created: Mapped[float] = mapped_column(Double)
    spent: Mapped[float] = mapped_column(Double)
    ended: Mapped[float | None] = mapped_column(Double)
    row_hash: Mapped[str] = mapped_column(String(64))


class AuditRow(Base):
    """Who did or was refused what. `row_hash` covers the one of the row before, so a gap shows."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    person: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    said: Mapped[str] = mapped_column(Text)
    row_hash: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """The last row of the audit log, so that its end cannot be cut off unseen."""

    __tablename__ = "audit_head"
    only: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
    row_hash: Mapped[str] = mapped_column(String(64))


class LogRow(Base):
    __tablename__ = "log_lines"
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id", ondelete="CASCADE"), index=True)
    created: Mapped[float] = mapped_column(Double)
    text: Mapped[str] = mapped_column(Text)


def indexed_params(params: JsonObject) -> dict[str, str]:
    """The fields of a request that runs can be found by: name -> value as `ParamRow` keeps it.

    Text, numbers, truth values and None count; those of a nested mapping are called "outer.inner".
    """
    return {name: indexed_value(value) for name, value in _scalars("", params) if len(name) <= _MAX_NAME}


def indexed_value(value: str | float | bool | None) -> str:
    """A value as the index keeps it: 2 and 2.0 are equal, and a long text is its hash."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value)
    return text if len(text) <= _MAX_VALUE else hashlib.sha256(text.encode()).hexdigest()


def _scalars(prefix: str, params: JsonObject) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _scalars(f"{prefix}{name}.", value)
        elif value is None or isinstance(value, str | int | float):
            yield f"{prefix}{name}", value


def row_hash(*fields: str | int) -> str:
    """SHA-256 over a row's fields, each with its length so that no two rows read alike."""
    digest = hashlib.sha256()
    for value in fields:
        text = str(value).encode()
        digest.update(b"%d:" % len(text))
        digest.update(text)
    return digest.hexdigest()
