"""The similarity matrix: square, an id pair under every click, blank and crossed out where there is no value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from core.plots.similarity_matrix import MatrixData, matrix_figure

DATA = MatrixData(
    ids=["a:1:2", "b:1:2", "c:1:2"],
    names=["<b>a", "b", "c"],
    titles=["<b>long a", "long b", "long c"],
    values=np.array([[1.0, 0.5, math.nan], [0.5, 1.0, 0.7], [math.nan, 0.7, 1.0]]),
    reasons={(0, 2): "constant <here>", (2, 0): "constant <here>"},
    low=-math.inf,
    high=1.0,
    distance=False,
    measure="CKA",
)


def test_a_click_names_row_and_column() -> None:
    figure = matrix_figure(DATA)
    click = figure.data[-1]
    at = {(y, x): c[0] for x, y, c in zip(click.x, click.y, click.customdata, strict=True)}
    assert at[0, 1] == "a:1:2|b:1:2"
    assert at[2, 1] == "c:1:2|b:1:2"
    assert len(at) == 9
    assert "0.500" in click.hovertext[1]
    assert "no value: constant &lt;here&gt;" in click.hovertext[2]
    assert "<b>long a" not in "".join(click.hovertext)
    assert figure.layout.xaxis.ticktext[0] == figure.layout.yaxis.ticktext[0] == "&lt;b&gt;a"
    # The first network stands on top.
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_a_missing_value_is_a_cross_on_blank() -> None:
    [crosses] = [t for t in matrix_figure(DATA).data if t.name == "no value"]
    assert sorted(zip(crosses.x, crosses.y, strict=True)) == [(0, 2), (2, 0)]


def test_the_scale_spans_the_pairs_of_different_networks() -> None:
    values = matrix_figure(DATA).data[0]
    assert (values.zmin, values.zmax) == (0.5, 0.7)
    near = np.full((3, 3), 0.9) + 0.001 * np.arange(9).reshape(3, 3)
    flat = matrix_figure(replace(DATA, values=near)).data[0]
    assert flat.zmax - flat.zmin == pytest.approx(0.02), "noise is not drawn as a difference"
    top = matrix_figure(replace(DATA, values=np.full((3, 3), 0.999))).data[0]
    assert top.zmax == 1.0
    assert matrix_figure(replace(DATA, distance=True)).data[0].reversescale


def test_forty_names_have_room() -> None:
    n = 40
    ids, names = [f"x:{k}:0" for k in range(n)], [f"n{k}" for k in range(n)]
    many = replace(DATA, ids=ids, names=names, titles=["t"] * n, values=np.ones((n, n)), reasons={})
    figure = matrix_figure(many, caption="measured so")
    assert figure.layout.height / n > 17
    assert len(figure.layout.yaxis.tickvals) == n
    assert not [t for t in figure.data if t.name == "numbers"]
    assert figure.layout.annotations[0].text == "measured so"
    assert not matrix_figure(replace(DATA, ids=[], values=np.zeros((0, 0)))).data
