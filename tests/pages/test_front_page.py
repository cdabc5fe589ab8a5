"""The Front page's promises: what a click does, what stays the same, what the card says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.export import EXPORTERS
from core.library import supernets
from pages.ui.front.subnet_card import SUFFIXES
from pages.ui.selection import picked_id
from tests.helpers.terms import unlinked

Open = Callable[..., AppTest]


def chart(app: AppTest, key: str = "front-chart") -> Any:
    [found] = [e for e in app.get("plotly_chart") if key in e.proto.id]
    return found.proto


def traces(app: AppTest) -> dict[str, Any]:
    return {t["name"]: t for t in json.loads(chart(app).spec)["data"]}


def click(app: AppTest, arch_id: str) -> AppTest:
    """What a browser sends when a point is clicked."""
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = chart(app).id
    widget.string_value = json.dumps(
        {"selection": {"points": [{"customdata": [arch_id]}], "point_indices": [3], "box": [], "lasso": []}}
    )
    app._run(states)
    assert not app.exception
    return app


def html_of(app: AppTest) -> str:
    return unlinked(" ".join(e.proto.body for e in app.get("html")))


def test_the_exact_front_is_drawn_with_ids(open_page: Open) -> None:
    app = open_page("front")
    drawn = traces(app)
    assert {"dominated", "front"} <= set(drawn)
    entry = supernets.find(None, "digits-cnn")
    table = supernets.table(entry)
    assert table is not None
    assert set(drawn["front"]["customdata"]) <= set(table["arch_id"])


def test_a_click_changes_the_card_and_not_the_figure(open_page: Open) -> None:
    app = open_page("front")
    before, widget = chart(app).spec, chart(app).id
    picked = traces(app)["front"]["customdata"][1]
    click(app, picked)
    assert chart(app).spec == before
    assert chart(app).id == widget
    assert app.session_state["sel_id"] == picked
    assert picked in html_of(app)
    assert dict(app.query_params.items())["sid"] in (picked, [picked])
    assert app.selectbox(key="pick-subnet").value == picked


def test_the_chooser_selects_what_a_click_selects(open_page: Open) -> None:
    app = open_page("front")
    options = app.selectbox(key="pick-subnet").options
    target = options[4].split(" · ")[-1]
    app.selectbox(key="pick-subnet").set_value(target).run()
    assert not app.exception
    assert app.session_state["sel_id"] == target
    drawn = traces(app)["front"]
    assert [drawn["customdata"][i] for i in drawn["selectedpoints"]] == [target]


def test_what_if_moves_a_ghost_and_undo_takes_it_away(open_page: Open) -> None:
    app = open_page("front")
    chooser = next(
        s for s in app.selectbox if str(s.key).startswith("pick-if-") and str(s.key).endswith("width1")
    )
    other = next(o for o in (1, 2, 4, 8) if o != chooser.value)
    chooser.set_value(other).run()
    assert not app.exception
    assert "what-if" in traces(app)
    assert "ps-deltas" in html_of(app)
    app.button(key="what-if-undo").click().run()
    assert "what-if" not in traces(app)


def test_taking_the_what_if_selects_it(open_page: Open) -> None:
    app = open_page("front")
    before = app.session_state["sel_id"]
    chooser = next(
        s for s in app.selectbox if str(s.key).startswith("pick-if-") and str(s.key).endswith("width1")
    )
    chooser.set_value(next(o for o in (1, 2, 4, 8) if o != chooser.value)).run()
    app.button(key="what-if-take").click().run()
    assert not app.exception
    assert app.session_state["sel_id"] != before
    assert "what-if" not in traces(app)


def test_limits_that_nothing_meets_are_said(open_page: Open) -> None:
    app = open_page("front", limits="accuracy>=1;macs<=1")
    assert not app.exception
    assert app.info or traces(app)["front"]["customdata"]


def test_other_supernets_and_axes(open_page: Open) -> None:
    app = open_page("front", x="size_bytes", y="loss", logx="0")
    spec = json.loads(chart(app).spec)
    assert "Size" in spec["layout"]["xaxis"]["title"]["text"]
    assert spec["layout"]["xaxis"]["type"] == "linear"


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"selection": {}},
        {"selection": {"points": []}},
        {"selection": {"points": [{"customdata": []}]}},
        {"selection": {"points": [{"customdata": [3]}]}},
        {"selection": {"points": [{}]}},
        "x",
    ],
)
def test_an_odd_selection_selects_nothing(event: Any) -> None:
    assert picked_id(event) == ""


def test_file_endings_are_the_exporters_own() -> None:
    assert {name: EXPORTERS.get(name).suffix for name in EXPORTERS.names()} == SUFFIXES


def test_the_table_offers_the_rows_it_shows_and_all_of_them(open_page: Open) -> None:
    app = open_page("front")
    app.session_state["front-tabs"] = "Table"
    app.run()
    labels = [e.proto.label for e in app.get("download_button")]
    assert "CSV of these 22" in labels
    assert "CSV of all 13,824" in labels


@pytest.mark.slow
def test_latency_is_measured_on_request_and_shown_with_its_spread(open_page: Open) -> None:
    app = open_page("front")
    [button] = [b for b in app.button if b.key == "measure-latency"]
    button.click()
    app.run(timeout=60)
    assert not app.exception
    [shown] = [c.value for c in app.caption if "for one sample" in c.value]
    assert " ms ± " in shown
    assert "the largest subnet" in shown


def test_a_comparison_is_offered_as_a_table_for_latex(open_page: Open) -> None:
    app = open_page("front")
    app.session_state["front-tabs"] = "Compare"
    app.run()
    assert not app.exception
    assert "Table for LaTeX" in [e.proto.label for e in app.get("download_button")]
