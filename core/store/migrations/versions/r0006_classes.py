"""Classes: their students, what these did in lessons, trained for the class and entered in contests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Columns = tuple[sa.Column[Any], ...]


def _of_a_class() -> Columns:
    """Of what a student did: the class, a part of the key, and when."""
    named = sa.ForeignKey("classes.code", ondelete="CASCADE")
    return (
        sa.Column("code", sa.String(6), named, primary_key=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
    )


_CLASSES: Columns = (
    sa.Column("code", sa.String(6), primary_key=True),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("seed", sa.Integer(), nullable=False),
    sa.Column("created", sa.Double(), nullable=False),
    sa.Column("version", sa.Integer(), nullable=False),
    sa.Column("rules_version", sa.Integer(), nullable=False),
    sa.Column("rules", sa.Text(), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
)
_STUDENTS: Columns = (
    sa.Column("student_id", sa.String(32), primary_key=True),
    sa.Column("code", sa.String(6), sa.ForeignKey("classes.code", ondelete="CASCADE"), nullable=False),
    sa.Column("number", sa.Integer(), nullable=False),
    sa.Column("nickname", sa.String(24), nullable=False),
    sa.Column("name_key", sa.String(64), nullable=False),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("joined", sa.Double(), nullable=False),
    sa.Column("seen", sa.Double(), nullable=False),
    sa.Column("lesson", sa.String(64), nullable=False),
    sa.Column("removed", sa.Boolean(), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
)
_TAKINGS: Columns = (
    sa.Column("ordinal", sa.Integer(), primary_key=True),
    sa.Column("student_id", sa.String(32), nullable=False),
    sa.Column("lesson", sa.String(64), nullable=False),
    sa.Column("taken", sa.Text(), nullable=False),
    sa.Column("evidence", sa.String(200), nullable=False),
    sa.Column("reset", sa.Boolean(), nullable=False),
)
_DEALS: Columns = (
    sa.Column("number", sa.Integer(), primary_key=True),
    sa.Column("student_id", sa.String(32), nullable=False),
    sa.Column("arch_id", sa.String(64), nullable=False),
    sa.Column("seed", sa.Integer(), nullable=False),
    sa.Column("run_id", sa.String(32), nullable=False),
    sa.Column("finished", sa.Integer(), nullable=True),
    sa.Column("test_accuracy", sa.Double(), nullable=True),
)
_ENTRIES: Columns = (
    sa.Column("contest", sa.Integer(), primary_key=True),
    sa.Column("student_id", sa.String(32), primary_key=True),
    sa.Column("attempt", sa.Integer(), primary_key=True),
    sa.Column("supernet", sa.String(64), nullable=False),
    sa.Column("arch_id", sa.String(64), nullable=False),
    sa.Column("macs", sa.Integer(), nullable=False),
    sa.Column("correct", sa.Integer(), nullable=True),
    sa.Column("of", sa.Integer(), nullable=False),
    sa.Column("ordinal", sa.Integer(), nullable=False),
)


def upgrade() -> None:
    """Create the tables; nothing there is touched."""
    op.create_table("classes", *_CLASSES)
    op.create_table("class_students", *_STUDENTS)
    op.create_index("ix_class_students_code_name", "class_students", ["code", "name_key"], unique=True)
    op.create_table("class_takings", *_of_a_class(), *_TAKINGS)
    op.create_index("ix_class_takings_student_id", "class_takings", ["student_id"])
    op.create_table("class_deals", *_of_a_class(), *_DEALS)
    op.create_table("class_entries", *_of_a_class(), *_ENTRIES)
