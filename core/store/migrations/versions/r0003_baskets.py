"""Baskets: named lists of networks that people put aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create both tables; nothing there is touched."""
    op.create_table(
        "baskets",
        sa.Column("basket_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Double(), nullable=True),
        sa.Column("row_hash", sa.String(64), nullable=False),
    )
    basket = sa.ForeignKey("baskets.basket_id", ondelete="CASCADE")
    op.create_table(
        "basket_items",
        sa.Column("basket_id", sa.String(32), basket, primary_key=True),
        sa.Column("network_id", sa.String(300), primary_key=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
    )
