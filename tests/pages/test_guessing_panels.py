"""The panels of predictors and proxies on the Search page: what they offer, start and show."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from core.library import judged, proxies
from core.library.library import Library
from core.records import RunState
from core.workflows import judge_predictors, score_proxies
from pages.ui import resources
from tests.pages.test_similarity_page import said


def panel_app(name: str) -> AppTest:
    def script(name: str) -> None:
        from importlib import import_module

        import streamlit as st

        from core.library import supernets

        st.session_state.setdefault("session", "test")
        entry = supernets.find(None, "digits-cnn")
        import_module(f"pages.ui.search.{name}_panel").panel(entry, [])

    app = AppTest.from_function(script, kwargs={"name": name}, default_timeout=90).run()
    assert not app.exception, app.exception[0].message
    return app


def made(kind: str, **changes: object) -> str:
    """A finished run, made in this process."""
    store = resources.store()
    module = {judged.KIND: judge_predictors, proxies.KIND: score_proxies}[kind]
    asked = module.Request.model_validate({"supernet": "digits-cnn", **changes})
    run_id = store.create_run(kind, asked.model_dump(mode="json"), title="made", state=RunState.RUNNING)
    for _ in module.run(asked, store.ledger(run_id), Library(store)):
        pass
    store.set_state(run_id, RunState.DONE)
    return run_id


def spec(app: AppTest, key: str) -> dict:
    [chart] = [e for e in app.get("plotly_chart") if key in e.proto.id]
    return json.loads(chart.proto.spec)


@pytest.mark.parametrize(
    ("name", "start", "kind", "asked"),
    [
        ("predictors", "predictors-start", judged.KIND, {"rows": 200, "folds": 5, "objective": "accuracy"}),
        ("proxies", "proxies-start", proxies.KIND, {"subnets": 50, "samples": 64, "weights": "fresh"}),
    ],
)
def test_the_button_starts_a_job_with_what_the_form_holds(
    name: str, start: str, kind: str, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = []
    monkeypatch.setattr(
        f"pages.ui.search.{name}_panel.submit", lambda kind, params, **more: submitted.append((kind, params))
    )
    app = panel_app(name)
    app.button(key=start).click().run()
    [(found, params)] = submitted
    assert found == kind
    assert params["supernet"] == "digits-cnn"
    assert {key: params[key] for key in asked} == asked
    module = {judged.KIND: judge_predictors, proxies.KIND: score_proxies}[kind]
    module.Request.model_validate(params)


def test_predictors_show_who_orders_best_and_one_of_their_guesses() -> None:
    made(judged.KIND, rows=40, predictors=("ridge", "svr"))
    app = panel_app("predictors")
    words = said(app)
    assert "orders unseen architectures best" in words
    assert "Ridge regression" in words
    assert "40 random architectures" in words
    assert len(spec(app, "predictors-taus")["data"][1]["x"]) == 2
    before = spec(app, "predictors-guesses")
    assert len(before["data"][1]["x"]) == 40
    picker = app.selectbox(key="predictors-shown")
    picker.set_value(picker.options[1] if picker.value == "svr" else "svr").run()
    assert not app.exception
    assert spec(app, "predictors-guesses") != before


@pytest.mark.slow
def test_proxies_stand_beside_the_baselines() -> None:
    made(proxies.KIND, subnets=8, samples=8, proxies=("naswot",))
    app = panel_app("proxies")
    words = said(app)
    assert "better baseline is" in words
    assert "8 random subnets" in words
    assert "stands on no front" in words
    drawn = spec(app, "proxies-correlations")["data"]
    assert [trace["name"] for trace in drawn] == ["zero-cost proxy", "baseline", "learned from layers"]
    assert sorted(drawn[1]["y"]) == ["MACs", "Parameters"]


def test_the_page_offers_them_without_any_search(open_page) -> None:  # type: ignore[no-untyped-def]
    app = open_page("search", supernet="digits-cnn")
    control = next(e for e in app.get("button_group") if "search-guessing" in e.proto.id)
    assert [option.content for option in control.proto.options][:2] == ["Predictors", "Zero-cost proxies"]
