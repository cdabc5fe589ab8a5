"""How long runs were at work: waiting in the queue is no part of what they took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both columns; of the runs there are it is not known."""
    op.add_column("runs", sa.Column("begun", sa.Double, nullable=True))
    op.add_column("runs", sa.Column("worked", sa.Double, nullable=True))
