"""Who looks presses everything there is on every page, and the store stays as it was; who runs changes their own alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.people import NOBODY, Person
from core.records import RunState
from core.settings import ASSETS, settings
from core.store import RunStore
from core.store.leases import Owner
from pages.ui.people import asker
from tests.pages.conftest import PAGES
from tests.people.acting import EVE, LEO, asking_module, contents, tell_apart

Open = Callable[..., AppTest]
Becomes = Callable[[Person], None]
DIGITS = ASSETS / "supernets" / "digits-cnn" / "supernet.safetensors"
PARAMS = {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"], "algorithm": "random"}
SECRET = "what only Eve and administrators read"


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Becomes:
    """Says who the visitor is from now on; how pages ask is as on a server. No worker starts in these tests."""
    monkeypatch.setattr("core.jobs.manager.JobManager._start_next", lambda self, order: None)
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


def press_everything(open_it: Callable[[], AppTest]) -> dict[str, bool]:
    """Press each button of a page, disabled ones too, as a message to the server may; their keys, and which were locked."""
    app = open_it()
    pressed = {}
    for key, locked in [(button.key, button.disabled) for button in app.button if button.key]:
        found = [button for button in app.button if button.key == key]
        if not found:
            app = open_it()
            found = [button for button in app.button if button.key == key]
        if found:
            found[
                0
            ]._value = True  # `click` refuses what is disabled, as a browser does and an attacker does not
            app.run()
            assert locked or not app.exception, (key, app.exception[0].message)
            pressed[key] = locked
    return pressed


@pytest.mark.parametrize("name", PAGES)
def test_who_looks_changes_nothing(open_page: Open, home: RunStore, becomes: Becomes, name: str) -> None:
    becomes(LEO)
    open_page(name)
    before = contents(home)
    pressed = press_everything(lambda: open_page(name))

    assert contents(home) == before
    done = [entry.action for entry in home.audit.all() if entry.person == LEO.id and entry.outcome == "done"]
    assert set(done) == {"log in"}
