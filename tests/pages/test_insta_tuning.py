"""A transformer that came from a folder is made elastic on its page: the form asks for exactly what it says, and the result is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import folders, loading
from core.library.library import Library
from core.library.order_controls import (
    ALONE,
    CUT,
    CUT_RANDOM,
    TUNED,
    TUNED_RANDOM,
    OrderControlsRecord,
    Reached,
)
from core.library.results import Described
from core.records import RunState
from core.settings import ASSETS
from core.workflows import train_supernet
from pages.ui import resources
from tests.helpers.tiny_folders import vit, zipped

pytestmark = pytest.mark.usefixtures("checked_here")
Open = Callable[..., AppTest]
TINY_BERT = ASSETS / "folders" / "tiny-bert"


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


def test_texts_that_its_own_tokenizer_splits_are_offered_first(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.ui.supernets.insta_tuning.forecast", lambda *_, **__: None)
    made = folders.load("tiny-bert", zipped({f.name: f.read_bytes() for f in TINY_BERT.iterdir()}))
    supernet_id = loading.keep(resources.store(), made, "tiny BERT").supernet_id
    app = open_page("supernets", supernet=supernet_id)
    assert app.selectbox(key=f"tune-data-{supernet_id}").value == "license_passages"
    assert not app.button(key="insta-start").disabled


def fronts(app: AppTest) -> list[str]:
    return [each.proto.label for each in app.get("page_link") if each.proto.label == "Open its front"]


@pytest.mark.slow
def test_what_came_out_is_measured_and_opened(
    open_page: Open, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert not fronts(app)
    asked_for: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.supernets.measuring.submit", lambda kind, params, **_: asked_for.append((kind, params))
    )
    app.button(key="insta-sample").click().run()
    [(kind, params)] = asked_for
    assert (kind, params["supernet"], params["n"]) == ("measure_sample", run_id, 300)
    store.set_state(store.create_run(kind, params, title="A sample"), RunState.DONE)
    assert fronts(app.run()) == ["Open its front"]
    app.button(key="insta-open").click().run()
    assert not app.exception
    assert dict(app.query_params.items())["supernet"] in (run_id, [run_id])
    # What was tuned is no folder as it came.
    assert not [each for each in app.button if each.key == "insta-start"]


def test_the_comparison_asks_for_the_same_settings_and_says_what_was_found(
    open_page: Open, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.supernets.order_controls.submit", lambda kind, params, **_: asked.append((kind, params))
    )
    app = open_page("supernets", supernet=given)
    app.number_input(key=f"insta-epochs-{given}").set_value(4).run()
    app.selectbox(key=f"insta-set-{given}-criterion").set_value("magnitude").run()
    app.number_input(key=f"controls-seeds-{given}").set_value(2).run()
    assert any("10 trainings" in each.value for each in app.caption)
    app.button(key="controls-start").click().run()
    assert not app.exception, app.exception[0].message
    [(kind, params)] = asked
    assert (kind, params["supernet"], params["epochs"], params["seeds"]) == (
        "control_insta_tune",
        given,
        4,
        2,
    )
    assert (params["criterion"], params["data"]["name"], params["alone"]) == ("magnitude", "digits", True)
    assert params["training"]["learning_rate"] == 0.001

    store = resources.store()
    run_id = store.create_run(kind, params, title="compared", seed=0)
    reached = [
        Reached(
            way=way,
            seed=seed,
            size=size,
            accuracy=0.5,
            test_accuracy=value + 0.01 * seed,
            seconds=2.0,
            epochs=3,
        )
        for way, value in ((CUT, 0.4), (CUT_RANDOM, 0.3), (TUNED, 0.8), (TUNED_RANDOM, 0.7), (ALONE, 0.75))
        for seed in range(3)
        for size in range(3)
    ]
    OrderControlsRecord(
        supernet=given,
        sha256="0" * 64,
        title="tiny ViT",
        data=Described(name="digits"),
        criterion="magnitude",
        training={},
        arch_ids=("a", "b", "c"),
        macs=(1e6, 2e6, 3e6),
        params=(1.0, 2.0, 3.0),
        samples=(300, 300),
        given=0.9,
        seeds=(0, 1, 2),
        alone=True,
        reached=tuple(reached),
    ).save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    app = open_page("supernets", supernet=given)
    said = " ".join(each.value for each in app.markdown)
    assert "After InstaTune, ordering by importance gained over a random order" in said
    assert r"\+10\.0 points for the smallest" in said or "+10.0 points for the smallest" in said
    assert "InstaTune gained over training alone as long" in said
    rule = " ".join(each.proto.body for each in app.get("html"))
    assert "sign-flip test" in rule
