"""Tables that people imported."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column("table_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("source_sha256", sa.String(64), nullable=False),
    sa.Column("columns_key", sa.String(64), nullable=False),
    sa.Column("about", sa.Text(), nullable=False),
    sa.Column("size", sa.Integer(), nullable=False),
    sa.Column("created", sa.Double(), nullable=False),
    sa.Column("changed", sa.Integer(), nullable=False),
    sa.Column("deleted", sa.Double(), nullable=True),
    sa.Column("row_hash", sa.String(64), nullable=False),
)


def upgrade() -> None:
    """Create the table; nothing there is touched."""
    op.create_table("imported_tables", *_COLUMNS)
    op.create_index("ix_imported_tables_sha256", "imported_tables", ["sha256"])
    op.create_index("ix_imported_tables_columns_key", "imported_tables", ["columns_key"])
