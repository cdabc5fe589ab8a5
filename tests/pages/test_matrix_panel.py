"""The Matrix panel: links with many networks say what is shown, a pair opens, nothing is cut without a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.library import Library
from core.library.matrices import KIND, MOST_NETWORKS
from core.library.networks import MOST_MODELS
from core.records import RunState
from core.views import similarity_matrix as views
from core.workflows import compare_many
from pages.ui import resources
from tests.pages.test_similarity_page import charts, click, figure, said

Open = Callable[..., AppTest]
KEY = "similarity-matrix"


def networks(n: int) -> list[str]:
    return views.at_random(supernets.find(None, "digits-cnn"), n, 0)


def at(open_page: Open, **query: str) -> AppTest:
    app = open_page("similarity")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def compared(app: AppTest) -> None:
    """Do at once what a worker does in the background."""
    store = resources.store()
    app.button(key="matrix-start").click().run()
    assert not app.exception
    [run] = store.list_runs(kind=KIND)
    resources.jobs().cancel(run.run_id)
    resources.jobs().wait(run.run_id, 20)
    copy = store.create_run(KIND, dict(run.params), title="again", state=RunState.RUNNING)
    asked = compare_many.Request.model_validate(dict(run.params))
    for _ in compare_many.run(asked, store.ledger(copy), Library(store)):
        pass
    store.set_state(copy, RunState.DONE)
    app.run()
    assert not app.exception


@pytest.mark.parametrize("n", [13, MOST_NETWORKS + 5])
def test_a_link_with_more_networks_than_fit_says_so_and_shows_the_first(open_page: Open, n: int) -> None:
    ids = networks(n)
    app = at(open_page, models=",".join(ids))
    assert app.multiselect(key="sim-models").value == ids[:MOST_MODELS]
    assert f"The link names {n} networks" in said(app)
    assert f"The matrix shows {min(n, MOST_NETWORKS)} of them" in said(app)
    app.button(key="sim-open-matrix").click().run()
    assert not app.exception
    assert f"Compare {min(n, MOST_NETWORKS)} networks" in [b.label for b in app.button]
    assert "The link names" not in said(app)
    published = {k: v if isinstance(v, str) else v[0] for k, v in dict(app.query_params).items()}
    assert published["matrix"].split(",") == ids[:MOST_NETWORKS]


def test_eight_networks_are_not_too_many(open_page: Open) -> None:
    app = at(open_page, models=",".join(networks(MOST_MODELS)))
    assert "The link names" not in said(app)


@pytest.mark.slow
def test_networks_are_compared_ordered_opened_and_linked(open_page: Open) -> None:
    ids = networks(5)
    app = at(open_page, tab="Matrix", matrix=",".join(ids), place="depth:0.5", n="60")
    assert app.slider(key="sim-matrix-depth").value == 50
    compared(app)
    assert len(figure(app, KEY)["data"][-1]["customdata"]) == 25
    assert "stage at 50 % of the depth" in said(app)
    assert "a blank cell with a cross has no value" in said(app)
    app.segmented_control(key="sim-matrix-order").set_value("chosen").run()
    first = [c[0] for c in figure(app, KEY)["data"][-1]["customdata"]]
    assert first == [f"{a}|{b}" for a in ids for b in ids]
    spec = charts(app)[KEY].spec
    click(app, KEY, f"{ids[3]}|{ids[1]}")
    assert (app.selectbox(key="sim-a").value, app.selectbox(key="sim-b").value) == (ids[3], ids[1])
    assert charts(app)[KEY].spec == spec, "a click leaves the figure"
    app.selectbox(key="sim-matrix-a").set_value(ids[0])
    app.selectbox(key="sim-matrix-b").set_value(ids[4]).run()
    app.button(key="sim-matrix-open").click().run()
    assert (app.selectbox(key="sim-a").value, app.selectbox(key="sim-b").value) == (ids[0], ids[4])
    published: dict[str, Any] = {
        k: v if isinstance(v, str) else v[0] for k, v in dict(app.query_params).items()
    }
    assert (published["place"], published["order"]) == ("depth:0.5", "chosen")
    assert published["matrix"].split(",") == ids


def test_networks_come_and_go_by_one_click(open_page: Open) -> None:
    app = at(open_page, tab="Matrix")
    assert "Add at least two networks" in said(app)
    app.number_input(key="sim-matrix-n").set_value(7)
    app.button(key="sim-matrix-add-random").click().run()
    assert len(app.multiselect(key="sim-matrix-ids").value) == 7
    app.button(key="sim-matrix-add-The front").click().run()
    front = views.on_the_front(supernets.find(None, "digits-cnn"))
    held = app.multiselect(key="sim-matrix-ids").value
    assert len(held) == min(7 + len(set(front) - set(networks(7))), MOST_NETWORKS)
    app.multiselect(key="sim-matrix-ids").set_value(held[:3]).run()
    assert "Compare 3 networks" in [b.label for b in app.button]
    app.selectbox(key="sim-matrix-place").set_value("name").run()
    assert not app.exception
    assert "stem" in app.selectbox(key="sim-matrix-stage").options
    app.selectbox(key="sim-matrix-place").set_value("answers").run()
    assert not app.exception
    app.button(key="sim-matrix-clear").click().run()
    assert "Add at least two networks" in said(app)


@pytest.mark.parametrize("place", ["name:nothing", "answers:cka", "answers:magic", "depth:7", "<script>"])
def test_no_place_in_a_link_breaks_the_panel(open_page: Open, place: str) -> None:
    app = at(open_page, tab="Matrix", matrix=",".join(networks(2)), place=place)
    assert not app.exception
    json.dumps(dict(app.query_params))
