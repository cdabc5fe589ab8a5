"""The audit log: a removed, changed or cut row is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.people.person import known_by
from core.store import RunStore
from core.store.audit import _hash
from core.store.schema import AuditRow
from tests.people.acting import BOB


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        for number in range(6):
            store.audit.add(BOB, "log in", said=f"{number}")
        yield store


def change(store: RunStore, statement: str) -> None:
    with store._database.write("an attack") as connection:
        connection.exec_driver_sql(statement)


def test_it_counts_from_one_and_is_whole(store: RunStore) -> None:
    assert [entry.number for entry in store.audit.all()] == [1, 2, 3, 4, 5, 6]
    assert [entry.said for entry in store.audit.newest(2)] == ["5", "4"]
    assert len(store.audit.last_hash()) == 64
    assert store.check() == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit WHERE number = 1",
        "DELETE FROM audit WHERE number = 6",
        "DELETE FROM audit WHERE number > 2",
        "DELETE FROM audit",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET number = 5",
        "UPDATE audit SET person = 'eve' WHERE number = 2",
        "UPDATE audit SET outcome = 'refused' WHERE number = 6",
        "UPDATE audit SET said = 'other' WHERE number = 4",
        "UPDATE audit SET at_ms = at_ms + 1 WHERE number = 1",
        "UPDATE audit SET number = number + 1 WHERE number = 6",
        "INSERT INTO audit SELECT 7, at_ms, person, name, action, about, outcome, said, row_hash FROM audit WHERE number = 6",
    ],
)
def test_every_change_is_noticed(store: RunStore, statement: str) -> None:
    change(store, statement)
    assert any("audit log" in sentence for sentence in store.check()), statement


def test_a_row_with_a_hash_of_its_own_does_not_fit_the_next(store: RunStore) -> None:
    """Whoever writes a row anew has to write all after it anew, and the last hash, which stands elsewhere."""
    with store._database.read() as connection:
        rows = connection.execute(AuditRow.__table__.select().order_by(AuditRow.number)).mappings().all()
    row = {**rows[2], "person": "eve"}
    with store._database.write("an attack") as connection:
        connection.exec_driver_sql(
            "UPDATE audit SET person = 'eve', row_hash = ? WHERE number = 3",
            (_hash(row, rows[1]["row_hash"]),),
        )
    assert any("Row 4 of the audit log" in sentence for sentence in store.check())


def test_swapped_rows_are_noticed(store: RunStore) -> None:
    for a, b in ((2, 100), (3, 2), (100, 3)):
        change(store, f"UPDATE audit SET number = {b} WHERE number = {a}")
    assert any("audit log" in sentence for sentence in store.check())


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "\u202e<script>", "x" * 5000, "☃"])
def test_any_name_can_be_written_and_read(store: RunStore, name: str) -> None:
    store.audit.add(known_by("proxy", name, name), "log in", "refused", name)
    assert store.check() == []
    assert len(store.audit.newest(1)[0].name) <= 200


def test_a_backup_carries_it_and_goes_on_from_it(store: RunStore, tmp_path: Path) -> None:
    store.copy_out(tmp_path / "copy")
    home = tmp_path / "new"
    with RunStore(f"sqlite:///{home / 'p.db'}", home) as new:
        new.copy_in(tmp_path / "copy")
        assert new.audit.all() == store.audit.all()
        new.audit.add(BOB, "log in")
        assert new.check() == []
