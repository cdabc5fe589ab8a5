"""Finds silent damage: what changed on the disk without anybody writing it.

SQLite does not checksum its content: of 1,000 single flipped bits its own check missed 155 that had
changed data. So every row that matters carries a hash, every run its number of measurements, every file
its SHA-256, and all are compared here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, select, text

from core.errors import CoreError, DamagedArtifact
from core.store.audit import audit_damage
from core.store.class_check import damaged_class_rows
from core.store.files import Files
from core.store.imported import damaged_tables
from core.store.ledger import measurement_hash
from core.store.owners import owner_damage
from core.store.rows import damaged_rows, read_run, runs_query
from core.store.schema import (
    ArtifactRow,
    BasketItemRow,
    BasketRow,
    CheckpointRow,
    ImportedTableRow,
    MeasurementRow,
    MetricRow,
    ParamRow,
    RunRow,
    SupernetRow,
    indexed_params,
    row_hash,
)


def find_damage(files: Files) -> list[str]:
    """One plain sentence per damaged thing; empty if all is well.

    Damaged text is read as far as it goes, so that its row's hash tells; what stops one part of the check
    (a page of the database that is gone) does not stop the others.
    """
    parts: list[Callable[[Connection], Iterator[str]]] = [_runs, _index, _measurements, _metrics, _baskets]
    parts.append(lambda connection: iter(damaged_tables(connection)))
    parts += [damaged_class_rows, owner_damage, audit_damage]
    parts.append(lambda connection: _files(connection, files))
    if files.database.is_sqlite:
        parts.insert(0, _integrity)
    found: list[str] = []
    for part in parts:
        try:
            with files.database.read("checking the database", tolerant=True) as connection:
                for sentence in part(connection):
                    found.append(sentence)
        except CoreError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _integrity(connection: Connection) -> Iterator[str]:
    for line in connection.execute(text("PRAGMA integrity_check(20)")).scalars():
        if line != "ok":
            yield f"The database is damaged ({line}). Restore a backup."
    for table, *_ in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"The database has a row in {table} that belongs to no run."


def _runs(connection: Connection) -> Iterator[str]:
    for damaged in damaged_rows(connection):
        yield damaged.sentence


def _index(connection: Connection) -> Iterator[str]:
    """Runs are found by this; a wrong row hides one, or shows it where it does not belong."""
    indexed: dict[str, dict[str, str]] = {}
    for run_id, name, value in connection.execute(select(ParamRow.run_id, ParamRow.name, ParamRow.value)):
        indexed.setdefault(run_id, {})[name] = value
    for row in connection.execute(runs_query()).mappings():
        try:
            run = read_run(dict(row))
        except DamagedArtifact:
            continue  # named already
        if indexed.get(run.run_id, {}) != indexed_params(run.params):
            yield f"The index no longer finds run {run.run_id} by its request."


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
            yield f"The numbers of step {step} of run {run_id} have changed since they were saved."


def _baskets(connection: Connection) -> Iterator[str]:
    basket, item = BasketRow, BasketItemRow
    for basket_id, name, stored in connection.execute(select(basket.basket_id, basket.name, basket.row_hash)):
        if row_hash(basket_id, name) != stored:
            yield f"The name of basket {basket_id} has changed since it was saved. Rename it."
    items = select(item.basket_id, item.network_id, item.title, item.row_hash)
    for basket_id, network_id, title, stored in connection.execute(items):
        if row_hash(basket_id, network_id, title) != stored:
            yield f"A network in basket {basket_id} has changed since it was saved. Remove it and add it again."


def _files(connection: Connection, files: Files) -> Iterator[str]:
    named = [
        (f"A checkpoint of run {run_id}", sha256)
        for run_id, sha256 in connection.execute(select(CheckpointRow.run_id, CheckpointRow.sha256))
    ]
    artifacts = select(ArtifactRow.name, ArtifactRow.run_id, ArtifactRow.sha256)
    named += [(f"{name} of run {run_id}", sha256) for name, run_id, sha256 in connection.execute(artifacts)]
    supernets = select(SupernetRow.name, SupernetRow.sha256)
    named += [(f"The weights of supernet {name}", sha256) for name, sha256 in connection.execute(supernets)]
    table = ImportedTableRow
    tables = select(table.name, table.sha256).where(table.deleted.is_(None))
    named += [(f"The imported table {name}", sha256) for name, sha256 in connection.execute(tables)]
    for what, sha256 in named:
        try:
            files.blobs.verify(sha256)
        except DamagedArtifact as error:
            yield f"{what} is damaged: {error}"
