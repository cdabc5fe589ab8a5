"""Figures by their traces: what is drawn, with which ids, in which units, and always the same."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from core.objectives.base import objective
from core.plots import style
from core.plots.curves import hypervolume_figure
from core.plots.diagram import contribution_rows, diagram_figure, diagram_parts
from core.plots.finished import finished, has_selected, unchecked, with_selected
from core.plots.front import MOST_POINTS, MOST_SVG, SUBNETS, front_figure
from core.seeding import stream
from core.supernets.stage_cost import StageCost, counts

MACS, ACCURACY, LOSS = objective("macs"), objective("accuracy"), objective("loss")


def table(n: int = 60) -> pd.DataFrame:
    rng = stream(0, "figures", n)
    macs = rng.integers(1_000, 900_000, n).astype(float)
    on_front = np.zeros(n, bool)
    on_front[: min(n, 12)] = True
    return pd.DataFrame(
        {
            "arch_id": [f"s{i:06d}" for i in range(n)],
            "macs": macs,
            "accuracy": rng.random(n),
            "loss": rng.random(n),
            "on_front": on_front,
        }
    )


def trace(figure, name):
    [found] = [t for t in figure.data if t.name == name]
    return found


def test_every_point_carries_its_id_and_its_own_numbers() -> None:
    rows = table()
    figure = front_figure(rows, MACS, ACCURACY)
    assert [t.name for t in figure.data] == ["dominated", "front"]
    by_id = rows.set_index("arch_id")
    for name, expected in (("dominated", 48), ("front", 12)):
        drawn = trace(figure, name)
        assert len(drawn.customdata) == expected
        for arch_id, x, y in zip(drawn.customdata, drawn.x, drawn.y, strict=True):
            assert x == by_id.loc[arch_id, "macs"]
            assert y == pytest.approx(100 * by_id.loc[arch_id, "accuracy"])


def test_equal_inputs_give_equal_bytes_and_the_table_is_untouched() -> None:
    rows = table()
    before = rows.copy(deep=True)
    a = front_figure(rows, MACS, ACCURACY, knees=["s000003"], selected="s000004", caption="c")
    b = front_figure(before, MACS, ACCURACY, knees=["s000003"], selected="s000004", caption="c")
    assert a.to_json() == b.to_json()
    pd.testing.assert_frame_equal(rows, before)


def test_the_selected_point_is_the_only_one_highlighted() -> None:
    figure = front_figure(table(), MACS, ACCURACY, selected="s000004")
    chosen = [t.customdata[i] for t in figure.data if t.selectedpoints is not None for i in t.selectedpoints]
    assert chosen == ["s000004"]
    assert front_figure(table(), MACS, ACCURACY).data[0].selectedpoints is None


@pytest.mark.parametrize(
    ("x", "y", "shape"), [(MACS, ACCURACY, "hv"), (MACS, LOSS, "hv"), (ACCURACY, LOSS, "vh")]
)
def test_the_step_line_never_promises_what_no_subnet_gives(x, y, shape) -> None:
    line = trace(front_figure(table(), x, y), "front")
    assert line.line.shape == shape
    assert list(line.x) == sorted(line.x)


def test_rows_that_cannot_be_drawn_are_left_out() -> None:
    rows = table()
    rows.loc[0, "accuracy"] = np.nan
    rows.loc[1, "macs"] = np.inf
    rows.loc[20, "macs"] = 0
    drawn = front_figure(rows, MACS, ACCURACY, log_x=True)
    ids = {i for t in drawn.data for i in t.customdata}
    assert ids == set(rows["arch_id"]) - {"s000000", "s000001", "s000020"}
    assert drawn.layout.xaxis.type == "log"


def test_an_empty_table_is_an_empty_chart() -> None:
    figure = front_figure(table().iloc[:0], MACS, ACCURACY)
    assert [len(t.x) for t in figure.data] == [0, 0]


def test_a_large_cloud_is_thinned_and_the_front_is_not() -> None:
    rows = table(30_000)
    figure = front_figure(rows, MACS, ACCURACY)
    assert len(trace(figure, "front").x) == 12
    cloud = trace(figure, "dominated")
    assert len(cloud.x) == MOST_POINTS - 12
    assert cloud.type == "scattergl"
    assert trace(front_figure(rows.head(MOST_SVG), MACS, ACCURACY), "dominated").type == "scatter"


def test_ghost_and_search_are_drawn_apart() -> None:
    rows = table()
    figure = front_figure(
        rows,
        MACS,
        ACCURACY,
        what_if={"macs": 5e4, "accuracy": 0.9},
        what_if_from={"macs": 4e4, "accuracy": 0.8},
        searched=rows.head(5),
    )
    assert list(trace(figure, "what-if").y) == pytest.approx([80, 90])
    assert len(trace(figure, "search").x) == 5


def test_hostile_names_are_plain_text() -> None:
    stage = StageCost(
        "<img src=x onerror=alert(1)>",
        "$\\href{javascript:1}{x}$",
        "block",
        (4, 8, 8),
        4,
        counts(macs=1, params=2),
        "k3",
    )
    text = diagram_figure([stage], title="<b>t</b>").to_json()
    assert "<img" not in text
    assert "u003cimg" not in text
    assert "$" not in text
    race = hypervolume_figure({"<script>$x$": [1.0]}).to_json()
    assert "<script" not in race
    assert "u003cscript" not in race


STAGES = [
    StageCost("stem", "stem", "stem", (4, 8, 8), 4, counts(macs=100, params=10), "k3"),
    StageCost("block 1.1", "group 1", "block", (4, 8, 8), 4, counts(macs=2000, params=300), "k5"),
    StageCost("head", "head", "head", (10,), 10, counts(macs=40, params=50)),
]


def test_the_diagram_has_a_bar_per_stage_and_a_frame_per_stage_of_the_whole() -> None:
    skipped = replace(STAGES[1], label="block 1.2")
    whole = [replace(s, channels=16) for s in (STAGES[0], STAGES[1], skipped, STAGES[2])]
    figure = diagram_figure(STAGES, whole)
    [bars] = figure.data
    assert list(bars.x) == [0, 1, 3]
    assert len([s for s in figure.layout.shapes if s.type == "rect"]) == 4
    texts = " ".join(a.text for a in figure.layout.annotations)
    for part in ("k5", "8×8", "group 1", "4"):
        assert part in texts
    assert "2,000 MACs" in bars.customdata[1]
    assert "300 parameters" in bars.customdata[1]
    assert bars.y[0] == pytest.approx(0.5)  # a quarter of the channels is half as tall


def test_a_stage_that_the_largest_subnet_lacks_stands_where_it_works() -> None:
    """An image that is resized first, while the largest subnet takes it as it is."""
    resized = StageCost("resize", "input", "resize", (1, 6, 6), 1, counts(macs=0, params=0))
    extra = replace(STAGES[1], label="adapter")
    (bars,) = diagram_figure([resized, STAGES[0], extra, STAGES[2]], STAGES).data
    assert list(bars.x) == [0, 1, 3, 4]


def test_many_stages_are_written_narrower() -> None:
    """Twenty blocks of three groups on a card: a word to a line, and no name wider than its bracket."""
    blocks = [
        replace(STAGES[1], label=f"b{n}", group="group 1" if n else "alone", detail="k3 e6")
        for n in range(20)
    ]
    texts = [a.text for a in diagram_figure(blocks).layout.annotations]
    assert texts.count("k3<br>e6") == 19
    assert texts.count("k3<br>e6<br>8×8") == 1
    assert "group 1" in texts
    assert "alone" not in texts
    few = [a.text for a in diagram_figure(blocks[:5]).layout.annotations]
    assert {"k3 e6", "alone", "group 1"} <= set(few)


def test_what_is_wider_than_a_stage_is_written_below_each_other() -> None:
    """Heads and hidden units of the twelve layers of a BERT; of four layers they stand side by side."""
    layer = StageCost("layer", "layers", "block", (128, 768), 768, counts(macs=1, params=1), "12h 3072")
    for count, written in ((4, "12h 3072"), (12, "12h<br>3072"), (14, "12h<br>3072")):
        figure = diagram_figure([replace(layer, label=str(at)) for at in range(count)])
        under = [a.text for a in figure.layout.annotations if "12h" in a.text]
        assert under == [f"{written}<br>768", *[written] * (count - 1)]


def test_a_diagram_works_for_any_family() -> None:
    assert len(diagram_figure([]).data[0].x) == 0
    tokens = replace(STAGES[1], kind="attention", output_shape=(17, 32), detail="4 heads, MLP 2x")
    assert diagram_figure([tokens]).data[0].marker.color == (style.CATEGORICAL[3],)
    assert contribution_rows([tokens])[0]["output"] == "17×32"


def test_the_race_has_a_ceiling() -> None:
    figure = hypervolume_figure({"a": [1, 2, 2], "b": [1, 1]}, ceiling=3.0)
    assert [t.name for t in figure.data] == ["a", "b", "exact front"]
    assert list(figure.data[2].x) == [1, 3]
    assert list(figure.data[0].y) == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    assert list(figure.data[2].y) == [100, 100]
    assert list(hypervolume_figure({"a": [1, 2]}).data[0].y) == [1, 2]
    assert len({t.line.dash for t in figure.data[:2]}) == 2  # told apart without color too


def test_a_finished_figure_is_the_same_figure() -> None:
    plain = front_figure(table(), MACS, ACCURACY, selected="s000004", caption="c").to_json()
    ready = finished(front_figure(table(), MACS, ACCURACY, selected="s000004", caption="c"))
    assert ready.to_json() == plain
    assert ready.to_json() == plain


@pytest.mark.parametrize("n", [60, MOST_SVG + 100])
@pytest.mark.parametrize("selected", ["s000004", "s000051"])
@pytest.mark.parametrize("edition", [0, 2])
def test_another_selection_is_the_figure_that_would_be_built_for_it(
    n: int, selected: str, edition: int
) -> None:
    rows = table(n)
    drawn = {
        "knees": ["s000003"],
        "caption": "c",
        "what_if": {"macs": 1.0, "accuracy": 0.5},
        "uniform": rows[:3],
    }
    base = finished(front_figure(rows, MACS, ACCURACY, **drawn))
    before = base.to_json()
    built = finished(front_figure(rows, MACS, ACCURACY, selected=selected, **drawn), edition)
    other = with_selected(base, selected, edition, traces=SUBNETS)
    assert json.loads(other.to_json()) == json.loads(built.to_json())
    assert base.to_json() == before
    assert has_selected(other)
    assert not has_selected(base)
    assert not has_selected(with_selected(base, "nowhere", edition, traces=SUBNETS))


def test_pruned_networks_stand_beside_the_front_with_their_own_ids() -> None:
    pruned = pd.DataFrame(
        {
            "model_id": ["pruned:r:1", "pruned:r:2", "pruned:r:3"],
            "title": ["a<b>", "b", "c"],
            "accuracy": [0.9, np.nan, 0.8],
            "macs": [100.0, 200.0, 300.0],
            "latency_ms": [0.03, np.nan, np.nan],
        }
    )
    figure = front_figure(table(), MACS, ACCURACY, pruned=pruned)
    drawn = trace(figure, "pruned")
    assert list(drawn.customdata) == ["pruned:r:1", "pruned:r:3"]
    assert "0.0300 ms" in drawn.hovertext[0]
    assert "<b>" not in drawn.hovertext[0].replace("<br>", "")
    assert "latency" not in drawn.hovertext[1]
    assert "pruned" not in [
        t.name for t in front_figure(table(), MACS, ACCURACY, pruned=pruned.drop(columns="macs")).data
    ]


def test_a_drawing_made_without_checks_is_the_checked_one() -> None:
    parts = diagram_parts(STAGES, STAGES, title="a")
    made = json.loads(unchecked(parts).to_json())
    checked = json.loads(go.Figure(parts).to_json())
    assert made == checked
    assert unchecked(parts).to_dict()["data"][0]["name"] == "subnet"


def test_predicted_subnets_are_hollow_and_make_room_for_measured_ones() -> None:
    n = 12_000
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "arch_id": [f"a{i}" for i in range(n)],
            "accuracy": rng.random(n),
            "macs": rng.random(n) + 1,
            "macs_source": np.where(np.arange(n) % 10 == 0, "measured", "predicted"),
            "on_front": np.arange(n) == 0,
        }
    )
    drawn = set(front_figure(table, objective("macs"), objective("accuracy")).data[1].customdata)
    lost = next(f"a{i}" for i in range(1, n) if i % 10 and f"a{i}" not in drawn)
    figure = front_figure(table, objective("macs"), objective("accuracy"), selected=lost)
    traces = {trace.name: trace for trace in figure.data}
    assert len(traces["dominated"].customdata) == n // 10 - 1, "all that were measured"
    assert traces["predicted"].marker.symbol == "circle-open"
    assert len(traces["predicted"].customdata) == MOST_POINTS - n // 10 + 1
    at = list(traces["predicted"].customdata).index(lost)
    assert list(traces["predicted"].selectedpoints) == [at]
