"""The gate in front of every write: who may what, and that nothing changes where they may not."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import CoreError, NotAllowed
from core.people import NOBODY, Person, own_work
from core.records import RunState
from core.store import RunStore
from core.store.leases import Owner
from core.store.permits import DEEDS, FOLLOWS
from tests.people.acting import ANN, BOB, EVE, LEO, contents, tell_apart

ROOT = Path(__file__).resolve().parents[2]
Becomes = Callable[[Person | None], None]
HERE = Owner()


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Becomes:
    return tell_apart(monkeypatch, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path / "home") as store:
        yield store


def run_of(store: RunStore, becomes: Becomes, person: Person | None, state: RunState | None = None) -> str:
    becomes(person)
    run_id = store.create_run("train_supernet", {"a": 1}, title="A run", owner=HERE)
    becomes(None)
    if state is not None:
        store.set_state(run_id, state)
    return run_id


class Scene:
    """Things of Bob's, of Eve's and of before people were told apart, and everything one can do to them."""

    def __init__(self, store: RunStore, becomes: Becomes) -> None:
        self.store = store
        owners = {"bob": BOB, "eve": EVE, "before": None}
        self.runs = {
            (who, state): run_of(store, becomes, person, state)
            for who, person in owners.items()
            for state in (None, RunState.CANCELLED, RunState.DONE)
        }
        self.supernets, self.tables = {}, {}
        for who, person in owners.items():
            becomes(person)
            self.supernets[who] = store.add_supernet(f"Of {who}", who.encode(), {})
            self.tables[who] = store.tables.add(
                f"Of {who}", who.encode(), about="{}", columns_key=who, source_sha256="0" * 64
            )
        becomes(BOB)
        self.basket = store.baskets.create("Basket")
        becomes(None)
        for who in owners:
            store.ledger(self.runs[who, None]).save_artifact("a.json", b"{}", "application/json")
            store.append_log(self.runs[who, RunState.DONE], "secret of the log")

    def anywhere(self) -> dict[str, Callable[[], object]]:
        """What somebody with the role run may do, whoever they are."""
        store = self.store
        return {
            "start": lambda: store.create_run("train_supernet", {}, title="New", owner=HERE),
            "upload a supernet": lambda: store.add_supernet("New", b"new", {}),
            "upload a table": lambda: store.tables.add(
                "New", b"newer", about="{}", columns_key="n", source_sha256="1" * 64
            ),
            "basket": lambda: store.baskets.create("Another"),
            "rename a basket": lambda: store.baskets.rename(self.basket, "Renamed"),
            "check": lambda: store.check(),
        }

    def to(self, who: str) -> dict[str, Callable[[], object]]:
        """What is done to somebody's things."""
        store, runs = self.store, self.runs
        return {
            "cancel": lambda: store.leases.request_cancel(runs[who, None]),
            "resume": lambda: store.leases.enqueue(runs[who, RunState.CANCELLED], HERE),
            "change": lambda: store.ledger(runs[who, None]).save_artifact("a.json", b"[1]", "a/b"),
            "rename a run": lambda: store.titles.rename_run(runs[who, RunState.DONE], "Renamed"),
            "rename a supernet": lambda: store.titles.rename_supernet(self.supernets[who], "Renamed"),
            "rename a table": lambda: store.tables.rename(self.tables[who], "Renamed"),
            "remap a table": lambda: store.tables.remap(self.tables[who], '{"x": 1}'),
            "replace a table": lambda: store.tables.replace(
                self.tables[who], b"other", about="{}", columns_key="o"
            ),
            "log": lambda: store.log_lines(runs[who, RunState.DONE]),
            "delete a table": lambda: store.tables.remove(self.tables[who]),
            "delete a supernet": lambda: store.delete_supernet(self.supernets[who]),
            "delete a run": lambda: store.delete_run(runs[who, RunState.DONE]),
        }

    def above(self) -> dict[str, Callable[[], object]]:
        """What is for administrators."""
        store = self.store
        run_id = self.runs["bob", None]
        return {
            "trash": lambda: store.empty_trash(),
            "sweep": lambda: store.sweep(),
            "backup": lambda: store.copy_out(store.home.parent / "copy"),
            "class": lambda: store.classes.create(),
            "state": lambda: store.set_state(run_id, RunState.FAILED),
            "progress": lambda: store.update_progress(run_id, 0.5, "half"),
            "measurements": lambda: store.ledger(run_id).log_metrics(1, {"a": 1}),
            "log": lambda: store.append_log(run_id, "line"),
        }


