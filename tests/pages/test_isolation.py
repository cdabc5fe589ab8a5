"""Two students and the home, each with one of everything: what one of them can reach of another's is nothing.

The three trained the same supernet to the same bits, so a cache that goes by content alone would mix their titles. Each
link is opened first by its owner, so that every cache is warm with what the next visitor must not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.jobs.manager import JobManager
from core.lessons.base import LESSONS
from core.library import kept_tables, supernets
from core.library.foreign_tables.decoding import decoded
from core.library.table_guessing import guessed
from core.library.tables import dump_table
from core.records import Measurement, RunState
from core.store import RunStore
from core.supernets.files import dump_supernet
from pages.ui import resources
from tests.helpers.foreign_tables import as_csv
from tests.helpers.nets import small_cnn
from tests.pages.conftest import ROOT

pytestmark = pytest.mark.slow

A, B, HOME = "a" * 32, "b" * 32, ""
WHO = {A: "of-ada", B: "of-bob", HOME: "of-home"}
HEAVY = {"download-bundle", "supernet-export"}
"""Buttons whose files load torch; what they hold is asked for by an entry, not by an id."""
NET = small_cnn()


@dataclass(frozen=True)
class Owned:
    """Ids of what one of the three has."""

    net: str
    arch: str
    upload: str
    search: str
    lesson: str
    basket: str
    table: str
    waiting: str
    failed: str


@pytest.fixture(autouse=True)
def visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who visits stands in the session, in place of a class's cookie; nothing that is queued starts."""
    monkeypatch.setattr(
        "pages.ui.classroom.member.sandbox", lambda: st.session_state.get("as-student") or None
    )
    monkeypatch.setattr(JobManager, "_start_next", lambda self, order: None)


def store_of(who: str) -> RunStore:
    return resources.sandboxes().open(who) if who else resources.home_store()


def jobs_of(who: str) -> Any:
    return resources.manager().within(who) if who else resources.manager()


def done(store: RunStore, kind: str, params: dict[str, Any], title: str, **files: bytes) -> str:
    run_id = store.create_run(kind, params, title=title, state=RunState.RUNNING)
    for name, data in files.items():
        store.ledger(run_id).save_artifact(name.replace("__", "."), data, "application/octet-stream")
    store.set_state(run_id, RunState.DONE)
    return run_id


def fill(who: str) -> Owned:
    """One of everything, named after its owner; the contents are equal where they can be."""
    store, name = store_of(who), WHO[who]
    file = dump_supernet(NET, {"title": "equal", "seed": 1})
    net = done(store, "train_supernet", {"seed": 1}, f"net {name}", supernet__safetensors=file)
    rows = NET.space.array()
    values = {"accuracy": np.linspace(0.1, 0.9, len(rows)), "macs": np.arange(len(rows), dtype=float)}
    done(
        store,
        "evaluate_table",
        {"supernet": net},
        f"table {name}",
        table__parquet=dump_table(NET.space, rows, values),
    )
    shipped = supernets.find(None, "digits-cnn")
    search = {"supernet": "digits-cnn", "algorithm": "nsga2", "objectives": ["accuracy", "macs"], "budget": 3}
    found = store.create_run("search_front", search, title=f"search {name}", state=RunState.RUNNING)
    measured = [
        Measurement(tuple(row), {"accuracy": 0.5 + 0.1 * k, "macs": 1000.0 + k})
        for k, row in enumerate(shipped.space.array()[:3].tolist())
    ]
    store.ledger(found).add_measurements(0, measured)
    store.set_state(found, RunState.DONE)
    lesson = LESSONS.create("ranking").example(np.random.default_rng(0))
    about = lesson.model_copy(update={"about": f"lesson {name}"}).encode()
    basket = store.baskets.create(f"basket {name}")
    store.baskets.add(basket, f"subnet:{net}:{NET.space.arch_id(NET.space.largest)}", f"subnet {name}")
    file_found, columns = decoded(as_csv())
    source = "0" * 64
    table = kept_tables.add(store, f"file {name}", file_found, columns, guessed(file_found), source)
    failed = store.create_run("train_supernet", {"seed": 3}, title=f"failed {name}", state=RunState.RUNNING)
    store.set_state(failed, RunState.FAILED, f"why {name}")
    computed = {"lesson": "ranking", "seed": 5}
    return Owned(
        net=net,
        arch=NET.space.arch_id(NET.space.largest),
        upload=store.add_supernet(f"upload {name}", file, {"family": "elastic_cnn", "data": "digits"}),
        search=found,
        lesson=done(store, "compute_lesson", computed, f"computed {name}", lesson__json=about),
        basket=basket,
        table=table,
        waiting=jobs_of(who).submit("train_supernet", {"seed": 2}, title=f"waits {name}"),
        failed=failed,
    )


