"""Figures of the closer look: what is drawn is what the views say, and colors mean what they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.colors import sample_colorscale

from core.library.fronts import front
from core.objectives.base import objectives
from core.plots.finished import finished, with_selected
from core.plots.importance import importance_figure, pairs_figure, shared_figure
from core.plots.parallel import MOST_LINES, parallel_figure
from core.plots.several_fronts import several_figure
from core.plots.third_objective import MOST_POINTS, SEPARATOR, third_figure
from core.spaces import Choice, SearchSpace
from core.spaces.importance import importance
from core.views.brushes import Brush
from core.views.importance import ImportanceView, SharedOption
from core.views.parallel import parallel
from core.views.several_fronts import by_objectives
from core.views.third_objective import limited_fronts

SPACE = SearchSpace([Choice(f"c{k}", tuple(range(5))) for k in range(5)] + [Choice("x", (0, 1))])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    archs = SPACE.array()
    rng = np.random.default_rng(0)
    columns = {"accuracy": rng.random(len(archs)), "macs": 10 ** rng.uniform(3, 5, len(archs))}
    params = 10 ** rng.uniform(2, 4, len(archs))
    rows = pd.DataFrame({"arch_id": SPACE.arch_ids(archs), **columns, "params": params})
    return front(rows, ("macs", "accuracy")).table


@pytest.mark.parametrize("third", ["params", "accuracy"])
@pytest.mark.parametrize("as_size", [False, True])
def test_points_beyond_the_limit_are_faint_and_those_at_it_are_not(
    table: pd.DataFrame, third: str, as_size: bool
) -> None:
    names = ("macs", "accuracy", "params") if third == "params" else ("macs", "params", "accuracy")
    fronts = limited_fronts(table, names)
    at = len(fronts.limits) // 2
    figure = third_figure(table, fronts, as_size=as_size, start=at)
    axis = figure.layout.coloraxis
    scale = [(each[0], each[1]) for each in axis.colorscale]
    assert scale[0][0] == 0
    assert scale[-1][0] == 1
    cloud = figure.data[0]
    assert len(cloud.x) == MOST_POINTS
    value = table.set_index("arch_id")[third][list(cloud.customdata)].to_numpy()
    within = value >= fronts.limits[at] if third == "accuracy" else value <= fronts.limits[at]
    share = (np.array(cloud.marker.color) - axis.cmin) / (axis.cmax - axis.cmin)
    faint = [color_of(scale, s).startswith("rgba(138, 144, 155, 0.16") for s in share]
    np.testing.assert_array_equal(np.array(faint), ~within)
    members = figure.data[2]
    edge = members.marker.color[
        np.argmax(members.marker.color) if third == "params" else np.argmin(members.marker.color)
    ]
    assert not color_of(scale, (edge - axis.cmin) / (axis.cmax - axis.cmin)).startswith(
        "rgba(138, 144, 155, 0.16"
    )
    if as_size:
        assert np.corrcoef(np.log(value), cloud.marker.size)[0, 1] > 0.9


def test_what_is_only_predicted_is_hollow(table: pd.DataFrame) -> None:
    told = np.where(np.arange(len(table)) % 3 == 0, "measured", "predicted (model)")
    rows = table.assign(params_source=told)
    cloud = third_figure(rows, limited_fronts(rows, ("macs", "accuracy", "params"))).data[0]
    measured = set(rows["arch_id"][told == "measured"])
    assert [symbol == "circle" for symbol in cloud.marker.symbol] == [i in measured for i in cloud.customdata]
    plain = third_figure(table, limited_fronts(table, ("macs", "accuracy", "params"))).data[0]
    assert plain.marker.symbol is None


def color_of(scale: list[tuple[float, str]], share: float) -> str:
    """The color at the lower end of the piece of the scale that a value lies in."""
    return [color for at, color in scale if at <= share + 1e-12][-1]


def test_the_slider_changes_the_front_alone_and_every_step_is_complete(table: pd.DataFrame) -> None:
    fronts = limited_fronts(table, ("macs", "accuracy", "params"))
    figure = third_figure(table, fronts)
    [slider] = figure.layout.sliders
    for number, (step, members) in enumerate(zip(slider.steps, fronts.members, strict=True)):
        arrays, axis, changed = step.args
        assert list(changed) == [2]
        assert {len(arrays[key][0]) for key in ("x", "y", "customdata", "text", "marker.color")} == {
            len(members)
        }
        assert {text.rpartition("|")[2] for text in arrays["customdata"][0]} == {str(number)}
        assert arrays["selectedpoints"] == [None], "numbers of points would mean other subnets"
        assert axis["coloraxis.colorscale"][0][0] == 0
    first = str(table["arch_id"].iloc[fronts.members[-1][0]])
    made = with_selected(finished(figure), first, edition=3, end=SEPARATOR).to_dict()
    assert go.Figure(made).data[2].selectedpoints == (0,)
    assert made["layout"]["meta"] == 3
    assert "selectedpoints" not in made["data"][1]
    assert "selectedpoints" not in figure.to_dict()["data"][2], "the shared figure is left alone"
    assert figure.layout.coloraxis.colorscale[0][1] == sample_colorscale("Viridis", [0.18])[0]


def test_lines_are_within_the_ranges_and_the_selected_one_is_always_there(table: pd.DataFrame) -> None:
    view = parallel(SPACE, table, objectives(["accuracy", "macs"]))
    brushes = [Brush("c0", 1, 2)]
    chosen = next(i for i in table["arch_id"] if i[0] == "4")
    figure = parallel_figure(view, brushes, everything=True, selected=chosen)
    drawn = {trace.name: set(trace.customdata) for trace in figure.data if trace.customdata is not None}
    members = set(table["arch_id"][table["on_front"]])
    assert drawn["front"] == {i for i in members if i[0] in "12"}
    assert drawn["outside"] == {i for i in members if i[0] not in "12"}
    assert len(drawn["subnets"]) == MOST_LINES
    assert all(i[0] in "12" and i not in members for i in drawn["subnets"])
    assert drawn["selected"] == {chosen}
    line = next(trace for trace in figure.data if trace.name == "selected")
    assert list(line.x[:-1]) == list(range(len(view.axes)))
    assert np.isnan(line.x[-1])
    boxes = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(box.x0 + box.x1) / 2 for box in boxes] == [2]
    assert not parallel_figure(parallel(SPACE, table[:0], objectives(["accuracy"]))).data


def test_shares_are_the_cells_of_the_heatmaps(table: pd.DataFrame) -> None:
    goals = tuple(objectives(["accuracy", "macs"]))
    rows = SPACE.array()
    planted = np.stack([rows[:, 0] * rows[:, 5], rows[:, 1]], axis=1).astype(float)
    view = ImportanceView(goals, tuple(importance(SPACE, rows, planted[:, k]) for k in (0, 1)), ())
    cells = importance_figure(view).data[0]
    np.testing.assert_allclose(np.array(cells.z).sum(axis=0), 1)
    assert cells.z[1][1] == pytest.approx(1)
    pairs = np.array(pairs_figure(view, "accuracy").data[0].z, float)
    assert np.nanargmax(pairs) == 4 * 5, "the last choice with the first"
    assert np.isnan(pairs[0, 1])
    shared = [SharedOption("c0", "1", 0.25, 0.5), SharedOption("c0", "2", 0.75, 0.5)]
    bars, marks = shared_figure(shared).data
    assert (list(bars.x), list(marks.x)) == ([25, 75], [50, 50])


def test_each_front_has_marks_of_its_own_and_the_subnet_is_on_all(table: pd.DataFrame) -> None:
    view = by_objectives(table, ["macs", "params"], "accuracy")
    chosen = str(view.series[0].ids[view.series[0].members[2]])
    figure = several_figure(view, selected=chosen)
    one, other, selected = figure.data
    assert len({(trace.line.color, trace.line.dash, trace.marker.symbol) for trace in (one, other)}) == 2
    assert list(selected.customdata) == [f"macs|{chosen}", f"params|{chosen}"]
    at = list(one.customdata).index(f"macs|{chosen}")
    assert (one.x[at], one.y[at]) == (selected.x[0], selected.y[0])
    # Different units: percent of the largest.
    row = table.set_index("arch_id").loc[chosen]
    assert selected.x[0] == pytest.approx(100 * row["macs"] / table["macs"].max())
    assert selected.x[1] == pytest.approx(100 * row["params"] / table["params"].max())
    assert len(several_figure(view, selected="nothing").data) == 2


def test_ticks_of_many_axes_do_not_write_over_each_other() -> None:
    """Of an objective the ends, on three lines in turn; a dash for what is not there."""
    choices = [Choice("depth", (1, 2), "depth")]
    choices += [Choice(f"k{n}", (3, 5), "kernel", requires=("depth", (1,))) for n in range(30)]
    space = SearchSpace(choices)
    rows = space.sample_array(40, np.random.default_rng(0))
    values = np.arange(len(rows), dtype=float)
    frame = pd.DataFrame({"arch_id": space.arch_ids(rows)})
    names = ("macs", "params", "size_bytes", "accuracy")
    frame = frame.assign(**{name: values / len(rows) + 1 for name in names}).drop_duplicates("arch_id")
    shown = front(frame, ("macs", "accuracy"))
    view = parallel(space, shown.table, objectives(list(names)))
    ticks = next(trace for trace in parallel_figure(view).data if trace.name == "ticks")
    at = list(zip(ticks.x, ticks.y, strict=True))
    assert len(view.axes) > 24
    for k in range(4):
        assert sum(x == k for x, _ in at) == 2
    tops = [max(y for x, y in at if x == k) for k in range(3)]
    assert len(set(tops)) == 3
    assert not any("not" in text for text in ticks.text)
    assert "–" in {text.strip() for text in ticks.text}
