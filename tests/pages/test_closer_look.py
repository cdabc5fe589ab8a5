"""The panels below the card: what opens them, what a selection on their charts does, what a link keeps."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.fronts import front
from core.library.pruned import PrunedNet, PruningRecord
from core.pareto import Constraint
from core.records import RunState
from core.views.brushes import Brush
from pages.ui.address import format_view, left_out, parse
from pages.ui.front.arriving import keep
from pages.ui.front.view import CLOSER, View
from tests.pages.conftest import ROOT

Open = Callable[..., AppTest]


def chart(app: AppTest, key: str) -> Any:
    [found] = [e for e in app.get("plotly_chart") if e.proto.id.endswith(key)]
    return found.proto


def figure(app: AppTest, key: str) -> Any:
    return json.loads(chart(app, key).spec)


def traces(app: AppTest, key: str) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure(app, key)["data"]}


def select(app: AppTest, key: str, selection: Mapping[str, Any]) -> None:
    """What a browser sends when something is selected on a chart."""
    states = app._tree.get_widget_states()
    widget = states.widgets.add()
    widget.id = chart(app, key).id
    nothing = {"points": [], "point_indices": [], "box": [], "lasso": []}
    widget.string_value = json.dumps({"selection": {**nothing, **selection}})
    app._run(states)
    assert not app.exception, app.exception[0].message


def link(app: AppTest) -> dict[str, str]:
    return {k: v[-1] if isinstance(v, list) else v for k, v in dict(app.query_params.items()).items()}


def said(app: AppTest) -> str:
    return " ".join(
        [*(e.value for e in app.markdown), *(e.value for e in app.caption), *(e.value for e in app.warning)]
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    found = supernets.table_with_counts(supernets.find(None, "digits-cnn"))
    assert found is not None
    return found


def test_nothing_is_drawn_before_it_is_opened_and_one_at_a_time(open_page: Open) -> None:
    app = open_page("front")
    assert not [
        e for e in app.get("plotly_chart") if not e.proto.id.endswith(("front-chart", "subnet-diagram"))
    ]
    assert "closer" not in link(app)
    before = chart(app, "front-chart").spec
    for name, key in (("third", "third-chart"), ("parallel", "parallel-chart")):
        app.session_state["closer-panel"] = name
        app.run()
        assert not app.exception
        assert len(app.get("plotly_chart")) == 3
        assert chart(app, key)
        assert link(app)["closer"] == name
    assert chart(app, "front-chart").spec == before, "what is below leaves the first chart alone"


def test_panels_are_loaded_by_name_alone() -> None:
    """Whoever imported one would load it for every first visitor."""
    panels = {f"pages.ui.front.{name}" for name in CLOSER}
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                named = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                assert not panels & named, path
    for name in CLOSER:
        assert (ROOT / f"pages/ui/front/{name}.py").is_file()


def test_the_slider_holds_the_front_under_each_limit_and_a_click_keeps_where_it_stands(
    open_page: Open, table: pd.DataFrame
) -> None:
    app = open_page("front", closer="third", third="params")
    drawn = figure(app, "third-chart")
    [slider] = drawn["layout"]["sliders"]
    assert slider["active"] == len(slider["steps"]) - 1
    assert slider["steps"][-1]["label"] == "no limit"
    step = slider["steps"][9]
    arrays, _, changed = step["args"]
    assert changed == [2]
    assert drawn["data"][2]["name"] == "front within the limit"
    ids = [text.partition("|")[0] for text in arrays["customdata"][0]]
    limit = max(table.set_index("arch_id")["params"][ids])
    bound = front(table, ("macs", "accuracy"), [Constraint("params", upper=limit)])
    assert ids == bound.members["arch_id"].tolist()
    assert arrays["x"][0] == bound.members["macs"].tolist()

    clicked = slider["steps"][9]["args"][0]["customdata"][0][2]
    before = chart(app, "third-chart").spec
    select(app, "third-chart", {"points": [{"customdata": clicked}]})
    arch_id = clicked.partition("|")[0]
    assert app.session_state["sel_id"] == arch_id
    assert chart(app, "third-chart").spec == before, "the slider must stay where it is"
    kept = link(app)
    assert kept["sid"] == arch_id
    again = open_page("front", **{k: v for k, v in kept.items() if k != "replace"})
    [slider] = figure(again, "third-chart")["layout"]["sliders"]
    assert slider["active"] == 9
    members = traces(again, "third-chart")["front within the limit"]
    assert [members["customdata"][k] for k in members["selectedpoints"]] == [clicked]


@pytest.mark.slow
def test_a_box_puts_subnets_into_the_basket_also_those_that_are_not_drawn(
    open_page: Open, table: pd.DataFrame
) -> None:
    app = open_page("front", closer="third", third="params")
    select(app, "third-chart", {"box": [{"xref": "x", "yref": "y", "x": [19_000, 20_500], "y": [98, 95]}]})
    within = table["macs"].between(19_000, 20_500) & table["accuracy"].between(0.95, 0.98)
    members = set(front(table, ("macs", "accuracy")).members["arch_id"]) & set(table["arch_id"][within])
    assert 0 < len(members) < within.sum() <= 200
    assert f"**{within.sum()}** subnets selected, **{len(members)}** of them" in said(app)
    app.button(key="third-basket-front").click().run()
    assert not app.exception
    assert basket(app) == members
    app.button(key="third-basket-all").click().run()
    assert basket(app) == set(table["arch_id"][within])
    select(
        app,
        "third-chart",
        {"lasso": [{"xref": "x", "yref": "y", "x": [0, 9e5, 9e5, 0], "y": [0, 0, 100, 100]}]},
    )
    assert app.button(key="third-basket-all").disabled, "more than a basket holds"
    assert not app.button(key="third-basket-front").disabled
    app.selectbox(key="pick-subnet").set_value(sorted(members)[-1]).run()
    assert "subnets selected" not in said(app), "the chart appears anew, without its box"
    app.selectbox(key="pick-supernet").set_value("fashion-cnn").run()
    assert not app.exception
    assert (link(app)["supernet"], link(app)["closer"]) == ("fashion-cnn", "third"), "the panel stays open"


def basket(app: AppTest) -> set[str]:
    from pages.ui import resources

    kept = resources.store().baskets
    return {each.rpartition(":")[2] for each in kept.get(app.session_state["basket-chosen"]).network_ids}


def test_a_box_on_an_axis_is_a_range_which_can_become_a_limit_of_the_page(
    open_page: Open, table: pd.DataFrame
) -> None:
    app = open_page("front", closer="parallel")
    axes = figure(app, "parallel-chart")["layout"]["xaxis"]["ticktext"]
    at = axes.index("width1")
    select(
        app,
        "parallel-chart",
        {"box": [{"xref": "x", "yref": "y", "x": [at - 0.2, at + 0.2], "y": [-0.05, 0.1]}]},
    )
    kept = link(app)
    assert kept["brush"] == "width1~0~0"
    narrow = table["width1"] == table["width1"].min()
    members = front(table, ("macs", "accuracy")).members
    inside = set(members["arch_id"]) & set(table["arch_id"][narrow])
    assert f"**{narrow.sum():,}** of 13,824 subnets, **{len(inside)}** of them" in said(app)
    assert set(traces(app, "parallel-chart")["front"]["customdata"]) == inside
    picked = sorted(inside)[1]
    app.selectbox(key="pick-within").set_value(picked).run()
    assert app.session_state["sel_id"] == picked
    assert set(traces(app, "parallel-chart")["selected"]["customdata"]) == {picked}
    app.button(key="parallel-clear").click().run()
    assert "brush" not in link(app)

    app.session_state["closer-brushes"] = (Brush("macs", 3e3, 4e4), Brush("width1", 0, 1))
    app.run()
    app.button(key="parallel-limits").click().run()
    assert not app.exception
    [limit] = link(app)["limits"].split(";")
    assert limit.startswith("macs<=")
    assert float(limit.removeprefix("macs<=")) == pytest.approx(40_000, rel=0.2), (
        "the nearest stop of the slider"
    )
    shown = table.set_index("arch_id")["macs"][traces(app, "front-chart")["front"]["customdata"]]
    assert shown.max() <= float(limit.removeprefix("macs<="))


def test_importance_is_said_and_drawn_for_every_objective(open_page: Open) -> None:
    app = open_page("front", closer="importance", pairs="macs")
    assert "MACs: width1 50 %" in said(app).replace("\\", "")
    shares = traces(app, "importance-shares")["shares"]
    assert len(shares["text"]) == 14
    assert link(app)["pairs"] == "macs"
    assert "Most of them have" in said(app)


def test_a_front_of_another_objective_shows_where_the_subnet_is(open_page: Open) -> None:
    app = open_page("front", closer="several", fronts="macs,params,activation_bytes")
    drawn = traces(app, "several-chart")
    assert {"MACs", "Parameters", "Peak activation memory", "selected"} == set(drawn)
    picked = drawn["Parameters"]["customdata"][3]
    select(app, "several-chart", {"points": [{"customdata": picked}]})
    arch_id = picked.partition("|")[2]
    assert app.session_state["sel_id"] == arch_id
    assert {text.partition("|")[2] for text in traces(app, "several-chart")["selected"]["customdata"]} == {
        arch_id
    }
    assert link(app)["fronts"] == "macs,params,activation_bytes"
    html = " ".join(e.proto.body for e in app.get("html"))
    assert "Rank correlation of every two fronts" in html
    assert html.count("13,824</td>") >= 3


def test_a_subnet_of_another_supernet_is_shown_and_can_be_opened(open_page: Open) -> None:
    app = open_page("front", closer="several", beside="supernets", fronts="digits-cnn,fashion-cnn")
    assert "different data" in said(app)
    before = app.session_state["sel_id"]
    picked = traces(app, "several-chart")["fashion-cnn"]["customdata"][2]
    select(app, "several-chart", {"points": [{"customdata": picked}]})
    assert app.session_state["sel_id"] == before, "it is no subnet of this supernet"
    assert traces(app, "several-chart")["selected"]["customdata"] == [picked]
    app.button(key="several-open").click().run()
    assert not app.exception
    assert (link(app)["supernet"], link(app)["sid"]) == tuple(picked.split("|"))


def test_pruned_networks_stand_before_and_after_tuning_and_open_on_their_page(open_page: Open) -> None:
    from pages.ui import resources

    store, parent = resources.store(), "subnet:digits-cnn:311131113111"
    record = PruningRecord(
        model=parent,
        model_key="k",
        supernet="digits-cnn",
        arch_id="311131113111",
        seed=0,
        tuning={},
        probe="p",
        versions={},
    )
    for index, macs, before, after in ((0, 9e5, 0.9, 0.98), (1, 4e5, 0.5, 0.97), (2, 2e5, 0.2, 0.95)):
        numbers = {"accuracy": after, "macs": macs, **({"zero_shot": before} if index else {})}
        net = PrunedNet(
            index=index,
            method="magnitude" if index else "",
            label="Magnitude",
            config=(),
            removes="units",
            asked=0.5,
            sparsity=0.5,
            numbers=numbers,
            stages=(),
            note="",
            seconds=1.0,
            tuning_epochs=5,
            surgery=False,
            sha256="2" * 64,
        )
        record = record.with_net(net)
    run_id = store.create_run("prune_models", {"model": parent}, title="p", state=RunState.RUNNING)
    record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)

    app = open_page("front", closer="several", beside="pruned")
    assert link(app)["fronts"] == parent
    drawn = traces(app, "several-chart")
    ids = [f"pruned:{run_id}:{index}" for index in (2, 1)]
    assert drawn["Pruned, before fine-tuning"]["customdata"] == [f"before|{i}" for i in ids]
    select(app, "several-chart", {"points": [{"customdata": f"after|{ids[1]}"}]})
    assert traces(app, "several-chart")["selected"]["customdata"] == [f"before|{ids[1]}", f"after|{ids[1]}"]
    assert "Pruned, before fine-tuning / Pruned, after fine-tuning" in " ".join(
        e.proto.body for e in app.get("html")
    )
    app.button(key="several-pruned").click().run()
    assert not app.exception
    assert link(app)["model"] == ids[1]


@pytest.mark.parametrize(
    ("query", "words", "lost"),
    [
        ({"closer": "everything"}, "panel everything", "closer"),
        ({"closer": "third", "third": "latency_ms"}, "third objective Latency", "third"),
        ({"closer": "third", "third": "macs", "x": "macs"}, "is on an axis", "third"),
        ({"closer": "parallel", "brush": "beauty~0~1"}, "range on beauty", "brush"),
        ({"closer": "parallel", "brush": "macs~5~1"}, "range macs", "brush"),
        ({"closer": "several", "fronts": "macs,latency_ms"}, "front by Latency", "fronts"),
        ({"beside": "supernets", "fronts": "digits-cnn,no-such-net"}, "front of no-such-net", "fronts"),
        ({"beside": "pruned", "fronts": "subnet:digits-cnn:9"}, "network that is not here", "fronts"),
    ],
)
def test_what_a_link_asks_for_in_vain_is_said(query: dict[str, str], words: str, lost: str) -> None:
    view, absent = keep(parse(View, query))
    assert words in " ".join([*left_out(View, query), *absent])
    assert format_view(view).get(lost) != query[lost]
