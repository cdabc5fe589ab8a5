"""The memory sliders of the Front page: which table gets them, what they move, and that a link brings them back."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.pareto import non_dominated

Open = Callable[..., AppTest]
X = {"x": "memory_bytes", "y": "accuracy"}


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped digits with a KV cache, as language models count one: larger where the table says so."""
    plain = supernets.table_with_counts

    def with_cache(entry: supernets.SupernetEntry) -> object:
        table = plain(entry)
        return None if table is None else table.assign(kv_cache_bytes=table["macs"] / 1000)

    monkeypatch.setattr(supernets, "table_with_counts", with_cache)


def front_ids(app: AppTest) -> set[str]:
    [chart] = [e for e in app.get("plotly_chart") if "front-chart" in e.proto.id]
    [front] = [t for t in json.loads(chart.proto.spec)["data"] if t["name"] == "front"]
    return set(front["customdata"])


def expected(context: int, batch: int, bytes_per_weight: float, bytes_in_cache: float = 2.0) -> set[str]:
    """By the definition, from the two columns."""
    table = supernets.table_with_counts(supernets.find(None, "digits-cnn"))
    assert table is not None
    memory = (
        table["params"] * bytes_per_weight + batch * context * table["kv_cache_bytes"] * bytes_in_cache / 4
    )
    points = np.column_stack([memory, table["accuracy"]])
    return set(table["arch_id"][non_dominated(points, maximize=[False, True])])


def test_other_networks_have_no_such_sliders(open_page: Open) -> None:
    app = open_page("front")
    assert not [s for s in app.select_slider if s.key.startswith("memory-")]
    assert "memory_bytes" not in app.selectbox(key="axis-x").options


def test_the_front_follows_the_sliders(open_page: Open, cached: None) -> None:
    app = open_page("front", **X)
    assert front_ids(app) == expected(2048, 1, 2.0)
    app.select_slider(key="memory-context").set_value(131_072).run()
    assert not app.exception
    assert front_ids(app) == expected(131_072, 1, 2.0) != expected(2048, 1, 2.0)
    app.select_slider(key="memory-batch").set_value(16).run()
    app.selectbox(key="memory-precision").set_value("int4").run()
    assert not app.exception
    assert front_ids(app) == expected(131_072, 16, 0.5)
    app.selectbox(key="memory-cache").set_value("float32").run()
    assert front_ids(app) == expected(131_072, 16, 0.5, 4.0)


def test_a_link_brings_them_back(open_page: Open, cached: None) -> None:
    app = open_page("front", **X)
    app.select_slider(key="memory-context").set_value(64).run()
    app.selectbox(key="memory-precision").set_value("int8").run()
    link = {
        key: str(value[0] if isinstance(value, list) else value) for key, value in app.query_params.items()
    }
    assert (link["context"], link["weights"]) == ("64", "int8")
    again = open_page("front", **link)
    assert again.select_slider(key="memory-context").value == 64
    assert front_ids(again) == expected(64, 1, 1.0)


def test_what_no_slider_offers_is_said(open_page: Open, cached: None) -> None:
    app = open_page("front", **X, context="100", weights="float8")
    assert app.select_slider(key="memory-context").value == 2048
    assert any("100" in warning.value for warning in app.warning)


def test_the_setting_survives_another_axis(open_page: Open, cached: None) -> None:
    app = open_page("front", **X)
    app.select_slider(key="memory-context").set_value(64).run()
    app.selectbox(key="axis-x").set_value("macs").run()
    assert not [s for s in app.select_slider if s.key == "memory-context"]
    app.selectbox(key="axis-x").set_value("memory_bytes").run()
    assert app.select_slider(key="memory-context").value == 64


def context_chart(app: AppTest) -> tuple[str, dict[str, object]]:
    [chart] = [e for e in app.get("plotly_chart") if "context-chart" in e.proto.id]
    return chart.proto.id, json.loads(chart.proto.spec)


def test_the_panel_holds_the_front_of_every_context(open_page: Open, cached: None) -> None:
    app = open_page("front", **X, closer="context", weights="int8")
    _, figure = context_chart(app)
    [slider] = figure["layout"]["sliders"]  # type: ignore[index]
    assert [step["label"] for step in slider["steps"]][:2] == ["64", "128"]
    for number, context in ((0, 64), (11, 131_072)):
        ids = slider["steps"][number]["args"][0]["customdata"][-1]
        assert {i.partition("|")[0] for i in ids} == expected(context, 1, 1.0)
        assert {i.partition("|")[2] for i in ids} == {str(number)}


@pytest.mark.slow
def test_a_click_in_the_panel_sets_the_context_of_the_page(open_page: Open, cached: None) -> None:
    app = open_page("front", **X, closer="context")
    chart, figure = context_chart(app)
    [slider] = figure["layout"]["sliders"]  # type: ignore[index]
    picked = slider["steps"][3]["args"][0]["customdata"][-1][0]
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = chart
    widget.string_value = json.dumps(
        {"selection": {"points": [{"customdata": [picked]}], "point_indices": [0], "box": [], "lasso": []}}
    )
    app._run(states)
    assert not app.exception
    assert app.select_slider(key="memory-context").value == 512
    assert app.session_state["sel_id"] == picked.partition("|")[0]
    assert front_ids(app) == expected(512, 1, 2.0)


def test_networks_without_a_cache_have_no_such_panel(open_page: Open) -> None:
    app = open_page("front", closer="context")
    assert not [e for e in app.get("plotly_chart") if "context-chart" in e.proto.id]
