"""Alembic's entry point: runs the migrations inside the transaction that `migrate` opened."""

from __future__ import annotations

from alembic import context

from core.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
)
context.run_migrations()
