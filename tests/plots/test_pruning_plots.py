"""Figures of pruning: an id under every click, gaps where nothing was measured, and no tags from names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from core.errors import InvalidInput
from core.plots.experiments import empty_figure, experiment_curves
from core.plots.pruning_collapse import accuracy_curves, collapse_by_sparsity
from core.plots.pruning_geometry import (
    MOST_ARROWS,
    LocalData,
    class_cosines,
    class_lines,
    fragility,
    local_bounds,
    local_geometry,
    parallel_angles,
)
from core.plots.pruning_map import benchmark_map, redundancy
from core.plots.pruning_table import TableData, evaluation_table

TAG = "<b>x"


def ids_of(trace: Any) -> list[str]:
    return [row[0] for row in trace.customdata]


def named(figure: go.Figure, name: str) -> Any:
    return next(t for t in figure.data if t.name == name)


def is_empty(figure: go.Figure) -> bool:
    return not figure.data and len(figure.layout.annotations) == 1 and bool(figure.layout.annotations[0].text)


def table(**changes: object) -> TableData:
    settings: dict[str, Any] = {
        "model_ids": ["p", "a", "b"],
        "row_labels": ["Parent", "Magnitude 50 %", TAG],
        "methods": ["parent", "Magnitude", "SNIP"],
        "benchmarks": ["clean", "fog@3"],
        "benchmark_labels": ["Clean", TAG],
        "values": np.array([[0.9, 0.8], [0.85, math.nan], [0.95, 0.5]]),
        "mean_errors": np.array([1.0, math.nan, 1.2]),
        "reasons": {(1, 1): "not enough <memory>"},
    }
    return TableData(**(settings | changes))


def test_table_has_an_id_under_every_cell_and_outlines_the_selected_one() -> None:
    figure = evaluation_table(table(), selected=("b", "fog@3"), compared="a")
    assert ids_of(figure.data[-1]) == [f"{m}|{b}" for m in "pab" for b in ("clean", "fog@3")]
    assert figure.data[-1].selectedpoints == (5,)
    assert figure.data[-1].marker.opacity == 0
    assert figure.layout.yaxis.ticktext[1].startswith("◆")
    assert "<b>Parent</b>" in figure.layout.yaxis.ticktext
    assert evaluation_table(table(), selected=("z", "clean")).data[-1].selectedpoints is None


def test_table_tells_the_difference_to_the_parent_and_why_a_value_is_missing() -> None:
    figure = evaluation_table(table())
    hover = figure.data[-1].hovertext
    assert "−5.0 points" in hover[2]
    assert "+5.0 points" in hover[4]
    assert "points" not in hover[0]
    assert "not enough &lt;memory&gt;" in hover[3]
    crosses = [t for t in figure.data if t.name == "no value"]
    assert [(list(t.x), list(t.y), t.xaxis) for t in crosses] == [([1], [1], None), ([0], [1], "x2")]
    written = {
        t.y[k]: t.text[k]
        for t in figure.data
        if t.name == "numbers" and t.xaxis == "x2"
        for k in range(len(t.y))
    }
    assert written == {0: "100", 2: "120"}
    assert named(figure, "mCE").reversescale


def test_table_without_mean_errors_has_no_such_column() -> None:
    figure = evaluation_table(table(mean_errors=np.full(3, math.nan)))
    assert "mCE" not in [t.name for t in figure.data]
    assert figure.layout.xaxis.domain == (0, 1)


def test_table_sets_the_parent_and_the_methods_apart_and_grows() -> None:
    assert len(evaluation_table(table()).layout.shapes) == 2
    many = 60
    large = table(
        model_ids=[str(k) for k in range(many)],
        row_labels=["r"] * many,
        methods=["m"] * many,
        values=np.zeros((many, 2)),
        mean_errors=np.ones(many),
        reasons={},
    )
    assert evaluation_table(large).layout.height == 1100
    assert evaluation_table(table()).layout.height == 300


def test_names_cannot_bring_tags() -> None:
    points = np.zeros((1, 2))
    figures = [
        evaluation_table(table()),
        benchmark_map(points, ["a|b"], [TAG], [TAG], [TAG], []),
        redundancy([TAG, "b"], np.zeros((2, 2)), [0, 1], [0, 1]),
        local_geometry(local(classes=[TAG, "b"]), title=TAG),
        class_lines([TAG], np.ones((1, 1)), [TAG], metric=TAG),
        parallel_angles(np.ones((2, 2)), np.array([0, 1]), np.ones(2), np.ones(2), [TAG, "b"]),
        class_cosines(np.eye(2), [TAG, "b"], TAG),
        fragility([TAG], [0.5], np.array([[1, 2]])),
        collapse_by_sparsity([TAG], [0.5], {TAG: np.ones((1, 1))}, {}),
        accuracy_curves([TAG], [0.5], np.ones((1, 1)), np.ones((1, 1)), 1.0),
        experiment_curves([TAG], [[0]], [[1]], [[1]], [[1]], x_label=TAG, y_label=TAG),
        empty_figure(TAG),
    ]
    for figure in figures:
        for trace in figure.data:
            # An id is never drawn; it may be anything.
            trace.customdata = None
        text = figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")
        assert TAG not in text
        assert "&lt;b&gt;x" in text.replace("\\u0026", "&")


def test_nothing_to_show_is_a_sentence() -> None:
    none, no_ids = np.zeros((0, 2)), np.zeros(0, int)
    assert is_empty(
        evaluation_table(
            table(model_ids=[], row_labels=[], methods=[], values=np.zeros((0, 2)), mean_errors=np.zeros(0))
        )
    )
    assert is_empty(benchmark_map(none, [], [], [], [], []))
    assert is_empty(redundancy([], np.zeros((0, 0)), [], []))
    assert is_empty(local_geometry(local(n=0), arrows=True))
    assert is_empty(class_lines([], np.zeros((0, 0)), [], metric="angle"))
    assert is_empty(parallel_angles(none, no_ids, np.zeros(0), np.zeros(0), ["a", "b"]))
    assert is_empty(
        parallel_angles(np.ones((2, 2)), np.array([0, 1]), np.ones(2), np.ones(2), ["a", "b"], shown=no_ids)
    )
    assert is_empty(class_cosines(np.ones((1, 1)), ["a"], "x"))
    assert is_empty(fragility([], [], np.zeros((0, 1), int)))
    assert is_empty(collapse_by_sparsity([], [0.5], {"nc1": np.zeros((0, 1))}, {}))
    assert is_empty(accuracy_curves([], [], none, none, math.nan))
    assert is_empty(experiment_curves([], [], [], [], [], x_label="x", y_label="y"))


def test_signatures_are_points_over_their_tree() -> None:
    points = np.array([[0.0, 0], [1, 0], [2, 1]])
    figure = benchmark_map(
        points,
        ["a|clean", "b|fog", "a|fog"],
        ["A", "B", "A"],
        ["Magnitude", "SNIP", "Magnitude"],
        ["clean", "weather", "weather"],
        [(0, 1), (1, 2)],
        selected="b|fog",
    )
    assert figure.data[0].x == (0, 1, None, 1, 2, None)
    assert figure.data[0].hoverinfo == "skip"
    clickable = {ids_of(t)[0]: t for t in figure.data if t.customdata is not None}
    assert sorted(i for t in clickable.values() for i in ids_of(t)) == ["a|clean", "a|fog", "b|fog"]
    assert clickable["b|fog"].marker.symbol[0] != clickable["b|fog"].marker.symbol[1]
    assert clickable["a|clean"].marker.size > clickable["b|fog"].marker.size
    assert [float(v) for v in figure.data[-1].x] == [1.0]
    assert not len(benchmark_map(points[:1], ["a|clean"], ["A"], ["m"], ["clean"], []).data[-1].x)


def test_redundancy_frames_every_cluster_in_the_order_given() -> None:
    distance = np.array([[0, 0.9, 0.1], [0.9, 0, math.nan], [0.1, math.nan, 0]])
    figure = redundancy(["a", "b", "c"], distance, [0, 2, 1], [1, 2, 1])
    assert figure.layout.xaxis.ticktext == ("a", "c", "b")
    assert np.array(figure.data[0].z, float)[0].tolist() == pytest.approx([1, 0.9, 0.1])
    assert [(s.x0, s.x1) for s in figure.layout.shapes] == [(-0.5, 1.5), (1.5, 2.5)]
    assert "not known" in figure.data[0].hovertext[1][2]


def local(n: int = 300, **changes: object) -> LocalData:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=n)
    settings: dict[str, Any] = {
        "ids": np.arange(n) + 1000,
        "angle": rng.uniform(10, 80, n),
        "norm": rng.uniform(1, 9, n),
        "margin": margin,
        "correct": margin > 0,
        "y": np.zeros(n, int),
        "predicted": np.where(margin > 0, 0, 1),
        "rival": np.ones(n, int),
        "probability": rng.uniform(size=n),
        "classes": ["cat", "dog"],
        "parent_angle": rng.uniform(10, 80, n),
        "parent_norm": rng.uniform(1, 9, n),
        "parent_margin": rng.normal(size=n),
    }
    return LocalData(**(settings | changes))


def test_local_geometry_has_every_sample_once_with_its_id() -> None:
    data = local()
    figure = local_geometry(data, selected=[1000, "1005"], edition=3)
    right, wrong = figure.data[:2]
    assert (right.marker.symbol, wrong.marker.symbol) == ("circle", "x")
    assert sorted(ids_of(right) + ids_of(wrong)) == [str(i) for i in data.ids]
    assert sorted([ids_of(t)[k] for t in (right, wrong) for k in t.selectedpoints]) == ["1000", "1005"]
    assert figure.layout.meta == {"edition": 3}
    assert figure.layout.dragmode == "select"
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert local_geometry(data).data[0].selectedpoints is None


def test_ways_from_the_parent_are_one_trace_of_the_largest_changes() -> None:
    data = local()
    assert data.parent_margin is not None
    figure = local_geometry(data, arrows=True)
    ways, starts = figure.data[:2]
    assert len(ways.x) == 3 * MOST_ARROWS
    assert np.isnan(np.array(ways.x)[2::3]).all()
    assert not len(figure.layout.annotations)
    largest = np.argmax(np.abs(data.margin - data.parent_margin))
    assert data.parent_angle is not None
    assert starts.x[0] == data.parent_angle[largest]
    alone = local_geometry(local(parent_angle=None, parent_norm=None, parent_margin=None), arrows=True)
    assert alone.data[0].name == "right"


def test_two_charts_share_their_ranges() -> None:
    a, b = local(), local(n=40, norm=np.full(40, 30.0))
    bounds = local_bounds(a, b)
    figures = [local_geometry(d, bounds=bounds) for d in (a, b)]
    assert figures[0].layout.yaxis.range == figures[1].layout.yaxis.range
    assert figures[0].layout.yaxis.range[1] > 30
    assert figures[0].layout.coloraxis.cmax == figures[1].layout.coloraxis.cmax
    assert local_bounds().angle == (0.0, 90.0)


def test_values_without_a_number_do_not_break_the_ranges() -> None:
    margin = np.array([math.nan, math.inf, 1.0, -2.0])
    data = local(n=4, margin=margin, correct=margin > 0, angle=np.array([math.nan, 10, 20, 30]))
    figure = local_geometry(data, arrows=True)
    assert all(math.isfinite(v) for v in figure.layout.xaxis.range)
    assert math.isfinite(figure.layout.coloraxis.cmax)


def test_class_lines_leave_out_what_is_missing() -> None:
    figure = class_lines(["a", "b"], np.array([[1.0, 2.0], [3.0, math.nan]]), ["P", "Q"], metric="angle")
    assert figure.data[0].x == (1.0, 3.0, None)
    assert ids_of(figure.data[1]) == ["0", "1"]
    assert ids_of(figure.data[2]) == ["0"]


def test_parallel_angles_have_three_axes_more_than_classes() -> None:
    rng = np.random.default_rng(0)
    angles, y = rng.uniform(0, 180, (20, 4)), np.arange(20) % 4
    margin = rng.normal(size=20)
    margin[0] = math.nan
    figure = parallel_angles(angles, y, margin, np.ones(20), list("abcd"), shown=np.arange(10))
    dimensions = figure.data[0].dimensions
    assert [d.label for d in dimensions] == ["a", "b", "c", "d", "own class", "norm", "margin"]
    assert len(dimensions[0]["values"]) == 9
    assert np.allclose(dimensions[4]["values"], angles[np.arange(1, 10), y[1:10]])
    assert len({tuple(d.range) for d in dimensions[:5]}) == 1


def test_parallel_angles_refuse_more_than_twelve_classes() -> None:
    twelve = [str(k) for k in range(12)]
    y = np.array([0])
    assert parallel_angles(np.ones((1, 12)), y, np.ones(1), np.ones(1), twelve).data
    with pytest.raises(InvalidInput, match="12"):
        parallel_angles(np.ones((1, 13)), y, np.ones(1), np.ones(1), [*twelve, "12"])


def test_class_cosines_name_their_target() -> None:
    cosines = np.full((5, 5), -0.25)
    cosines[2] = cosines[:, 2] = math.nan
    figure = class_cosines(cosines, list("abcde"), "A")
    assert "−0.25" in figure.layout.title.subtitle.text
    assert figure.layout.title.text == "A"
    assert int(np.isfinite(np.array(figure.data[0].z, float)).sum()) == 12
    assert math.isfinite(figure.data[0].zmax)


def test_fragility_adds_up_to_all_samples() -> None:
    figure = fragility(["A", "B"], [0, 0.5], np.array([[5, 10, 85], [0, 0, 0]]))
    assert [t.name for t in figure.data] == ["before pruning", "50 %", "never"]
    assert [t.x[0] for t in figure.data] == [5, 10, 85]
    assert [t.x[1] for t in figure.data] == [0, 0, 0]
    assert ids_of(figure.data[1]) == ["A|0.5", "B|0.5"]


def test_collapse_has_a_panel_per_measure() -> None:
    values = {k: np.ones((3, 2)) for k in ("nc1", "nc2_angle", "nc3", "nc4")}
    values["nc1"] = np.array([[0.0, 1], [math.nan, 2], [1, 1]])
    figure = collapse_by_sparsity(list("abc"), [0.5, 0.9], values, {"nc1": 0.1, "nc4": math.nan})
    assert len(figure.data) == 12
    assert [figure.data[k].y[0] for k in range(2)] == [None, None]
    assert sum(bool(t.showlegend) for t in figure.data) == 3
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis4.type == "linear"
    assert figure.data[-1].y[0] == 100
    assert len(figure.layout.shapes) == 1
    parent = next(a for a in figure.layout.annotations if a.text == "parent")
    assert parent.y == pytest.approx(-1)
    assert ids_of(figure.data[0]) == ["a|0.5", "a|0.9"]


def test_accuracy_curves_select_models_and_ring_one() -> None:
    zero, tuned = np.array([[0.5, 0.1], [0.4, 0.2]]), np.array([[0.9, 0.8], [math.nan, 0.7]])
    ids = [["a1", "a2"], ["b1", None]]
    figure = accuracy_curves(["A", "B"], [0.5, 0.9], zero, tuned, 0.95, ids=ids, selected="b1")
    dotted, solid = figure.data[0], figure.data[1]
    assert (dotted.line.dash, solid.line.dash) == ("dot", None)
    assert dotted.line.color == solid.line.color
    assert ids_of(dotted) == ids_of(solid) == ["a1", "a2"]
    assert figure.data[3].y == (None, 70)
    assert ids_of(figure.data[3]) == ["b1", ""]
    # It was not fine-tuned: the ring is around what pruning left.
    assert (figure.data[-1].x, figure.data[-1].y) == ((0.0,), (40.0,))
    assert figure.layout.xaxis.ticktext == ("50 %", "90 %")
    assert figure.layout.shapes[0].y0 == 95


def test_experiment_bands_stop_at_gaps() -> None:
    mean = np.array([0.1, 0.2, math.nan, 0.4])
    figure = experiment_curves(
        ["ticket"],
        [np.arange(4)],
        [mean],
        [mean - 0.05],
        [mean + 0.05],
        x_label="Epoch",
        y_label="Accuracy",
        percent=True,
        reached=0.3,
    )
    band, line = figure.data
    assert band.x == (0, 1, 1, 0, None, 3, 3, None)
    assert line.y == (10, 20, None, 40)
    assert ids_of(line) == ["ticket"] * 4
    assert figure.layout.shapes[0].y0 == 30
    assert not len(experiment_curves(["a"], [[0]], [[1]], [[1]], [[1]], x_label="", y_label="").layout.shapes)


def test_the_same_input_gives_the_same_figure() -> None:
    assert evaluation_table(table()).to_json() == evaluation_table(table()).to_json()
    assert local_geometry(local(), arrows=True).to_json() == local_geometry(local(), arrows=True).to_json()


def test_a_samples_margins_start_at_the_parent_and_cross_the_boundary() -> None:
    from core.plots.pruning_samples import margin_lines

    figure = margin_lines(["a", "b<b>"], [0.5, 0.9], np.array([[0.4, -0.2], [math.nan, 0.1]]), parent=0.6)
    assert [t.y[0] for t in figure.data] == [0.6, 0.6]
    assert figure.data[1].y[1] is None
    assert "<b>" not in figure.data[1].name
    assert figure.layout.xaxis.ticktext[0] == "unpruned"
    assert len(figure.layout.shapes) == 1
    assert not margin_lines([], [], np.zeros((0, 0)), parent=0.0).data


def test_an_occlusion_map_lies_over_its_image() -> None:
    from core.plots.pruning_samples import occlusion_figure

    loss = np.array([[0.0, 1.0], [-2.0, 0.5]])
    for channels in (1, 3):
        figure = occlusion_figure(np.full((channels, 4, 6), 0.5, np.float32), loss)
        image, heat = figure.data
        assert np.shape(image.z) == (4, 6, 3)
        assert (heat.zmin, heat.zmax) == (-2, 2)
        assert list(heat.x) == [1.5, 4.5]
        assert list(heat.y) == [1.0, 3.0]
    assert occlusion_figure(np.zeros((1, 2, 2), np.float32), np.zeros((2, 2))).data[1].zmax == 1.0


def test_the_margin_can_go_up_instead_of_the_norm() -> None:
    data = local()
    figure = local_geometry(data, vertical="margin", arrows=True)
    drawn = [t for t in figure.data if t.customdata is not None]
    assert sorted(y for t in drawn for y in t.y) == pytest.approx(sorted(data.margin))
    assert figure.layout.yaxis.title.text == "Margin"
