"""The Pruning page's promises: what to do first, links that reproduce a view, clicks that say what they did."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.library.pruned import list_pruned
from core.plots.pictures import image_strip
from core.records import RunState
from core.settings import settings
from core.store import RunStore
from core.views.pruning import pruning_view
from core.views.pruning_detail import samples_of
from pages.ui import history
from pages.ui.address import format_view
from pages.ui.address import parse as parse_view
from pages.ui.pruning.panels import _PANELS, EXPERIMENTS
from pages.ui.pruning.start_form import CONTROLS
from pages.ui.pruning.view_state import Asked
from tests.helpers.pruning import LARGEST, SMALLEST, pruned
from tests.pages.test_similarity_page import charts, click, figure, said

Open = Callable[..., AppTest]
TABLE, GEOMETRY = "pruning-table", "pruning-geometry"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one finished run, copied for each test."""
    home = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(home))
        patch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
        place = settings()
        with RunStore(place.database_url, place.home) as store:
            pruned(store)
    return home


@pytest.fixture
def filled(template: Path) -> RunStore:
    """The installation of this test, with the run."""
    shutil.copytree(template, os.environ["PARETOSCOPE_HOME"], dirs_exist_ok=True)
    place = settings()
    return RunStore(place.database_url, place.home)


@pytest.fixture
def ids(filled: RunStore) -> dict[str, str]:
    """Model ids by method, the largest share of each."""
    return {m.method: m.model_id for m in list_pruned(filled, SMALLEST)}


def at(open_page: Open, **query: str) -> AppTest:
    app = open_page("pruning")
    for key, value in ({"parent": SMALLEST} | query).items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def sent(app: AppTest, key: str, samples: list[int]) -> AppTest:
    """What a browser sends when a box is drawn around some samples."""
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = charts(app)[key].id
    points = [{"customdata": [str(s)]} for s in samples]
    widget.string_value = json.dumps(
        {"selection": {"points": points, "point_indices": [], "box": [], "lasso": []}}
    )
    app._run(states)
    assert not app.exception
    return app


# --- before anything was pruned ----------------------------------------------------------------------


def test_at_first_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("pruning")
    assert "Nothing of this network was pruned yet" in said(app)
    assert app.selectbox(key="pr-parent").value == LARGEST
    assert not app.button(key="prune-start").disabled
    assert "20 networks to make" in said(app)
    assert TABLE not in charts(app)


def test_while_it_prunes_it_does_not_ask_to(open_page: Open) -> None:
    place = settings()
    with RunStore(place.database_url, place.home) as store:
        run_id = store.create_run("prune_models", {"model": LARGEST}, title="p", state=RunState.RUNNING)
        app = open_page("pruning")
        assert "Nothing of this network was pruned yet" not in said(app)
        assert "being pruned now" in said(app)
        store.set_state(run_id, RunState.FAILED)
    app.run()
    assert "Nothing of this network was pruned yet" in said(app)


def test_nothing_chosen_nothing_started(open_page: Open) -> None:
    app = open_page("pruning")
    app.multiselect(key="pr-methods").set_value([])
    app.toggle(key="pr-controls").set_value(False).run()
    assert app.button(key="prune-start").disabled
    assert "at least one way" in said(app)


