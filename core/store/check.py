"""Finds silent damage: what changed on the disk without anybody writing it.

SQLite does not checksum its content: of 1,000 single flipped bits its own check missed 155 that had
changed data. So every row that matters carries a hash, every run its number of measurements, every file
its SHA-256, and all are compared here.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select, text

from core.errors import CoreError, DamagedArtifact
from core.store.files import Files
from core.store.ledger import measurement_hash
from core.store.schema import (
    ArtifactRow,
    CheckpointRow,
    MeasurementRow,
    MetricRow,
    RunRow,
    SupernetRow,
    row_hash,
)


def find_damage(files: Files) -> list[str]:
    """One plain sentence per damaged thing; empty if all is well."""
    found: list[str] = []
    try:
        with files.database.read("checking the database") as connection:
            if files.database.is_sqlite:
                found += _integrity(connection)
            found += _runs(connection)
            found += _measurements(connection)
            found += _metrics(connection)
            found += _files(connection, files)
    except CoreError as error:
        found.append(str(error))
    return found


def _integrity(connection: Connection) -> Iterator[str]:
    for line in connection.execute(text("PRAGMA integrity_check(20)")).scalars():
        if line != "ok":
            yield f"The database is damaged ({line}). Restore a backup."
    for table, *_ in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"The database has a row in {table} that belongs to no run."


def _runs(connection: Connection) -> Iterator[str]:
    row = RunRow
    query = select(row.run_id, row.kind, row.title, row.params, row.seed, row.session, row.row_hash)
    for *fields, stored in connection.execute(query):
        if row_hash(*fields) != stored:
            yield f"The request of run {fields[0]} has changed since it was saved."
    cards = select(SupernetRow.supernet_id, SupernetRow.sha256, SupernetRow.card, SupernetRow.row_hash)
    for *fields, stored in connection.execute(cards):
        if row_hash(*fields) != stored:
            yield f"The card of supernet {fields[0]} has changed since it was saved."


def _measurements(connection: Connection) -> Iterator[str]:
    count: dict[str, int] = {}
    columns = MeasurementRow.__table__
    ordered = select(columns).order_by(columns.c.run_id, columns.c.ordinal)
    for found in connection.execute(ordered).mappings():
        run_id, ordinal = found["run_id"], found["ordinal"]
        if measurement_hash(dict(found)) != found["row_hash"]:
            yield f"Measurement {ordinal} of run {run_id} has changed since it was saved."
        count[run_id] = count.get(run_id, 0) + 1
    for run_id, expected in connection.execute(select(RunRow.run_id, RunRow.n_measurements)):
        if count.get(run_id, 0) != expected:
            yield f"Run {run_id} has {count.get(run_id, 0)} measurements, but {expected} were saved."


def _metrics(connection: Connection) -> Iterator[str]:
    row = MetricRow
    query = select(row.run_id, row.step, row.metric_values, row.row_hash)
    for run_id, step, values, stored in connection.execute(query):
        if row_hash(run_id, step, values) != stored:
            yield f"The metrics of step {step} of run {run_id} have changed since they were saved."


def _files(connection: Connection, files: Files) -> Iterator[str]:
    named = [
        (f"A checkpoint of run {run_id}", sha256)
        for run_id, sha256 in connection.execute(select(CheckpointRow.run_id, CheckpointRow.sha256))
    ]
    artifacts = select(ArtifactRow.name, ArtifactRow.run_id, ArtifactRow.sha256)
    named += [(f"{name} of run {run_id}", sha256) for name, run_id, sha256 in connection.execute(artifacts)]
    supernets = select(SupernetRow.name, SupernetRow.sha256)
    named += [(f"The weights of supernet {name}", sha256) for name, sha256 in connection.execute(supernets)]
    for what, sha256 in named:
        try:
            files.blobs.get(sha256)
        except DamagedArtifact as error:
            yield f"{what} is damaged: {error}"
