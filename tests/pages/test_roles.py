"""Who looks presses everything there is on every page, and the store stays as it was; who runs changes their own alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import NotAllowed
from core.people import NOBODY, Person
from core.people.person import known_by
from core.records import RunState
from core.settings import ASSETS, settings
from core.store import RunStore
from core.store.leases import Owner
from pages.ui import resources
from pages.ui.people import asker, door
from tests.pages.conftest import PAGES
from tests.people.acting import ANN, BOB, EVE, LEO, asking_module, contents, tell_apart

Open = Callable[..., AppTest]
Becomes = Callable[[Person], None]
DIGITS = ASSETS / "supernets" / "digits-cnn" / "supernet.safetensors"
PARAMS = {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"], "algorithm": "random"}
SHOW = ("knee-", "neighbor-", "gallery-open-", "lesson-open-", "compare-rep", "prune-subnet")
SECRET = "what only Eve and administrators read"


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Becomes:
    """Says who the visitor is from now on; how pages ask is as on a server. No worker starts in these tests."""
    monkeypatch.setattr("core.jobs.manager.JobManager._start_next", lambda *_: None)
    tell_apart(monkeypatch, tmp_path, "waiting = 0\n")
    monkeypatch.setattr(asking_module()._how, "asker", asker.asking)
    now = [NOBODY]
    monkeypatch.setattr(asker, "visitor", lambda: now[0])

    def become(person: Person) -> None:
        now[0] = person

    return become


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, becomes: Becomes) -> Iterator[RunStore]:
    """A store with runs, a supernet and a basket of Eve's."""
    place, here, eve = settings(), Owner(), [EVE]
    with RunStore(place.database_url, place.home) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking_module()._how, "asker", lambda: eve[0])
        store.add_supernet("Eve's", DIGITS.read_bytes(), {"family": "elastic_cnn", "data": "digits"})
        store.baskets.add(store.baskets.create("Eve's"), "subnet:digits-cnn:000000000000", "One")
        patch.setattr("core.store.quotas.policy", lambda: None)
        patch.setattr("core.store.permits.require_quota", lambda *_: None)
        for kind in ("train_supernet", "search_front"):
            for state in (RunState.RUNNING, RunState.CANCELLED, RunState.DONE):
                eve[0] = EVE
                run_id = store.create_run(
                    kind,
                    PARAMS,
                    title=f"<b>{kind}</b> {state}",
                    state=RunState.RUNNING,
                    owner=here,
                )
                eve[0] = None
                store.append_log(run_id, SECRET)
                store.set_state(run_id, state)
        patch.undo()
        yield store


def press_everything(open_it: Callable[[], AppTest]) -> None:
    """Press each button of a page but those that only show something else."""
    app = open_it()
    for key in [button.key for button in app.button if button.key and not button.disabled]:
        if key.startswith(SHOW):
            continue
        if key not in {button.key for button in app.button}:
            app = open_it()
        for found in [button for button in app.button if button.key == key and not button.disabled]:
            found.click()
            app.run()


