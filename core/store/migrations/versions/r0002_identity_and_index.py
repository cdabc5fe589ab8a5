"""An identity for the database, and an index by which runs are found by their kind and request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from core.store.database import reading_damaged_text
from core.store.schema import indexed_params, row_hash

revision = "0002"
down_revision = "0001"

_HASHED = ("run_id", "kind", "title", "params", "seed", "session")


def upgrade() -> None:
    """Create both tables; the runs there are get their rows in the index."""
    identity = op.create_table("identity", sa.Column("identity", sa.String(32), primary_key=True))
    op.bulk_insert(identity, [{"identity": uuid.uuid4().hex}])
    op.create_index("ix_runs_kind", "runs", ["kind"])
    run = sa.ForeignKey("runs.run_id", ondelete="CASCADE")
    index = op.create_table(
        "run_params",
        sa.Column("run_id", sa.String(32), run, primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("value", sa.String(200), nullable=False),
    )
    op.create_index("ix_run_params_name_value", "run_params", ["name", "value"])
    rows = list(_index_rows(op.get_bind()))
    if rows:
        op.bulk_insert(index, rows)


def _index_rows(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    """Those of intact runs: a damaged one is shown as damaged, and found by nothing."""
    columns = ", ".join((*_HASHED, "row_hash"))
    with reading_damaged_text(connection):
        runs = connection.execute(sa.text(f"SELECT {columns} FROM runs")).all()
    for *fields, stored in runs:
        if row_hash(*fields) == stored:
            named = indexed_params(json.loads(fields[3]))
            yield from ({"run_id": fields[0], "name": name, "value": value} for name, value in named.items())
