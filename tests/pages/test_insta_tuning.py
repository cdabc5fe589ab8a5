"""A transformer that came from a folder is made elastic on its page: the form asks for exactly what it says, and the result is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import folders, loading
from core.library.library import Library
from core.records import RunState
from core.workflows import train_supernet
from pages.ui import resources
from tests.helpers.tiny_folders import vit, zipped

pytestmark = pytest.mark.usefixtures("checked_here")
Open = Callable[..., AppTest]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a tiny ViT for the built-in digits, as it came."""
    monkeypatch.setattr("pages.ui.supernets.insta_tuning.forecast", lambda *_, **__: None)
    plain = {k: v for k, v in vit(image=8, channels=1, classes=10).items() if k != "preprocessor_config.json"}
    made = folders.load("tiny.zip", zipped(plain))
    return loading.keep(resources.store(), made, "tiny ViT").supernet_id


def test_the_form_asks_for_insta_tune_with_its_own_settings(
    open_page: Open, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.supernets.insta_tuning.submit", lambda kind, params, **_: asked.append((kind, params))
    )
    app = open_page("supernets", supernet=given)
    assert app.selectbox(key=f"tune-data-{given}").options[0] == "Digits (8x8)"
    app.number_input(key=f"insta-epochs-{given}").set_value(3).run()
    app.selectbox(key=f"insta-set-{given}-criterion").set_value("magnitude").run()
    app.button(key="insta-start").click().run()
    assert not app.exception, app.exception[0].message
    [(kind, params)] = asked
    assert (kind, params["start"], params["data"]["name"]) == ("train_supernet", given, "digits")
    training = params["training"]
    assert (training["strategy"], training["epochs"], training["optimizer"]) == ("insta_tune", 3, "adamw")
    assert training["learning_rate"] == 0.001
    assert training["strategy_config"]["criterion"] == "magnitude"


def test_what_came_out_is_measured_and_opened(open_page: Open, given: str) -> None:
    entry = next(each for each in resources.entries() if each.supernet_id == given)
    store = resources.store()
    asked = train_supernet.tune_request(
        entry, given, {"name": "digits", "seed": 0, "config": {}}, epochs=1, method="insta_tune"
    )
    request = train_supernet.Request.model_validate({**asked, "title": "elastic ViT"})
    run_id = store.create_run("train_supernet", request.model_dump(mode="json"), title="elastic ViT", seed=0)
    for _ in train_supernet.run(request, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    app = open_page("supernets", supernet=given)
    [button] = [each for each in app.button if each.key == "insta-measure"]
    assert not button.disabled
    app.button(key="insta-open").click().run()
    assert not app.exception
    assert dict(app.query_params.items())["supernet"] in (run_id, [run_id])
    # What was tuned is no folder as it came.
    assert not [each for each in app.button if each.key == "insta-start"]