def test_the_button_asks_for_what_was_chosen(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    from core.jobs import JobManager

    monkeypatch.setattr(
        JobManager, "submit", lambda self, kind, params, **k: asked.append({"kind": kind, **params, **k})
    )
    app = open_page("pruning")
    app.multiselect(key="pr-methods").set_value(["snip"])
    app.number_input(key="pr-seed").set_value(4)
    app.toggle(key="pr-pgd").set_value(True)
    app.toggle(key="pr-more").set_value(True).run()
    app.selectbox(key="pr-config-snip-allocation").select("layer")
    app.run()
    app.button(key="prune-start").click().run()
    [request] = asked
    assert request["kind"] == "prune_models"
    assert request["model"] == LARGEST
    assert [m["name"] for m in request["methods"]] == ["snip", *CONTROLS]
    assert request["methods"][0]["config"] == {"allocation": "layer"}
    assert request["methods"][0]["sparsities"] == [0.5, 0.8, 0.9, 0.95]
    assert request["benchmarks"] == {"attacks": ["fgsm", "pgd"]}
    assert request["seed"] == 4


# --- with a run ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_table_shows_every_network_and_what_failed(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page)
    clickable = figure(app, TABLE)["data"][-1]
    cells = {c[0] for c in clickable["customdata"]}
    assert len(cells) == 6 * 19
    assert f"{ids['l1_filters']}|fog@3" in cells
    assert "scores units once" in said(app), "taylor could not"
    for word in ("of the weights gone", "mCE", "359 validation samples"):
        assert word in said(app)


@pytest.mark.slow
def test_what_is_in_the_table_is_not_pruned_again(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page)
    app.multiselect(key="pr-methods").set_value(["magnitude"])
    app.number_input(key="pr-epochs").set_value(1)
    app.toggle(key="pr-controls").set_value(False).run()
    assert "2 networks to make (2 of 4 are in the table already)" in said(app)
    app.number_input(key="pr-epochs").set_value(2).run()
    assert "4 networks to make;" in said(app), "tuned longer is another network"


def test_a_click_selects_the_cell_and_leaves_the_figure(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page)
    before = charts(app)[TABLE].spec
    click(app, TABLE, f"{ids['l1_filters']}|snow@3")
    assert app.selectbox(key="pr-model").value == ids["l1_filters"]
    assert app.selectbox(key="pr-benchmark").value == "snow@3"
    assert "Snow-like, severity 3" in said(app)
    assert charts(app)[TABLE].spec == before
    assert dict(app.query_params)["benchmark"] in ("snow@3", ["snow@3"])


def test_back_selects_the_cell_before_and_draws_it(
    open_page: Open, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = at(open_page, parent=SMALLEST)
    first, drawn = dict(app.query_params), figure(app, TABLE)
    before = app.session_state["pr-cell"]
    click(app, TABLE, f"{ids['l1_filters']}|snow@3")
    assert figure(app, TABLE) == drawn, "the browser has moved the outline by itself"
    monkeypatch.setattr(history, "_went_through_history", lambda: True)
    app.query_params.clear()
    for name, value in first.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert app.session_state["pr-cell"] == before
    assert figure(app, TABLE) != drawn, "equal but for its edition, so that the outline is drawn anew"


def test_the_choosers_outline_the_cell(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page)
    app.selectbox(key="pr-model").select(ids["small_dense"]).run()
    trace = figure(app, TABLE)["data"][-1]
    assert trace["customdata"][trace["selectedpoints"][0]][0].startswith(ids["small_dense"])
    assert "Trained from scratch" in said(app)
    app.selectbox(key="pr-model").select(ids["magnitude"]).run()
    assert "neither time nor space" in said(app)


def test_a_link_reproduces_the_view(open_page: Open, ids: dict[str, str]) -> None:
    link = {
        "parent": SMALLEST,
        "model": ids["l1_filters"],
        "benchmark": "fog@3",
        "compare": ids["magnitude"],
        "tab": "Samples",
    }
    app = at(open_page, **link)
    assert app.selectbox(key="pr-parent").value == SMALLEST
    assert app.selectbox(key="pr-model").value == ids["l1_filters"]
    assert app.selectbox(key="pr-compare").value == ids["magnitude"]
    assert "pruning-failures" in charts(app)
    published = {k: v if isinstance(v, str) else v[0] for k, v in dict(app.query_params).items()}
    published.pop("replace", None)  # taken out in the browser: see pages.ui.history
    assert published == link


def test_a_link_reproduces_the_severity(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, severity="5", benchmark="clean", model=ids["magnitude"])
    assert app.segmented_control(key="pr-severity").value == 5
    assert app.selectbox(key="pr-benchmark").options == ["Clean"], "nothing else was measured"
    assert dict(app.query_params)["severity"] in ("5", ["5"])


def choose_methods(app: AppTest, methods: list[str]) -> AppTest:
    [key] = [m.key for m in app.multiselect if (m.key or "").startswith("pr-variants")]
    app.multiselect(key=key).set_value(methods).run()
    assert not app.exception, app.exception[0].message
    return app


@pytest.mark.slow
@pytest.mark.parametrize("tab", [*_PANELS, EXPERIMENTS])
def test_every_tab_opens_without_a_pruned_row_and_before_anything_was_measured(
    open_page: Open, ids: dict[str, str], tab: str
) -> None:
    app = choose_methods(at(open_page, tab=tab, severity="5"), [])
    assert {c[0].partition("|")[0] for c in figure(app, TABLE)["data"][-1]["customdata"]} == {SMALLEST}
    assert app.selectbox(key="pr-model").value == SMALLEST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tab", "chart"),
    [("Map", "pruning-map"), ("Samples", "pruning-failures"), ("Samples", "pruning-paths")],
)
def test_charts_follow_the_rows(open_page: Open, ids: dict[str, str], tab: str, chart: str) -> None:
    app = at(open_page, tab=tab, model=ids["magnitude"])
    assert "L1 filters (1 epoch)" in charts(app)[chart].spec
    dense = "Small dense network (epochs 1)"
    for others in (["Random, same layer ratios", dense], ["L1 filters (1 epoch)", dense]):
        choose_methods(app, ["Magnitude (1 epoch)", *others])
        assert app.selectbox(key="pr-model").value == ids["magnitude"]
        assert ("L1 filters (1 epoch)" in charts(app)[chart].spec) == ("L1 filters (1 epoch)" in others)


@pytest.mark.slow
@pytest.mark.parametrize("tab", [*_PANELS, EXPERIMENTS])
def test_every_tab_opens(open_page: Open, ids: dict[str, str], tab: str) -> None:
    shown = {
        "Geometry": GEOMETRY,
        "Map": "pruning-map",
        "All angles": "pruning-angles",
        "Samples": "pruning-paths",
        "Accuracy": "pruning-curves",
        "Collapse": "pruning-collapse",
    }
    app = at(open_page, tab=tab, model=ids["l1_filters"])
    if tab in shown:
        assert shown[tab] in charts(app)
        assert figure(app, shown[tab])["data"]
    if tab == "Numbers":
        assert len(app.dataframe[0].value) == 6
    if tab == EXPERIMENTS:
        assert not app.button(key="experiment-start").disabled


def test_a_box_shows_those_samples_lowest_margin_first(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, model=ids["l1_filters"])
    samples = [
        int(c[0]) for t in figure(app, GEOMETRY)["data"] if t.get("customdata") for c in t["customdata"]
    ]
    assert len(set(samples)) == 359
    sent(app, GEOMETRY, samples[:5])
    assert "**5 samples** selected." in said(app)
    pictures = next(e.proto.body for e in app.get("html") if "ps-pictures" in e.proto.body)
    assert pictures.count("<img") == 5
    app.button(key="pruning-clear").click().run()
    assert "No samples selected" in said(app)


def test_pictures_are_those_the_network_gets(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, model=ids["l1_filters"], benchmark="shot_noise@3")
    shown = next(e.proto.body for e in app.get("html") if "ps-pictures" in e.proto.body)
    with RunStore(settings().database_url, settings().home) as store:
        margin = pruning_view(store, SMALLEST).margins[ids["l1_filters"]]["shot_noise@3"]["margin"]
        images = samples_of(store, ids["l1_filters"], "shot_noise@3", margin.argsort(kind="stable")[:12])
    sources = re.findall(r'src="([^"]+)"', shown)
    assert sources == re.findall(r'src="([^"]+)"', image_strip(images, [""] * 12, size=60))
    assert "shot noise, severity 3" in said(app)


def test_a_click_on_a_curve_selects_that_network(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, tab="Accuracy")
    click(app, "pruning-curves", ids["random_like"])
    app.run()
    assert app.selectbox(key="pr-model").value == ids["random_like"]


def test_another_severity_is_offered(
    open_page: Open, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    from core.jobs import JobManager

    monkeypatch.setattr(
        JobManager, "submit", lambda self, kind, params, **k: asked.append({"kind": kind, **params})
    )
    app = at(open_page, severity="5")
    assert "6 of these networks have not been evaluated at severity 5" in said(app)
    app.button(key="evaluate-start").click().run()
    [request] = asked
    assert request["kind"] == "evaluate_pruned"
    assert request["benchmarks"] == {"severities": [5], "attacks": ["fgsm"]}
    assert len(request["models"]) == 5


def test_an_experiment_is_started(
    open_page: Open, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    from core.jobs import JobManager

    monkeypatch.setattr(
        JobManager, "submit", lambda self, kind, params, **k: asked.append({"kind": kind, **params})
    )
    app = at(open_page, tab=EXPERIMENTS)
    app.selectbox(key="pr-experiment").select("random_sparse").run()
    app.number_input(key="pr-experiment-random_sparse-seeds").set_value(2).run()
    app.button(key="experiment-start").click().run()
    [request] = asked
    assert (request["kind"], request["experiment"], request["model"]) == (
        "prune_experiment",
        "random_sparse",
        SMALLEST,
    )
    assert request["config"]["seeds"] == 2


def test_pruned_networks_stand_beside_the_front(open_page: Open, ids: dict[str, str]) -> None:
    app = open_page("front", supernet="digits-cnn", pruned=SMALLEST)
    names = [t["name"] for t in figure(app, "front-chart")["data"]]
    assert "pruned" in names
    trace = figure(app, "front-chart")["data"][names.index("pruned")]
    assert len(trace["customdata"]) == 5
    selected = app.session_state["sel_id"]
    click(app, "front-chart", ids["l1_filters"])
    assert app.session_state["sel_id"] == selected, "a pruned network is no subnet of the front"
    assert "50 % pruned" in said(app)
    app.selectbox(key="log-pruned").set_value(None).run()
    assert "pruned" not in [t["name"] for t in figure(app, "front-chart")["data"]]


@pytest.mark.parametrize(
    "query",
    [
        {"parent": "subnet:nobody:000000000000"},
        {"parent": "pruned:0123456789abcdef:1"},
        {"parent": "<script>alert(1)</script>", "model": "../..", "benchmark": "magic@9"},
        {
            "model": "pruned:0123456789abcdef:1",
            "compare": "pruned:0123456789abcdef:2",
            "severity": "77",
            "tab": "nowhere",
        },
        {"benchmark": "fog@5"},
    ],
)
def test_no_link_breaks_the_page(open_page: Open, ids: dict[str, str], query: dict[str, str]) -> None:
    app = at(open_page, **query)
    assert TABLE in charts(app) or app.info or app.warning


# --- the address ---------------------------------------------------------------------------------------

_IDS = st.sampled_from(["", SMALLEST, LARGEST, "pruned:abc:3"])


@given(
    _IDS,
    _IDS,
    st.sampled_from(["clean", "fog@3", "pgd@1"]),
    _IDS,
    st.integers(1, 5),
    st.sampled_from(["", "Map", "All angles"]),
)
def test_a_view_survives_its_link(
    parent: str, model: str, benchmark: str, compare: str, severity: int, tab: str
) -> None:
    view = Asked(parent=parent, model=model, benchmark=benchmark, compare=compare, severity=severity, tab=tab)
    read = parse_view(Asked, format_view(view))
    assert (read.parent, read.benchmark, read.severity, read.tab) == (parent, benchmark, severity, tab)
    assert read.model == model
    assert read.compare == ("" if compare == parent else compare)


@given(
    st.dictionaries(
        st.sampled_from(["parent", "model", "benchmark", "compare", "severity", "tab"]), st.text(max_size=40)
    )
)
def test_any_address_is_read(params: dict[str, str]) -> None:
    once = parse_view(Asked, params)
    assert parse_view(Asked, format_view(once)) == once


def test_a_wrong_setting_is_named_and_nothing_starts(open_page: Open) -> None:
    app = open_page("pruning")
    app.multiselect(key="pr-methods").set_value(["edge_popup"])
    app.toggle(key="pr-more").set_value(True).run()
    app.number_input(key="pr-config-edge_popup-learning_rate").set_value(0.0).run()
    [error] = app.error
    assert "greater than 0" in error.value
    assert app.button(key="prune-start").disabled


def test_experiments_need_nothing_pruned(open_page: Open) -> None:
    app = open_page("pruning")
    app.query_params["tab"] = EXPERIMENTS
    app.run()
    assert not app.exception
    assert not app.button(key="experiment-start").disabled
    assert not app.button(key="prune-start").disabled


def test_a_cut_network_can_be_pruned_further(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, model=ids["l1_filters"])
    assert app.button(key="prune-further")
    app = at(open_page, parent=ids["l1_filters"])
    assert app.selectbox(key="pr-parent").value == ids["l1_filters"]
    assert "Nothing of this network was pruned yet" in said(app)
    app = at(open_page, parent=ids["magnitude"])
    assert app.selectbox(key="pr-parent").value != ids["magnitude"]
    assert "revive" in said(app)


def test_held_weights_offer_no_further_pruning(open_page: Open, ids: dict[str, str]) -> None:
    app = at(open_page, model=ids["magnitude"])
    assert "prune-further" not in [b.key for b in app.button]


def test_a_new_table_is_sent_before_the_card_and_after_a_pick_the_card_before_it(
    open_page: Open, filled: RunStore, drawn: list[str]
) -> None:
    app = at(open_page)
    assert drawn.index(TABLE) < drawn.index("pr-model")
    drawn.clear()
    chooser = app.selectbox(key="pr-benchmark")
    chooser.set_value(chooser.options[-1]).run()
    assert not app.exception
    assert drawn.index("pr-model") < drawn.index(TABLE)
