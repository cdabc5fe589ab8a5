"""Who made what, and the audit log; both empty until people are told apart."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_OWNERS: tuple[sa.Column[Any], ...] = (
    sa.Column("thing_id", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("known", sa.Text(), nullable=False),
    sa.Column("created", sa.Double(), nullable=False),
    sa.Column("spent", sa.Double(), nullable=False),
    sa.Column("ended", sa.Double(), nullable=True),
    sa.Column("row_hash", sa.String(64), nullable=False),
)
_AUDIT: tuple[sa.Column[Any], ...] = (
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("at_ms", sa.BigInteger(), nullable=False),
    sa.Column("person", sa.String(200), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("about", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("said", sa.Text(), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
)
_HEAD: tuple[sa.Column[Any], ...] = (
    sa.Column("only", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
)


def upgrade() -> None:
    """Create the tables; nothing there is touched."""
    op.create_table("owners", *_OWNERS)
    op.create_index("ix_owners_person", "owners", ["person"])
    op.create_table("audit", *_AUDIT)
    op.create_table("audit_head", *_HEAD)
