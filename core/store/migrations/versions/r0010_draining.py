"""Whether a server is to take no new work, as somebody asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; every server takes work."""
    op.add_column("servers", sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()))