def links(of: Owned) -> list[tuple[str, dict[str, str]]]:
    """Every part of an address that names something of somebody's, on the page that reads it."""
    net, other = (f"subnet:{each}:{of.arch}" for each in (of.net, of.upload))
    return [
        ("front", {"supernet": of.net, "sid": of.arch}),
        ("front", {"supernet": "digits-cnn", "run": of.search}),
        (
            "front",
            {"supernet": "digits-cnn", "closer": "several", "beside": "supernets", "fronts": of.upload},
        ),
        ("front", {"supernet": "digits-cnn", "pruned": f"pruned:{of.search}:0"}),
        ("supernets", {"supernet": of.net}),
        ("supernets", {"supernet": of.upload}),
        ("search", {"supernet": "digits-cnn"}),
        ("similarity", {"models": f"{net},{other}", "a": net, "b": other, "matrix": net}),
        ("pruning", {"parent": net, "model": f"pruned:{of.search}:0"}),
        ("basket", {"id": of.basket}),
        ("table", {"table": of.table, "fronts": of.table}),
        ("learn", {"lesson": "dominance", "supernet": of.net}),
        ("learn", {"lesson": "ranking", "run": of.lesson, "step": "1"}),
        ("runs", {}),
    ]


def visit(who: str, page: str, query: dict[str, str], **session: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if page != "front":
        app.switch_page(f"pages/{page}.py")
    app.session_state["as-student"] = who
    for key, value in session.items():
        app.session_state[key] = value
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def drawn(app: AppTest) -> str:
    """Everything that went to the browser."""
    return " ".join(str(element.proto) for element in app._tree if hasattr(element, "proto"))


def snapshot(who: str) -> object:
    """All that is kept for somebody."""
    store = store_of(who)
    files = [store.kept.of_run(run.run_id) for run in store.list_runs()]
    return store.list_runs(), files, store.list_supernets(), store.baskets.list(), store.tables.list()


@pytest.fixture
def world() -> dict[str, Owned]:
    return {who: fill(who) for who in WHO}


def test_no_link_shows_what_is_anothers(world: dict[str, Owned]) -> None:
    before = {who: snapshot(who) for who in WHO}
    for page, query in links(world[B]):
        shown = drawn(visit(B, page, query))
        assert WHO[A] not in shown, (page, "its owner saw another's")
        assert WHO[HOME] not in shown, (page, "its owner saw the home's")
        seen = page == "learn" or WHO[B] in shown
        assert seen, (page, query, "the owner does not see it, so the test shows nothing")
        for who in (A, HOME):
            assert WHO[B] not in drawn(visit(who, page, query)), (page, query, WHO[who])
    for page, query in links(world[A]):  # the same content under the same keys, but for whose it is
        assert WHO[B] not in drawn(visit(A, page, query)), (page, query)
    revisions = {supernets.find(store_of(who), world[who].net).revision for who in (A, B)}
    assert len(revisions) == 2, "what is kept by a revision says a title"
    for page, query in links(world[HOME]):
        visit(HOME, page, query)
        assert WHO[HOME] not in drawn(visit(A, page, query)), (page, query)
    assert {who: snapshot(who) for who in WHO} == before


def test_a_student_reads_how_much_room_there_is(world: dict[str, Owned]) -> None:
    assert "of your 50 MB in this class" in drawn(visit(A, "runs", {}))
    assert "on the disk" in drawn(visit(HOME, "runs", {}))


def test_the_owner_of_a_lessons_run_sees_it_and_nobody_else(world: dict[str, Owned]) -> None:
    query = {"lesson": "ranking", "run": world[B].lesson, "step": "predict"}
    assert f"lesson {WHO[B]}" in drawn(visit(B, "learn", query))
    assert f"lesson {WHO[B]}" not in drawn(visit(A, "learn", query))


def test_no_choice_that_a_session_remembers_reaches_another_store(world: dict[str, Owned]) -> None:
    """As if somebody had joined a class in the midst of a visit: the session knows ids of the home."""
    home = world[HOME]
    remembered = {
        "runs": {"pick-run": home.search},
        "basket": {"basket-chosen": home.basket},
        "search": {"pick-search": [home.search]},
        "supernets": {"training-run": home.waiting},
    }
    for page, session in remembered.items():
        shown = drawn(visit(A, page, {}, **session))
        assert WHO[HOME] not in shown, page


def test_no_action_reaches_another_store(world: dict[str, Owned]) -> None:
    before = {who: snapshot(who) for who in (B, HOME)}

    def page() -> None:
        import streamlit as st

        from core.errors import NotFound
        from pages.ui import baskets, progress, resources
        from pages.ui.runs import panels

        refused = []
        for of in st.session_state["others"]:
            for run_id in (of.waiting, of.failed, of.search, of.net):
                for action in ("cancel", "resume"):
                    progress.attempt(action, run_id)
                panels._delete(run_id)
            baskets.choose(of.basket)
            baskets.add("subnet:digits-cnn:311131113111", "mine")
            changes = [
                lambda of=of: resources.store().titles.rename_run(of.search, "taken"),
                lambda of=of: resources.store().titles.rename_supernet(of.upload, "taken"),
                lambda of=of: resources.store().delete_supernet(of.upload),
                lambda of=of: resources.store().baskets.rename(of.basket, "taken"),
                lambda of=of: resources.store().tables.remove(of.table),
                lambda of=of: resources.store().ledger(of.search),
            ]
            for change in changes:
                try:
                    change()
                except NotFound:
                    refused.append(True)
        st.session_state["refused"] = len(refused)

    app = AppTest.from_function(page)
    app.session_state["as-student"] = A
    app.session_state["others"] = [world[B], world[HOME]]
    app.run()
    assert not app.exception, app.exception[0].message
    assert app.session_state["refused"] == 12
    assert {who: snapshot(who) for who in (B, HOME)} == before
    assert [run.state for run in store_of(B).list_runs()].count(RunState.QUEUED) == 1


def test_what_is_made_after_the_page_is_the_visitors(world: dict[str, Owned]) -> None:
    """A download's file is made when the browser asks, in a thread that belongs to no visitor."""

    def page() -> None:
        import streamlit as st

        from pages.ui import resources

        st.session_state["whose"] = (resources.store().sandbox_id, resources.jobs().sandbox_id)

    app = AppTest.from_function(page)
    app.session_state["as-student"] = B
    app.run()
    assert app.session_state["whose"] == (B, B)
    for ask in (resources.store, resources.jobs, resources.place):
        with pytest.raises(RuntimeError, match="pass the store along"):
            ask()


def test_one_student_cannot_read_anothers_cached_table(world: dict[str, Owned]) -> None:
    """The one cache whose key a visitor brings along: a run's id."""

    def page() -> None:
        import streamlit as st

        from core.errors import NotFound
        from core.library import supernets
        from pages.ui import resources

        entry = supernets.find(resources.store(), "digits-cnn")
        try:
            found = resources.search_table(st.session_state["run"], 3, entry)
            st.session_state["rows"] = len(found)
        except NotFound:
            st.session_state["rows"] = 0

    rows = []
    for who in (B, A, HOME):
        app = AppTest.from_function(page)
        app.session_state["as-student"], app.session_state["run"] = who, world[B].search
        app.run()
        assert not app.exception, app.exception[0].message
        rows.append(app.session_state["rows"])
    assert rows == [3, 0, 0]


def test_files_made_later_hold_what_is_the_visitors(
    world: dict[str, Owned], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download's file is made when the browser asks for it, in a thread that belongs to no visitor."""
    makers: dict[str, Callable[[], bytes]] = {}
    button = st.download_button

    def noted(label: str, data: Any = None, *args: Any, key: str = "", **kwargs: Any) -> bool:
        if callable(data) and key not in HEAVY:
            makers[key] = data
        return button(label, data, *args, key=key, **kwargs)

    monkeypatch.setattr(st, "download_button", noted)
    bob = world[B]
    visit(B, "front", {"supernet": "digits-cnn", "run": bob.search}, **{"front-tabs": "Table"})
    visit(B, "runs", {}, **{"pick-run": bob.lesson})
    visit(B, "basket", {"id": bob.basket})
    visit(B, "search", {"supernet": "digits-cnn"})
    visit(B, "table", {"table": bob.table})
    visit(B, "supernets", {"supernet": bob.net})
    wanted = {"front-about", "front-csv", "front-latex", "search-csv", "report-html", "tb-file-all"}
    assert wanted | {"artifact-lesson.json", f"weights-{bob.net}"} <= set(makers)
    for key, make in makers.items():
        made = make().decode("utf-8", "replace")
        assert made, key
        assert WHO[A] not in made, key
        assert WHO[HOME] not in made, key


def test_a_student_who_waits_looks_again_every_five_seconds(world: dict[str, Owned]) -> None:
    """A job of each of thirty is waiting: thirty looks a second would be more than the server can do."""

    def page() -> None:
        import streamlit as st

        from pages.ui import resources

        st.session_state["seconds"] = resources.look_again_seconds()

    for who, seconds in ((A, 5.0), (HOME, 1.0)):
        app = AppTest.from_function(page)
        app.session_state["as-student"] = who
        app.run()
        assert app.session_state["seconds"] == seconds
