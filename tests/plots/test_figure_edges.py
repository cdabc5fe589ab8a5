"""Figures at their edges: nothing to draw, numbers that are missing, names that are hostile, texts above axes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import words
from core.objectives.base import OBJECTIVES, objective
from core.plots import style
from core.plots.connectivity import barrier_figure, plane_figure, stage_figure
from core.plots.curves import hypervolume_figure
from core.plots.experiments import COLORS, experiment_curves, gaps
from core.plots.finished import finished
from core.plots.front import MOST_POINTS, front_figure
from core.plots.maps import model_map
from core.plots.matching import sorted_match
from core.plots.pictures import data_uri, image_strip
from core.plots.task_geometry import cosine_figure, decodability_figure, depth_figure
from core.text import display_name
from core.words import format_tick

TAG = "<img src=x onerror=1>$x$"
MACS, ACCURACY = objective("macs"), objective("accuracy")


def drawn_text(figure: go.Figure) -> str:
    """All that a browser draws, without the ids."""
    for trace in figure.data:
        trace.customdata = None
    text = figure.to_json()
    for code, sign in (("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&")):
        text = text.replace(code, sign)
    return text


def test_hostile_names_are_drawn_as_text() -> None:
    line, points = ([0, 1], [0.1, 0.2]), np.zeros((2, 2))
    for figure in (
        barrier_figure({TAG: line}, accuracy=True, title_a=TAG, title_b=TAG),
        stage_figure({TAG: [0.1]}, [TAG]),
        hypervolume_figure({TAG: [1.0]}, ceiling=2),
        model_map(points, ["a", "b"], [TAG, TAG], [TAG, "x"], label=TAG, named={"a": TAG}),
        model_map(points, ["a", "b"], [TAG, TAG], [1.0, math.nan], label=TAG, named={"b": TAG}),
        depth_figure({"m": [("0", TAG, 0.1, 0.2)]}, baseline=0.1, titles={"m": TAG}),
        decodability_figure({TAG: ([TAG], [0.5])}, chance=0.1),
        cosine_figure(np.eye(2), [TAG, "b"], title=TAG),
    ):
        text = drawn_text(figure)
        assert "<img" not in text
        assert "$x" not in text
        assert "&lt;img" in text


def test_nothing_is_drawn_of_nothing() -> None:
    assert len(barrier_figure({}, accuracy=False, title_a="a", title_b="b").data) == 0
    assert len(stage_figure({}, []).data) == 0
    assert len(hypervolume_figure({}).data) == 0
    assert [list(t.x) for t in hypervolume_figure({}, ceiling=2.0).data] == [[1, 1]]
    assert [len(t.x) for t in sorted_match([], [], 0.1).data] == [0, 0, 2]
    assert len(model_map(np.zeros((0, 2)), [], [], [], label="x").data) == 0
    assert len(depth_figure({}, baseline=0.5, titles={}).data) == 0
    assert image_strip(np.zeros((0, 1, 2, 2), np.float32), []) == '<div class="ps-pictures"></div>'


def test_one_class_or_a_class_without_samples_has_a_scale() -> None:
    cosines = np.array([[1, -0.5, math.nan], [-0.5, 1, math.nan], [math.nan, math.nan, 1]])
    for shown, classes in ((np.ones((1, 1)), ["a"]), (cosines, ["a", "b", "c"])):
        trace = cosine_figure(shown, classes, title="t").data[0]
        assert math.isfinite(trace.zmin)
        assert trace.zmin < trace.zmax


@pytest.mark.parametrize("accuracy", [True, False])
def test_the_straight_line_joins_the_ends_of_the_first_curve(accuracy: bool) -> None:
    curves = {"first": ([0, 0.5, 1], [0.2, 0.9, 0.4]), "second": ([0, 1], [1.0, 1.0])}
    figure = barrier_figure(curves, accuracy=accuracy, title_a="a", title_b="b")
    factor = 100 if accuracy else 1
    assert list(figure.data[-1].y) == pytest.approx([0.2 * factor, 0.4 * factor])
    assert ("%" in figure.data[0].hovertemplate.split("%{y:.3f}")[1]) == accuracy
    assert len({t.marker.symbol for t in figure.data[:2]}) == 2


def test_accuracies_on_a_plane_are_drawn_whole_and_losses_are_cut() -> None:
    grid = np.linspace(0, 1, 5)
    values = np.arange(25.0).reshape(5, 5) / 24
    corners = np.array([[0, 0], [1, 0], [0.5, 1]])
    bright = plane_figure(grid, grid, values, corners, accuracy=True).data[0]
    dark = plane_figure(grid, grid, values, corners, accuracy=False).data[0]
    assert np.allclose(bright.z, values * 100)
    assert np.max(dark.z) == pytest.approx(np.percentile(values, 90))
    assert (bright.reversescale, dark.reversescale) == (False, True)


@given(values=st.lists(st.floats() | st.integers(-5, 5), max_size=12))
def test_what_is_not_finite_becomes_a_gap(values: list[float]) -> None:
    found = gaps(values)
    assert len(found) == len(values)
    for given_value, drawn in zip(values, found, strict=True):
        assert drawn == (float(given_value) if math.isfinite(given_value) else None)
    json.dumps(found, allow_nan=False)


@given(value=st.floats(0, 1))
def test_a_share_reads_back(value: float) -> None:
    assert float(format_tick(value).removesuffix(" %")) == pytest.approx(100 * value, rel=1e-3, abs=1e-9)


@pytest.mark.slow
@given(known=st.lists(st.booleans(), min_size=1, max_size=9))
def test_the_band_of_seeds_is_closed_over_every_stretch_and_open_at_gaps(known: list[bool]) -> None:
    low = np.where(known, 0.2, math.nan)
    mean, high, x = low + 0.1, low + 0.3, np.arange(2, 2 + len(known), dtype=float)
    figure = experiment_curves(["c"], [x], [mean], [low], [high], x_label="x", y_label="y")
    if not any(known):
        assert not figure.data
        return
    band, line = figure.data
    stretches, current = [], []
    for at, height in zip(band.x, band.y, strict=True):
        if at is None:
            stretches.append(current)
            current = []
        else:
            current.append((at, height))
    assert current == []
    covered = sorted(at for outline in stretches for at, _ in outline)
    assert covered == sorted(2 * [at for at, there in zip(x, known, strict=True) if there])
    for outline in stretches:
        half = len(outline) // 2
        assert [at for at, _ in outline[:half]] == [at for at, _ in outline[half:]][::-1]
        assert {round(h, 9) for _, h in outline[:half]} == {0.5}
        assert {round(h, 9) for _, h in outline[half:]} == {0.2}
        assert np.diff([at for at, _ in outline[:half]]).tolist() == [1.0] * (half - 1), "no gap inside"
    assert [v is None for v in line.y] == [not there for there in known]


@pytest.mark.parametrize(
    ("x", "ticks", "unit"),
    [
        ([1, 2, 3], [1, 2, 3], ""),
        ([0.1, 0.5], None, " %"),
        ([1, 1.5], None, ""),
        (range(30), None, ""),
    ],
)
def test_counted_things_have_whole_ticks_and_shares_are_percent(x: Any, ticks: Any, unit: str) -> None:
    y = [np.linspace(0, 1, len(x))]
    figure = experiment_curves(["c"], [list(x)], y, y, y, x_label="x", y_label="y", percent=True, reached=0.5)
    axis = figure.layout.xaxis
    assert (None if axis.tickvals is None else list(axis.tickvals), axis.ticksuffix) == (ticks, unit)
    assert figure.data[1].x[-1] == pytest.approx(list(x)[-1] * (100 if unit else 1))
    assert figure.layout.shapes[0].y0 == 50
    assert figure.data[1].y[-1] == 100


def test_more_conditions_than_colors_differ_by_dash_or_symbol() -> None:
    n = 2 * len(COLORS)
    one = [np.array([0.5])] * n
    lines = experiment_curves(
        [str(k) for k in range(n)], [[1]] * n, one, one, one, x_label="", y_label=""
    ).data[1::2]
    looks = {(t.line.color, t.line.dash, t.marker.symbol) for t in lines}
    assert len(looks) == n
    assert [t.customdata[0][0] for t in lines] == [str(k) for k in range(n)]


def table(n: int, n_front: int) -> pd.DataFrame:
    values = np.linspace(0.1, 0.9, n)
    ids = [f"s{k}" for k in range(n)]
    return pd.DataFrame(
        {"arch_id": ids, "macs": values * 1e6, "accuracy": values, "on_front": np.arange(n) < n_front}
    )


@pytest.mark.slow
@given(n=st.integers(0, 40), n_front=st.integers(0, 40), limit=st.integers(0, 30))
def test_thinning_keeps_the_whole_front_and_the_clouds_ends(n: int, n_front: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.plots.front.MOST_POINTS", limit)
        rows = table(n, n_front)
        cloud, front = front_figure(rows, MACS, ACCURACY).data
    assert set(front.customdata) == set(rows["arch_id"][:n_front])
    every = list(rows["arch_id"][n_front:])
    room = max(limit - len(front.x), 0)
    assert len(cloud.x) == (len(every) if len(every) <= room else max(room, 1))
    assert len(set(cloud.customdata)) == len(cloud.x)
    assert not every or cloud.customdata[0] == every[0]
    assert len(every) > room or list(cloud.customdata) == every
    assert room < 2 or not every or cloud.customdata[-1] == every[-1]
    assert MOST_POINTS > 1000


def test_knees_are_marked_only_on_the_front_and_let_clicks_through() -> None:
    figure = front_figure(table(10, 4), MACS, ACCURACY, knees=["s1", "s8", "unknown"])
    [knee] = [t for t in figure.data if t.name == "knee"]
    assert list(knee.x) == [table(10, 4)["macs"][1]]
    assert knee.hoverinfo == "skip"
    assert knee.customdata is None
    assert "knee" not in [t.name for t in front_figure(table(10, 4), MACS, ACCURACY, knees=["s8"]).data]


def test_a_ghost_without_origin_is_a_single_star() -> None:
    figure = front_figure(table(3, 1), MACS, ACCURACY, what_if={"macs": 5.0, "accuracy": 0.5}, line=False)
    ghost = figure.data[-1]
    assert (list(ghost.x), list(ghost.y), list(ghost.marker.symbol)) == ([5.0], [50.0], ["star-open"])
    assert figure.data[1].mode == "markers"


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_objective_has_one_noun_one_unit_and_a_direction(name: str) -> None:
    one = objective(name)
    label, title = words.column_label(one), words.axis_title(one)
    assert label.startswith(one.label)
    assert label.count("(") - one.label.count("(") <= 1
    assert title == f"{label}  ·  {'more' if one.maximize else 'less'} is better"
    form = words.table_format(one)
    if form != "localized":
        digits = max(one.shown.digits + 1, one.shown.fine_digits or 0)
        assert len((form % 1.23456789).partition(".")[2]) == digits
    scale = style.scale(one)
    assert scale.factor == one.shown.factor
    # "12 kB": after a prefix the unit follows at once.
    assert scale.suffix == (
        one.shown.symbol if one.shown.prefixes or not one.shown.symbol else f" {one.shown.symbol}"
    )


@given(size=st.floats(1, 1e14))
def test_a_size_has_three_digits_and_is_the_size(size: float) -> None:
    number, unit = words.format_bytes(size).split(" ")
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert float(number) * factor == pytest.approx(size, rel=0.006)
    assert "e" not in number
    assert 1 <= float(number) < 1000


@given(seconds=st.floats(-10, 1e7))
def test_a_duration_reads_back(seconds: float) -> None:
    parts_of = words.format_seconds(seconds).split(" ")
    parts = {unit: int(number) for number, unit in zip(parts_of[::2], parts_of[1::2], strict=True)}
    total = parts.get("h", 0) * 3600 + parts.get("min", 0) * 60 + parts.get("s", 0)
    whole = max(round(seconds), 0)
    assert total == (whole if whole < 3600 else whole // 60 * 60)
    assert parts.get("s", 0) < 60
    assert "h" not in parts or parts["min"] < 60


def test_thousands_are_separated_and_the_unknown_is_nothing() -> None:
    assert words.format_count(1234567) == "1,234,567"
    for unknown in (None, math.nan, math.inf):
        assert words.format_seconds(unknown) == ""


def test_whoever_changes_the_answer_of_a_finished_figure_changes_only_his() -> None:
    figure = finished(front_figure(table(4, 2), MACS, ACCURACY))
    first = figure.to_dict()
    first["layout"] = {}
    assert figure.to_dict()["layout"] != {}
    assert figure.to_dict()["data"][0]["customdata"] == ["s2", "s3"]


@given(pixels=st.lists(st.floats(-1, 2), min_size=4, max_size=4), channels=st.integers(1, 5))
def test_pixels_are_rounded_and_cut_to_what_a_picture_holds(pixels: list[float], channels: int) -> None:
    import base64
    import io

    from PIL import Image

    image = np.stack([np.array(pixels, np.float32).reshape(2, 2)] * channels)
    kind, _, code = data_uri(image).partition(",")
    assert kind == "data:image/png;base64"
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(code))))
    assert shown.shape == ((2, 2) if channels < 3 else (2, 2, 3))
    expected = np.clip(np.round(np.clip(image[0], 0, 1) * 255), 0, 255)
    assert np.array_equal(shown if channels < 3 else shown[..., 0], expected)


def test_a_strip_wants_a_caption_for_every_image() -> None:
    with pytest.raises(ValueError, match="shorter"):
        image_strip(np.zeros((2, 1, 2, 2), np.float32), ["one"])
    quoted = image_strip(np.zeros((1, 1, 2, 2), np.float32), ['" onload="x' + "y" * 99], marked=[True, True])
    assert 'alt="&quot; onload=&quot;x' in quoted
    assert display_name('" onload="x' + "y" * 99, 40)[-5:] in quoted
