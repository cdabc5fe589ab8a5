"""Colors: what is drawn stands out from both pages, what is written on a cell can be read, no two curves look alike."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.colors import sample_colorscale, unlabel_rgb

from core.plots import experiments, style
from core.plots.curves import hypervolume_figure
from core.plots.diagram import _FILLS
from core.plots.numbers import BLACK, CellColors, add_numbers, contrast, ink

THEME = tomllib.loads((Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text())[
    "theme"
]
PAGES = [THEME[name]["backgroundColor"] for name in ("light", "dark")]
NAMED = {name: getattr(style, name) for name in dir(style) if name.isupper()}
ONE = {name: color for name, color in NAMED.items() if isinstance(color, str) and color.startswith("#")}


def rgb(color: str) -> tuple[float, float, float]:
    if color.startswith("#"):
        return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
    return tuple(unlabel_rgb(color))


@pytest.mark.parametrize("page", PAGES)
def test_all_colors_stand_out_from_the_page(page: str) -> None:
    drawn = {*ONE.values(), *style.CATEGORICAL, *experiments.COLORS, *_FILLS.values()}
    assert len(drawn) > 10
    faint = {color: contrast(rgb(color), rgb(page)) for color in drawn}
    assert {color: found for color, found in faint.items() if found < 3} == {}
    assert set(THEME["chartCategoricalColors"]) <= set(style.CATEGORICAL)


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white is 21; #767676 is the lightest grey that reads on white (4.54)."""
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x76,) * 3, (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("colorscale", ["Cividis", "RdBu", "Viridis", "Greys"])
@pytest.mark.parametrize("reverse", [False, True])
def test_numbers_read_on_every_cell_of_a_scale(colorscale: str, reverse: bool) -> None:
    colors = CellColors(-1, 3, colorscale, reverse)
    for value in np.linspace(-1.5, 3.5, 101):
        share = float(np.clip((value + 1) / 4, 0, 1))
        [cell] = sample_colorscale(colorscale, [1 - share if reverse else share])
        assert contrast(rgb(colors.ink(value)), rgb(cell)) >= 4.5


def test_ink_takes_both_ways_of_writing_a_color() -> None:
    assert ink("#FFFFFF") == ink("rgb(255, 255, 255)") == BLACK
    assert ink("#000080") == ink("rgb(0, 0, 128)") == "#FFFFFF"


def test_numbers_stand_on_their_cells_and_do_not_fade() -> None:
    figure, values = go.Figure(), np.array([[0.0, np.nan], [1.0, 0.2]])
    add_numbers(figure, values, [["a", "b"], ["c", ""]], CellColors(0, 1, "Cividis"))
    places = {(t.x[k], t.y[k], t.text[k]) for t in figure.data for k in range(len(t.text))}
    assert places == {(0, 0, "a"), (0, 1, "c")}, "no value, no number"
    for trace in figure.data:
        assert trace.unselected.textfont.color == trace.textfont.color
        assert trace.hoverinfo == "skip"
    nothing = go.Figure()
    add_numbers(nothing, np.full((1, 1), np.nan), [["x"]], CellColors(0, 1, "Cividis"))
    assert len(nothing.data) == 0


def test_no_two_of_thirty_two_curves_look_alike() -> None:
    figure = hypervolume_figure({f"run {k}": [1.0, 2.0] for k in range(32)})
    looks = {(trace.line.color, trace.line.dash) for trace in figure.data}
    assert len(looks) == 32


def test_the_themes_texts_read_on_their_grounds() -> None:
    for name in ("light", "dark"):
        colors = THEME[name]
        for ground in ("backgroundColor", "secondaryBackgroundColor"):
            for text in ("textColor", "linkColor"):
                assert contrast(rgb(colors[text]), rgb(colors[ground])) >= 4.5, (name, text, ground)
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in PAGES)
