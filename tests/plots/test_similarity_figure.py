"""The heatmap: values, grey where there is none, an id under every click."""

from __future__ import annotations

import math

import numpy as np

from core.plots.similarity import HeatmapData, similarity_heatmap


def data(**changes: object) -> HeatmapData:
    values = np.array([[0.1, 0.2, math.nan], [0.4, 0.5, 0.6]])
    settings: dict = {
        "ids_a": ["0", "1.norm"],
        "ids_b": ["0", "1", "2"],
        "labels_a": ["stem", "block <1>"],
        "labels_b": ["stem", "a", "b"],
        "values": values,
        "null_mean": values * 0,
        "null_sd": values * 0 + 0.01,
        "reasons": {(0, 2): "Every unit of this layer is constant on these samples; " * 3},
        "units_a": [4, 8],
        "units_b": [4, 8, 16],
        "n": 99,
        "low": -0.1,
        "high": 1.0,
        "distance": False,
        "measure": "CKA",
    }
    return HeatmapData(**(settings | changes))


def test_every_cell_has_an_id_under_the_click() -> None:
    figure = similarity_heatmap(data(), title_a="A", title_b="B")
    click = figure.data[-1]
    assert [c[0] for c in click.customdata] == [f"{a}|{b}" for a in ("0", "1.norm") for b in ("0", "1", "2")]
    assert list(zip(click.x, click.y, strict=True)) == [(j, i) for i in (0, 1) for j in (0, 1, 2)]
    assert click.marker.opacity == 0


def test_a_cell_without_value_is_blank_and_crossed_out_and_says_why() -> None:
    figure = similarity_heatmap(data(), title_a="A", title_b="B")
    crosses = next(t for t in figure.data if t.name == "no value")
    assert (list(crosses.x), list(crosses.y)) == ([2], [0])
    assert crosses.marker.symbol == "x-thin"
    # The scale runs through gray, so nothing else of the figure may be filled where a value is missing.
    [values] = [t for t in figure.data if t.type == "heatmap"]
    assert not np.isfinite(np.array(values.z, float)[0, 2])
    text = figure.data[-1].hovertext[2]
    assert text.replace("<br>", " ").count("constant on these samples") == 3


def test_names_cannot_bring_tags() -> None:
    figure = similarity_heatmap(data(), title_a="<b>x", title_b="B")
    assert "block &lt;1&gt;" in figure.layout.yaxis.ticktext
    assert "<b>x" not in figure.layout.yaxis.title.text


def test_bright_is_alike_for_distances_too() -> None:
    distance = similarity_heatmap(data(distance=True, low=0.0, high=math.inf), title_a="A", title_b="B").data[
        0
    ]
    assert distance.reversescale
    assert distance.zmax == 0.6
    similarity = similarity_heatmap(data(), title_a="A", title_b="B").data[0]
    assert not similarity.reversescale
    assert (similarity.zmin, similarity.zmax) == (0, 1)


def test_the_selected_pair_is_outlined() -> None:
    figure = similarity_heatmap(data(), title_a="A", title_b="B", selected=("1.norm", "1"))
    assert figure.data[-1].selectedpoints == (4,)
    assert (
        similarity_heatmap(data(), title_a="A", title_b="B", selected=("9", "9")).data[-1].selectedpoints
        is None
    )
