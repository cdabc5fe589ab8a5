"""One damaged thing is one damaged thing: it is shown with its sentence, and every page works beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.library import supernets as library
from core.records import RunState
from core.settings import settings
from core.store import RunStore
from core.workflows import search_front
from tests.helpers.nets import small_cnn
from tests.pages.conftest import PAGES

Open = Callable[..., AppTest]


def supernet_file() -> bytes:
    from core.supernets.files import dump_supernet

    card = {"title": "Own", "data": {"name": "digits", "config": {}, "seed": 0}}
    return dump_supernet(small_cnn(), card)


@pytest.fixture
def store() -> RunStore:
    """A store with an uploaded and a trained supernet, a table, and a finished search."""
    place = settings()
    opened = RunStore(place.database_url, place.home)
    data = supernet_file()
    uploaded = opened.add_supernet("Uploaded one", data, {"family": "elastic_cnn", "data": "digits"})
    search = search_front.Request(supernet="digits-cnn").model_dump(mode="json")
    for kind, params, artifact, content in (
        ("train_supernet", {"title": "Own"}, library.SUPERNET_FILE, data),
        ("evaluate_table", {"supernet": uploaded}, library.TABLE_FILE, b"table"),
        ("search_front", search, "front.json", b"{}"),
    ):
        run_id = opened.create_run(kind, params, title=f"A {kind}", state=RunState.RUNNING)
        opened.ledger(run_id).save_artifact(artifact, content, "application/octet-stream")
        opened.set_state(run_id, RunState.DONE)
    return opened


def forget_everything_read() -> None:
    """As after a restart of the server."""
    st.cache_resource.clear()
    library._header.cache.clear()
    library._checked.cache.clear()


def flip(table: str, column: str, key: str) -> None:
    """Turn one byte of a text column into one that no text has."""
    database = settings().database_url.removeprefix("sqlite:///")
    with sqlite3.connect(database) as connection:
        changed = connection.execute(
            f"UPDATE {table} SET {column} = CAST(X'FF' || CAST(substr({column}, 2) AS BLOB) AS TEXT) WHERE {key}"
        )
        assert changed.rowcount >= 1
    connection.close()


def remove_blobs(_: RunStore) -> None:
    for path in (settings().home / "blobs").iterdir():
        path.unlink()


def change_blobs(_: RunStore) -> None:
    for path in (settings().home / "blobs").iterdir():
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


DAMAGES: dict[str, Callable[[RunStore], Any]] = {
    "missing files": remove_blobs,
    "changed files": change_blobs,
    "run's params": lambda _: flip("runs", "params", "kind = 'search_front'"),
    "run's title": lambda _: flip("runs", "title", "kind = 'train_supernet'"),
    "run's state": lambda _: flip("runs", "state", "kind = 'evaluate_table'"),
    "run's id": lambda _: flip("runs", "run_id", "kind = 'search_front'"),
    "supernet's card": lambda _: flip("supernets", "card", "1"),
    "supernet's id": lambda _: flip("supernets", "supernet_id", "1"),
    "artifact's name": lambda _: flip("artifacts", "media_type", "1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_page_works_beside_damage(store: RunStore, open_page: Open, damage: str) -> None:
    DAMAGES[damage](store)
    store.close()
    forget_everything_read()
    app = open_page("front")
    for name in PAGES[1:]:
        app.switch_page(f"pages/{name}.py").run()
        assert not app.exception, (name, app.exception[0].message)
        assert app.title[0].value


def button(app: AppTest, prefix: str) -> Any:
    [found] = [each for each in app.button if str(each.key).startswith(prefix)]
    return found


def test_a_damaged_supernet_says_so_and_can_be_removed(store: RunStore, open_page: Open) -> None:
    [run] = store.list_runs(kind="train_supernet")
    store.delete_run(run.run_id)
    remove_blobs(store)
    forget_everything_read()
    app = open_page("supernets")
    [said] = [each.value for each in app.warning if "Uploaded one" in each.value]
    assert "missing" in said
    button(app, "remove-damaged-").click().run()
    assert not app.exception
    assert not [each for each in app.warning if "Uploaded one" in each.value]
    assert store.list_supernets() == []
    store.close()


@pytest.mark.parametrize(
    ("damage", "page"), [("run's params", "runs"), ("run's id", "runs"), ("supernet's id", "supernets")]
)
def test_a_damaged_row_says_so_and_can_be_removed(
    store: RunStore, open_page: Open, damage: str, page: str
) -> None:
    DAMAGES[damage](store)
    forget_everything_read()
    assert len(store.damaged()) == 1
    app = open_page(page)
    assert [each for each in app.warning if "changed since it was saved" in each.value]
    button(app, "remove-damaged-").click().run()
    assert not app.exception
    assert not [each for each in app.warning if "changed since it was saved" in each.value]
    assert store.damaged() == []
    store.close()


@pytest.mark.slow
def test_adding_a_damaged_supernet_again_repairs_it(store: RunStore) -> None:
    from core.library.loading import add_supernet

    change_blobs(store)
    forget_everything_read()
    assert len(library.damaged(store)) == 2
    assert add_supernet(store, "again", supernet_file()).was_there
    assert library.damaged(store) == []
    store.close()
