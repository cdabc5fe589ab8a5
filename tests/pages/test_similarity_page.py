"""The Similarity page's promises: something to see at once, links that reproduce a view, no link that breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.cache import Cache
from core.similarity.base import MEASURES
from pages.ui import resources
from pages.ui.similarity.panels import _NUMBERS, _PANELS
from tests.helpers.terms import unlinked

Open = Callable[..., AppTest]
LARGEST, SMALLEST = "subnet:digits-cnn:311131113111", "subnet:digits-cnn:000000000000"
TWO = f"{SMALLEST},{LARGEST}"
KEY = "similarity-heatmap"


def charts(app: AppTest) -> dict[str, Any]:
    return {e.key: e.proto for e in app.get("plotly_chart")}


def figure(app: AppTest, key: str = KEY) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(charts(app)[key].spec)
    return found


def said(app: AppTest) -> str:
    quiet = [e.value for kind in ("warning", "info", "caption", "markdown") for e in getattr(app, kind)]
    return unlinked(" ".join([*quiet, *(e.proto.body for e in app.get("html"))]))


def click(app: AppTest, key: str, customdata: str) -> AppTest:
    """What a browser sends when a point is clicked."""
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = charts(app)[key].id
    points = [{"customdata": [customdata]}]
    widget.string_value = json.dumps(
        {"selection": {"points": points, "point_indices": [0], "box": [], "lasso": []}}
    )
    app._run(states)
    assert not app.exception
    return app


def test_something_is_to_be_seen_at_once(open_page: Open) -> None:
    app = open_page("similarity")
    values = figure(app)["data"][0]["z"]
    assert len(app.multiselect(key="sim-models").value) == 2
    assert values
    for word in ("shuffled samples", "When to distrust it", "Does not notice", "359 samples"):
        assert word in said(app)


def test_a_link_reproduces_the_view_and_is_published_again(open_page: Open) -> None:
    link = {
        "models": TWO,
        "a": LARGEST,
        "b": SMALLEST,
        "measure": "mutual_knn",
        "set": "k:3",
        "pooling": "flattened",
        "la": "3",
        "lb": "1",
        "split": "test",
        "n": "80",
        "seed": "4",
        "tab": "Answers",
    }
    app = open_page("similarity")
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    assert app.selectbox(key="sim-a").value == LARGEST
    assert app.selectbox(key="sim-measure").value == "mutual_knn"
    assert "80 samples" in said(app)
    published = {k: v if isinstance(v, str) else v[0] for k, v in dict(app.query_params).items()}
    published.pop("replace", None)  # taken out in the browser: see pages.ui.history
    assert set(published.pop("models").split(",")) == set(link.pop("models").split(","))
    assert published == link


@pytest.mark.parametrize(
    "query",
    [
        {"models": "subnet:nobody:000000000000"},
        {"models": "subnet:digits-cnn:999999999999"},
        {"models": "alone:0123456789abcdef:0"},
        {"models": "<script>alert(1)</script>", "la": "../..", "measure": "magic"},
        {"models": ",".join(f"subnet:digits-cnn:00000000000{k}" for k in range(10))},
        {"models": TWO, "n": "4", "pooling": "positions"},
        {"models": TWO, "set": "k:-1;threshold:nan", "tab": "nowhere"},
    ],
)
def test_no_link_breaks_the_page(open_page: Open, query: dict[str, str]) -> None:
    app = open_page("similarity")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    assert KEY in charts(app) or app.warning or app.info


def test_a_click_selects_the_pair_and_leaves_the_figure(open_page: Open) -> None:
    app = open_page("similarity")
    before = charts(app)[KEY].spec
    click(app, KEY, "1|2")
    assert app.selectbox(key="sim-layer-a").value == "1"
    assert app.selectbox(key="sim-layer-b").value == "2"
    assert charts(app)[KEY].spec == before
    assert dict(app.query_params)["la"] in ("1", ["1"])


def test_a_layer_chosen_by_keyboard_is_outlined(open_page: Open) -> None:
    app = open_page("similarity")
    app.selectbox(key="sim-layer-a").select("0").run()
    outlined = figure(app)["data"][-1]["selectedpoints"]
    ids = [c[0] for c in figure(app)["data"][-1]["customdata"]]
    assert ids[outlined[0]].startswith("0|")


SHOWN = {
    "Units": "unit-matrix",
    "Samples": "samples-a",
    "Depth": "depth-path",
    "Collapse": "collapse-A",
    "Complexity": "complexity-layers",
    "Map": "model-map",
    "Equally good": "rashomon-swarm",
}
"""Charts that a panel must show; the others answer in words until something was computed."""
WORDS = {
    "Answers": "both right",
    "Heads": "has no attention heads",
    "Matrix": "Many networks at once",
    "Shared or alone": "Train it alone",
    "Mixing": "same shape",
    "Numbers": "block 2.1",
}


@pytest.mark.parametrize("tab", [*_PANELS, _NUMBERS])
def test_every_panel_opens(open_page: Open, tab: str) -> None:
    app = open_page("similarity")
    app.query_params["tab"] = tab
    app.session_state["sim-tabs"] = tab
    app.run()
    assert not app.exception, app.exception[0].message
    if tab in SHOWN:
        assert SHOWN[tab] in charts(app)
    else:
        assert WORDS[tab] in said(app) + " ".join(b.label for b in app.button)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [i.name for i in MEASURES.describe() if MEASURES.get(i.name).of == "activations"]
)
def test_every_measure_has_its_card(open_page: Open, name: str) -> None:
    app = open_page("similarity")
    app.selectbox(key="sim-measure").select(name).run()
    assert not app.exception
    text = said(app)
    assert "ignores" in text
    assert "When to distrust it" in text


@pytest.mark.parametrize("pooling", ["flattened", "positions"])
@pytest.mark.parametrize("samples", [4, 30])
def test_few_samples_and_other_features_give_reasons_not_errors(
    open_page: Open, pooling: str, samples: int
) -> None:
    app = open_page("similarity")
    app.selectbox(key="sim-pooling").select(pooling)
    app.number_input(key="sim-n").set_value(samples)
    app.toggle(key="sim-inside").set_value(True).run()
    assert not app.exception
    assert KEY in charts(app) or app.warning


def test_a_model_with_itself_and_no_model_at_all(open_page: Open) -> None:
    app = open_page("similarity")
    app.selectbox(key="sim-b").select(app.selectbox(key="sim-a").value).run()
    assert not app.exception
    values = figure(app)["data"][0]["z"]
    assert values
    app.multiselect(key="sim-models").set_value([]).run()
    assert not app.exception
    assert any("Choose at least one network" in e.value for e in app.info)


def test_the_basket_and_a_picked_model_are_offered(open_page: Open) -> None:
    app = open_page("similarity")
    kept = resources.store().baskets
    kept.add(kept.create("b"), "subnet:digits-cnn:111011100110", "x")
    app.session_state["sim-pick-b"] = "subnet:digits-cnn:211121112111"
    app.run()
    assert not app.exception
    assert app.selectbox(key="sim-b").value == "subnet:digits-cnn:211121112111"
    assert any("111011100110" in str(o) for o in app.multiselect(key="sim-models").options)


def test_a_supernet_whose_data_are_missing_says_so(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_DATA", raising=False)
    from core.datasets.base import DATASETS
    from core.errors import DataUnavailable

    def missing(self: object, on_progress: object) -> None:
        raise DataUnavailable("Fashion-MNIST is not on this machine, and it could not be fetched.")

    monkeypatch.setattr(DATASETS.get("fashion_mnist"), "read", missing)
    monkeypatch.setattr("core.datasets.loading._loaded", Cache(6))
    monkeypatch.setattr("core.library.networks._models", Cache(6))
    app = open_page("similarity")
    app.query_params["models"] = "subnet:fashion-cnn:000000000000,subnet:fashion-cnn:211121112111"
    app.run()
    assert not app.exception
    assert "not on this machine" in said(app)