def refused(deed: Callable[[], object], store: RunStore) -> None:
    before = contents(store)
    with pytest.raises(NotAllowed) as caught:
        deed()
    assert contents(store) == before
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize("person", [LEO, NOBODY], ids=["look", "nobody"])
def test_who_looks_changes_nothing(store: RunStore, becomes: Becomes, person: Person) -> None:
    scene = Scene(store, becomes)
    becomes(person)
    for deeds in (scene.anywhere(), scene.to("bob"), scene.to("before"), scene.above()):
        for deed in deeds.values():
            refused(deed, store)


def test_who_runs_changes_their_own_alone(store: RunStore, becomes: Becomes) -> None:
    scene = Scene(store, becomes)
    becomes(BOB)
    for deeds in (scene.to("eve"), scene.to("before"), scene.above()):
        for deed in deeds.values():
            refused(deed, store)
    for deed in (*scene.anywhere().values(), *scene.to("bob").values()):
        deed()
    becomes(None)
    assert store.check() == []


def test_who_administers_may_all(store: RunStore, becomes: Becomes) -> None:
    scene = Scene(store, becomes)
    becomes(ANN)
    above = scene.above()
    del above["backup"]  # of a database in memory there is none
    for deeds in (scene.anywhere(), scene.to("bob"), scene.to("before"), above):
        for deed in deeds.values():
            deed()
    becomes(None)
    assert store.check() == []


def test_without_people_nothing_is_asked_signed_or_logged(store: RunStore) -> None:
    run_id = store.create_run("train_supernet", {}, title="A run", owner=HERE)
    store.titles.rename_run(run_id, "Another")
    assert store.owners.all() == {}
    assert store.audit.all() == []
    assert store.audit.last_hash() == ""


def test_the_machines_own_work_is_its_own_whoever_came_first(store: RunStore, becomes: Becomes) -> None:
    becomes(NOBODY)
    with own_work():
        run_id = store.create_run("train_supernet", {}, title="A run", owner=HERE)
    assert store.owners.of(run_id) is None
    refused(lambda: store.delete_run(run_id), store)


def test_a_role_that_was_taken_away_counts_at_once(
    store: RunStore, becomes: Becomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.policy._LOOK_SECONDS", 0.0)
    waiting = run_of(store, becomes, BOB)
    becomes(BOB)
    path = tmp_path / "people.toml"
    path.write_text(path.read_text().replace('"bob" = "run"', '"bob" = "look"'))
    refused(lambda: store.create_run("train_supernet", {}, title="New", owner=HERE), store)
    refused(lambda: store.leases.request_cancel(waiting), store)
    becomes(None)
    assert store.leases.claim(waiting, HERE) is None, "what waited does not start"
    path.write_text(path.read_text().replace('"bob" = "look"', '"bob" = "run"'))
    assert store.leases.claim(waiting, HERE) == 1


def test_a_changed_owner_gives_the_run_to_nobody(store: RunStore, becomes: Becomes) -> None:
    run_id = run_of(store, becomes, EVE, RunState.DONE)
    with store._database.write("an attack") as connection:
        connection.exec_driver_sql("UPDATE owners SET person = 'bob'")
    becomes(BOB)
    refused(lambda: store.delete_run(run_id), store)
    becomes(None)
    assert any("owner" in sentence or "Who made" in sentence for sentence in store.check())
    with store._database.write("an attack") as connection:
        connection.exec_driver_sql("DELETE FROM owners")
    assert any("audit log says who made" in sentence for sentence in store.check())


def test_every_write_of_the_store_is_a_deed_or_for_administrators() -> None:
    """A new sentence in `write(...)` is for administrators until it stands in the table; this list is those today."""
    said = set()
    for path in (ROOT / "core" / "store").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                words = [each.value for each in node.args if isinstance(each, ast.Constant)]
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if name in ("write", "_change") and words:
                    said |= {word for word in words if isinstance(word, str) and " " in word}
    assert set(DEEDS) | FOLLOWS <= said, "a deed that no write names any more"


@pytest.mark.parametrize("n", [40])
def test_refusals_do_not_fill_the_log(store: RunStore, becomes: Becomes, n: int) -> None:
    run_id = run_of(store, becomes, EVE)
    becomes(LEO)
    for _ in range(n):
        with pytest.raises(NotAllowed):
            store.leases.request_cancel(run_id)
    becomes(None)
    assert sum(entry.outcome == "refused" for entry in store.audit.all()) == 1


def test_what_fails_otherwise_is_written_down_too(store: RunStore, becomes: Becomes) -> None:
    run_id = run_of(store, becomes, BOB)
    becomes(BOB)
    with pytest.raises(CoreError):
        store.delete_run(run_id)  # it waits
    becomes(None)
    last = store.audit.newest(1)[0]
    assert (last.person, last.action, last.about, last.outcome) == ("bob", "delete", run_id, "failed")
