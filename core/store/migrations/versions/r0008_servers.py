"""Servers that take runs from one queue, and whose turn it was: the number of each claim."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_SERVERS: tuple[sa.Column[Any], ...] = (
    sa.Column("owner", sa.String(32), primary_key=True),
    sa.Column("host", sa.Text(), nullable=False),
    sa.Column("pid", sa.Integer(), nullable=False),
    sa.Column("started", sa.String(32), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("does", sa.String(16), nullable=False),
    sa.Column("workers", sa.Integer(), nullable=False),
    sa.Column("in_sandboxes", sa.Integer(), nullable=False),
    sa.Column("beat", sa.Integer(), nullable=False),
    sa.Column("since", sa.Double(), nullable=False),
    sa.Column("ended", sa.Double(), nullable=True),
)


def upgrade() -> None:
    """Create the table and the column; nothing there is touched."""
    op.create_table("servers", *_SERVERS)
    op.add_column("runs", sa.Column("claimed", sa.Integer(), nullable=True))
    op.create_index("ix_runs_claimed", "runs", ["claimed"])
