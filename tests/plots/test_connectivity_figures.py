"""Figures of mixing weights, by their traces."""

from __future__ import annotations

import numpy as np

from core.plots.connectivity import barrier_figure, plane_figure, stage_figure


def test_a_line_per_curve_and_the_straight_one() -> None:
    curves = {"as they are": ([0, 0.5, 1], [0.1, 0.9, 0.2]), "matched": ([0, 0.5, 1], [0.1, 0.15, 0.2])}
    figure = barrier_figure(curves, accuracy=False, title_a="<a>", title_b="b")
    assert [t.name for t in figure.data] == ["as they are", "matched", "no barrier"]
    assert list(figure.data[2].y) == [0.1, 0.2]
    assert "&lt;a&gt;" in figure.layout.xaxis.ticktext[0]


def test_accuracies_are_percent() -> None:
    figure = barrier_figure({"x": ([0, 1], [0.5, 0.75])}, accuracy=True, title_a="a", title_b="b")
    assert list(figure.data[0].y) == [50, 75]


def test_one_bar_per_stage_and_matching() -> None:
    figure = stage_figure({"none": [0.1, 0.2], "weights": [0.0, 0.1]}, ["stem", "head"])
    assert [list(t.y) for t in figure.data] == [[0.1, 0.2], [0.0, 0.1]]
    assert list(figure.data[0].x) == ["stem", "head"]


def test_the_plane_marks_its_networks() -> None:
    grid = np.linspace(0, 1, 4)
    values = np.outer(grid, grid)
    values[-1, -1] = 1e9
    corners = np.array([[0, 0], [1, 0], [0.3, 0.8]])
    figure = plane_figure(grid, grid, values, corners, accuracy=False)
    assert np.max(figure.data[0].z) < 1e9, "one huge loss must not flatten the picture"
    assert list(figure.data[1].text) == ["A", "B", "C"]
    assert np.array_equal(figure.data[1].x, corners[:, 0])
