"""People for tests: a file of people, and somebody who asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.people import Person, asking
from core.people.person import known_by
from core.store import RunStore, permits
from core.store.schema import Base

FILE = """
default = "look"
help = "Ann"

[people]
"ann" = "administer"
"bob" = "run"
"eve" = "run"

[quotas]
"""

ANN, BOB, EVE, LEO = (known_by("proxy", name) for name in ("ann", "bob", "eve", "leo"))
"""She administers, he runs, she runs, too, and he looks."""


def tell_apart(
    monkeypatch: pytest.MonkeyPatch, folder: Path, more: str = ""
) -> Callable[[Person | None], None]:
    """People are told apart from now on; returns what says who asks (None: the machine's own work)."""
    path = folder / "people.toml"
    path.write_text(FILE + more)
    monkeypatch.setenv("PARETOSCOPE_PEOPLE", str(path))
    monkeypatch.setattr(asking_module(), "_reader", asking_module().PolicyReader())
    # What another test was refused a moment ago is not written down again.
    monkeypatch.setattr(permits, "_refusals", permits._Refusals())
    now: list[Person | None] = [None]
    monkeypatch.setattr(asking_module()._how, "asker", lambda: now[0])

    def becomes(person: Person | None) -> None:
        now[0] = person

    return becomes


def asking_module():  # type: ignore[no-untyped-def]
    """The module, which the package's function of the same name hides."""
    import sys

    return sys.modules[asking.__module__]


def contents(store: RunStore) -> dict[str, str]:
    """A hash of each table and of each file, without the audit log and the list of living servers."""
    found = {}
    skipped = ("audit", "audit_head", "servers")
    with store._database.read() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in skipped:
                rows = connection.execute(table.select().order_by(*table.primary_key)).all()
                found[table.name] = hashlib.sha256(repr(rows).encode()).hexdigest()
    for path in sorted(store.home.rglob("*")):
        if path.is_file() and ".db" not in path.name and "packed" not in path.parts:
            found[str(path.relative_to(store.home))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
