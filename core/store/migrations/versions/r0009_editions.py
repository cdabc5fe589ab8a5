"""Editions of shipped supernets: what holds runs, baskets or supernets goes on with the weights that these are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
_KNOWN = {"digits-cnn": 1}
"""What was trained anew since the last revision -> the edition that databases knew until then."""


def upgrade() -> None:
    """Create the table; a database that nobody worked with knows the newest edition, as a new one does."""
    editions = op.create_table(
        "editions",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("edition", sa.Integer(), nullable=False),
    )
    connection = op.get_bind()
    tables = ("runs", "basket_items", "supernets", "imported_tables", "classes")
    if any(connection.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first() for table in tables):
        op.bulk_insert(editions, [{"name": name, "edition": edition} for name, edition in _KNOWN.items()])
