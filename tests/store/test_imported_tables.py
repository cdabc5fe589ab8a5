"""Imported tables in the store: kept by hash, renamed, replaced, removed to the trash and brought back, damaged one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.store import RunStore
from core.store.imported import LONGEST_NAME

KEY = "c" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as opened:
        yield opened


def add(store: RunStore, data: bytes = b"columns", name: str = "Mine", about: str = '{"a": 1}') -> str:
    return store.tables.add(name, data, about=about, columns_key=KEY, source_sha256="s" * 64)


def test_kept_listed_renamed_and_remembered(store: RunStore) -> None:
    first, second = add(store), add(store, b"others", "Other", '{"a": 2}')
    assert [table.table_id for table in store.tables.list()] == [second, first]
    assert store.tables.remembered(KEY) == '{"a": 2}'
    assert store.tables.remembered("d" * 64) == ""
    store.tables.rename(first, "  New\nname ")
    assert store.tables.get(first).name == "New name"
    assert store.tables.content(store.tables.get(first)) == b"columns"
    store.tables.remap(first, '{"a": 3}')
    assert store.tables.remembered(KEY) == '{"a": 3}'
    assert store.check() == []
    for name in ("", " \n", "x" * (LONGEST_NAME + 1)):
        with pytest.raises(InvalidInput):
            store.tables.rename(first, name)


def test_removed_to_the_trash_and_brought_back(store: RunStore, tmp_path: Path) -> None:
    table_id = add(store)
    sha256 = store.tables.get(table_id).sha256
    store.tables.remove(table_id)
    assert store.tables.list() == []
    assert not (tmp_path / "blobs" / sha256).exists()
    assert list((tmp_path / "trash").glob(f"*/{sha256}"))
    assert store.tables.remembered(KEY) == '{"a": 1}'  # for the next file of these columns
    with pytest.raises(NotFound, match="removed"):
        store.tables.remove(table_id)
    store.tables.restore(table_id)
    assert store.tables.content(store.tables.get(table_id)) == b"columns"
    assert store.check() == []
    store.tables.remove(table_id)
    store.empty_trash()
    store.tables.restore(table_id)
    with pytest.raises(DamagedArtifact):
        store.tables.content(store.tables.get(table_id))


def test_a_file_that_something_else_names_stays(store: RunStore, tmp_path: Path) -> None:
    one, other = add(store), add(store)
    store.tables.remove(one)
    assert store.tables.content(store.tables.get(other)) == b"columns"
    store.tables.replace(other, b"more columns", about="{}", columns_key=KEY)
    assert store.tables.content(store.tables.get(other)) == b"more columns"
    assert store.sweep() == 0
    assert store.check() == []


def test_damage_is_one_entry(store: RunStore, tmp_path: Path) -> None:
    good, bad = add(store, b"a", "Good"), add(store, b"b", "Bad")
    with store._database.write("a test") as connection:
        connection.execute(text("UPDATE imported_tables SET about = '{}' WHERE name = 'Bad'"))
    said = {table.name: table.damaged for table in store.tables.list()}
    assert said["Good"] == ""
    assert "has changed since it was saved" in said["Bad"]
    assert any("Bad" in sentence for sentence in store.check())
    with pytest.raises(DamagedArtifact):
        store.tables.get(bad)
    store.tables.remove(bad)
    (tmp_path / "blobs" / store.tables.get(good).sha256).write_bytes(b"x")
    assert any("The imported table Good is damaged" in sentence for sentence in store.check())