def forget_every_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no page had asked beforehand: what is left is the gate of the store."""
    unlocked = lambda action, own=True, disabled=False, help=None: {"disabled": disabled, "help": help}  # noqa: E731
    monkeypatch.setattr(door, "lock", unlocked)
    monkeypatch.setattr(door, "may", lambda action, own=True: True)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_who_looks_changes_nothing_on_pages_that_forgot_to_ask(
    open_page: Open, home: RunStore, becomes: Becomes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_every_lock(monkeypatch)
    becomes(LEO)
    open_page(name)
    before = contents(home)
    press_everything(lambda: open_page(name))
    assert contents(home) == before
    done = {entry.action for entry in home.audit.all() if entry.person == LEO.id and entry.outcome == "done"}
    assert done == {"log in"}


@pytest.mark.slow
def test_what_was_pressed_was_refused_and_written_down(
    open_page: Open, home: RunStore, becomes: Becomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_every_lock(monkeypatch)
    becomes(LEO)
    for name in ("search", "runs", "basket", "classroom"):
        press_everything(lambda name=name: open_page(name))
    refused = {
        entry.action for entry in home.audit.all() if entry.person == LEO.id and entry.outcome == "refused"
    }
    assert refused >= {"start a run", "cancel a run", "delete", "change a basket", "hold a class"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["runs", "supernets", "basket"])
def test_who_runs_changes_nothing_of_others(
    open_page: Open, home: RunStore, becomes: Becomes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_every_lock(monkeypatch)
    becomes(BOB)
    open_page(name)
    before = contents(home)
    press_everything(lambda: open_page(name))
    after = contents(home)
    shared = ("baskets", "basket_items")  # everybody's who may run
    assert {table: value for table, value in after.items() if table not in shared} == {
        table: value for table, value in before.items() if table not in shared
    }


@pytest.mark.parametrize(
    ("person", "locked", "free"),
    [
        (LEO, {"search-start", "run-delete", "check-store", "bk-delete", "class-new", "train-start"}, set()),
        (BOB, {"run-delete", "class-new"}, {"search-start", "check-store", "bk-delete", "train-start"}),
        (EVE, {"class-new"}, {"run-delete", "search-start"}),
        (ANN, set(), {"run-delete", "class-new", "search-start", "check-store"}),
    ],
    ids=["look", "run", "owner", "administer"],
)
def test_what_may_not_be_done_is_locked_with_the_reason(
    open_page: Open, home: RunStore, becomes: Becomes, person: Person, locked: set[str], free: set[str]
) -> None:
    becomes(person)
    buttons = {
        button.key: button
        for name in ("search", "runs", "basket", "classroom", "supernets")
        for button in open_page(name).button
    }
    for key in locked:
        assert buttons[key].disabled, key
        assert "Ann" in buttons[key].help
    for key in free:
        assert not buttons[key].disabled, key


def whole(app: AppTest) -> str:
    return " ".join(str(getattr(each, "value", "")) for each in (*app.main, *app.sidebar)) + str(app.main)


def test_a_log_is_read_by_its_owner_and_administrators(
    open_page: Open, home: RunStore, becomes: Becomes
) -> None:
    for person, reads in ((EVE, True), (ANN, True), (BOB, False), (LEO, False)):
        becomes(person)
        assert (SECRET in whole(open_page("runs"))) == reads, person


@pytest.mark.parametrize("name", [name for name in PAGES if name != "classroom"])
def test_nobody_sees_a_closed_door(open_page: Open, home: RunStore, becomes: Becomes, name: str) -> None:
    becomes(NOBODY)
    app = open_page(name)
    assert "without logging in" in app.warning[0].value
    assert not [button for button in app.button if not str(button.key).startswith("people-")]
    assert "search_front" not in whole(app)


def test_students_need_no_log_in_and_keep_their_own_rules(
    open_page: Open, home: RunStore, becomes: Becomes
) -> None:
    becomes(NOBODY)
    room, _ = home.classes.create()
    app = open_page("classroom", **{"class": room.code})
    app.text_input(key="class-nickname").set_value("Kim")
    app.button(key="class-enter").click().run()
    assert not app.exception
    app.switch_page("pages/runs.py").run()
    assert not app.exception
    assert not app.warning
    assert "search_front" not in whole(app)


def test_a_name_is_text(open_page: Open, home: RunStore, becomes: Becomes) -> None:
    becomes(known_by("proxy", "leo", "<script>alert(1)</script> **b** \u202e[x](http://a)"))
    shown = open_page("runs").sidebar.caption[0].value
    assert "\u202e" not in shown
    assert "\\<script\\>" in shown
    assert "\\[x\\]" in shown


def test_an_address_is_no_link_and_what_one_may_stands_beside_it(
    open_page: Open, home: RunStore, becomes: Becomes
) -> None:
    becomes(known_by("proxy", "leo@example.org"))
    [shown] = open_page("runs").sidebar.caption
    assert shown.value == r"**leo**\@example\.org · look. You may see and download everything here."


def test_administrators_alone_read_who_did_what(open_page: Open, home: RunStore, becomes: Becomes) -> None:
    for person, reads in ((ANN, True), (EVE, False), (LEO, False)):
        becomes(person)
        assert ("Who did what" in [each.value for each in open_page("runs").header]) == reads


def test_without_people_no_page_says_a_new_word(
    open_page: Open, home: RunStore, becomes: Becomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARETOSCOPE_PEOPLE")
    app = open_page("runs")
    assert "Who did what" not in [each.value for each in app.header]
    assert not app.sidebar.caption
    assert "started by" not in whole(app).lower()
    assert not app.button(key="run-delete").disabled


@pytest.mark.slow
def test_what_somebody_typed_is_not_the_next_ones(open_page: Open, home: RunStore, becomes: Becomes) -> None:
    """The same session under another name, as after a reconnection through a proxy."""
    becomes(BOB)
    app = open_page("runs")
    app.session_state["anything"] = "Bob's"
    app.run()
    assert "anything" in app.session_state
    becomes(LEO)
    app.run()
    assert "anything" not in app.session_state
    assert not app.exception


def test_a_thread_of_the_web_server_is_nobodys_and_its_end_is_the_machines_own(
    open_page: Open, home: RunStore, becomes: Becomes
) -> None:
    """What a page prepared for a download is fetched there, and a server hands its runs back there when it ends."""
    becomes(ANN)
    open_page("runs")
    said: list[object] = []

    def work() -> None:
        said.append(asker.asking())
        try:
            home.titles.rename_run(home.list_runs()[0].run_id, "Renamed")
        except NotAllowed as error:
            said.append(str(error))
        resources.hand_back_runs()

    thread = threading.Thread(target=work, name="asyncio_0")
    thread.start()
    thread.join(20)
    assert said[0] is NOBODY
    assert "without logging in" in str(said[1])
    with home._database.read() as connection:
        ended = connection.exec_driver_sql("SELECT count(*) FROM servers WHERE ended IS NULL").scalar()
    assert ended == 0
