"""Panels of maps and of equally good subnets, each run by itself on a store of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.library import model_map, supernets
from core.library.maps import MapRecord
from core.library.model_map import MapChoice
from core.library.networks import MOST_MODELS
from core.records import RunState
from pages.ui import resources

A, B = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"


def panel_app(name: str, **changes: str) -> AppTest:
    def script(name: str, a: str, b: str, pooling: str) -> None:
        from importlib import import_module

        import streamlit as st

        from core.library.activations import ProbeChoice
        from core.library.networks import describe
        from pages.ui.similarity.selection import Compared

        st.session_state.setdefault("session", "test")
        left, right = describe(None, a), describe(None, b)
        view = Compared(left, right, (left, right), "2", "2", pooling, False, ProbeChoice(n=100))
        import_module(f"pages.ui.similarity.{name}").panel(view)

    settings = {"name": name, "a": A, "b": B, "pooling": "pooled"} | changes
    app = AppTest.from_function(script, kwargs=settings, default_timeout=90).run()
    assert not app.exception, app.exception[0].message
    return app


def spec(app: AppTest, key: str) -> dict[str, Any]:
    [chart] = [e for e in app.get("plotly_chart") if f"-{key}" in e.proto.id]
    found: dict[str, Any] = json.loads(chart.proto.spec)
    return found


def click(app: AppTest, key: str, *ids: str) -> None:
    """What the browser sends when dots are selected: through the widget's own state, so that callbacks run."""
    [chart] = [e for e in app.get("plotly_chart") if f"-{key}" in e.proto.id]
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = chart.proto.id
    points = [{"customdata": [i]} for i in ids]
    widget.string_value = json.dumps(
        {"selection": {"points": points, "point_indices": [], "box": [], "lasso": []}}
    )
    app._run(states)
    assert not app.exception, app.exception[0].message


@pytest.mark.slow
def test_a_clicked_dot_becomes_b() -> None:
    app = panel_app("map_panel")
    before = spec(app, "model-map")
    ids = [c[0] for t in before["data"] for c in t.get("customdata", [])]
    assert {A, B} <= set(ids)
    assert 20 < len(ids) <= 60
    click(app, "model-map", ids[5])
    assert app.session_state["sim-pick-b"] == ids[5]
    assert spec(app, "model-map") == before


@pytest.mark.slow
def test_a_click_too_many_takes_the_place_of_b() -> None:
    page = Path(__file__).parents[2] / "pages" / "similarity.py"
    app = AppTest.from_file(str(page), default_timeout=90).run()
    dots = model_map.members(supernets.find(None, "digits-cnn"), MapChoice(supernet="digits-cnn"))
    for dot in dots[: MOST_MODELS + 2]:
        app.session_state["sim-pick-b"] = dot
        app.run()
        assert not app.exception, app.exception[0].message
        assert app.session_state["sim-b"] == dot
        assert app.session_state["sim-a"] in app.session_state["sim-models"]
        assert len(app.session_state["sim-models"]) <= MOST_MODELS
    assert dots[MOST_MODELS] not in app.session_state["sim-models"]


def test_the_map_is_colored_by_what_is_chosen() -> None:
    app = panel_app("map_panel")
    app.selectbox(key="sim-map-color").set_value("width1").run()
    assert not app.exception
    names = [t["name"] for t in spec(app, "model-map")["data"]]
    assert len(names) > 2


@pytest.mark.long
@pytest.mark.slow
def test_umap_is_a_job_and_found_again() -> None:
    app = panel_app("map_panel")
    app.number_input(key="sim-map-sample").set_value(0)
    app.segmented_control(key="sim-map-method").set_value("UMAP").run()
    assert not app.exception
    app.button(key="map-start").click().run()
    assert not app.exception
    store = resources.store()
    [run] = store.list_runs()
    assert run.kind == "map_models"
    assert run.params["revision"] == supernets.find(None, "digits-cnn").revision
    ended = resources.jobs().wait(run.run_id, 120)
    assert ended.state is RunState.DONE, ended.message
    app.run()
    assert spec(app, "model-map")["data"]
    assert not [b for b in app.button if b.key == "map-start"]
    # A file that was damaged since is a warning, not an exception.
    [artifact] = [f for f in store.ledger(run.run_id).artifacts() if f.name == MapRecord.FILE]
    file = next(p for p in store.home.rglob(artifact.sha256))
    file.chmod(0o644)
    file.write_bytes(b"gone")
    st.cache_resource.clear()
    app.run()
    assert not app.exception
    assert app.warning


def test_samples_drawn_around_show_on_the_other_map() -> None:
    app = panel_app("samples_panel")
    before = {key: spec(app, key) for key in ("samples-a", "samples-b")}
    ids = [c[0] for t in before["samples-a"]["data"] for c in t.get("customdata", [])]
    assert len(set(ids)) == 100
    click(app, "samples-a", *ids[:7])
    assert app.session_state["sim-samples"] == tuple(int(i) for i in ids[:7])
    assert spec(app, "samples-a") == before["samples-a"]
    shown = {
        t["customdata"][k][0]
        for t in spec(app, "samples-b")["data"]
        if "customdata" in t
        for k in t.get("selectedpoints", [])
    }
    assert shown == set(ids[:7])
    app.button(key="sample-clear").click().run()
    assert app.session_state["sim-samples"] == ()
    assert spec(app, "samples-a") != before["samples-a"]
    assert all("selectedpoints" not in t for t in spec(app, "samples-b")["data"])


def test_the_same_network_twice_has_no_disparity() -> None:
    app = panel_app("samples_panel", b=A)
    assert any("<b>0.00</b>" in h.proto.body for h in app.get("html"))


def test_positions_have_no_images() -> None:
    app = panel_app("samples_panel", pooling="positions")
    assert "positions" in app.info[0].value


@pytest.mark.slow
def test_equally_good_subnets() -> None:
    app = panel_app("rashomon_panel")
    figure = spec(app, "rashomon-swarm")
    assert len(figure["data"][0]["customdata"]) <= 2000
    picked = figure["data"][0]["customdata"][3][0]
    click(app, "rashomon-swarm", picked)
    assert app.session_state["sim-pick-b"] == f"subnet:digits-cnn:{picked}"
    text = " ".join(m.value for m in app.markdown)
    for word in ("Ambiguity", "Discrepancy", "Pairwise"):
        assert word in text or any(word in h.proto.body for h in app.get("html"))


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.0, 5.0])
def test_the_set_follows_the_tolerance(tolerance: float) -> None:
    app = panel_app("rashomon_panel")
    app.select_slider(key="sim-tolerance").set_value(tolerance).run()
    assert not app.exception
    assert spec(app, "rashomon-swarm")["data"]
