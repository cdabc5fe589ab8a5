"""Which files the rows of a database name."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, union

from core.store.schema import ArtifactRow, CheckpointRow, ImportedTableRow, SupernetRow

_NAMING = (CheckpointRow.sha256, ArtifactRow.sha256, SupernetRow.sha256)


def named_files(connection: Connection, among: Collection[str] | None = None) -> set[str]:
    """The hashes that rows name, or those of `among` that they do."""
    queries = [
        select(column) if among is None else select(column).where(column.in_(among)) for column in _NAMING
    ]
    # A removed table's file lies in the trash, from where it can come back.
    tables = select(ImportedTableRow.sha256).where(ImportedTableRow.deleted.is_(None))
    queries.append(tables if among is None else tables.where(ImportedTableRow.sha256.in_(among)))
    return set(connection.execute(union(*queries)).scalars())


def named_sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each file that a row names, by its hash."""
    rows = (CheckpointRow, ArtifactRow, SupernetRow)
    queries = [select(row.sha256, row.size) for row in rows]
    queries.append(
        select(ImportedTableRow.sha256, ImportedTableRow.size).where(ImportedTableRow.deleted.is_(None))
    )
    return {row.sha256: row.size for row in connection.execute(union(*queries))}
