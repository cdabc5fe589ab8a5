"""Figures for papers: vectors alone, fonts inside, a column's width, and a caption that says what was measured."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib

import numpy as np
import pandas as pd
import pytest

from core.library import supernets
from core.library.fronts import front
from core.objectives.base import objective
from core.papers import base
from core.papers.base import COLUMNS, Layout, PaperFigure
from core.papers.curves import Curve, curves_paper
from core.papers.front import front_paper
from core.papers.heatmap import heatmap_paper
from core.plots.similarity import HeatmapData

CAPTION = (
    "digits-cnn 000000000000 (smallest); 13,824 subnets, the whole space; seed 0; 311131113111 311131113111 311131113111 "
    "222222222222. Validation accuracy: measured on validation data."
)
X, Y = objective("macs"), objective("accuracy")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    found = supernets.table_with_counts(supernets.find(None, "digits-cnn"))
    assert found is not None
    return front(found, ("macs", "accuracy")).table


def drawn(kind: str, layout: Layout, table: pd.DataFrame) -> PaperFigure:
    if kind == "front":
        marked = {"311131113111": "largest $x$ <b>"}
        return front_paper(table, X, Y, layout, caption=CAPTION, log_x=True, marked=marked)
    if kind == "curves":
        x, y = list(range(1, 400)), list(np.linspace(50, 99, 399))
        curves = [Curve(f"seed {n}", x, [v - n for v in y]) for n in range(10)]
        curves.append(Curve("mean", x, y, low=[v - 2 for v in y], high=[v + 2 for v in y]))
        return curves_paper(
            curves,
            layout,
            caption=CAPTION,
            title="t",
            across="Evaluations",
            up="Hypervolume (%)",
            ceiling=100,
        )
    values = np.linspace(0, 1, 48).reshape(6, 8)
    values[2, 3] = np.nan
    names_a, names_b = [f"stage number {n}" for n in range(6)], [f"block {n}.1" for n in range(8)]
    data = HeatmapData(
        ids_a=names_a,
        ids_b=names_b,
        labels_a=names_a,
        labels_b=names_b,
        values=values,
        null_mean=values,
        null_sd=values,
        reasons={},
        units_a=[1] * 6,
        units_b=[1] * 8,
        n=100,
        low=0.0,
        high=1.0,
        distance=False,
        measure="CKA",
    )
    return heatmap_paper(data, layout, caption=CAPTION, title_a="A", title_b="B")


def drawing(svg: str) -> str:
    """Without the outlines of letters."""
    return re.sub(r"<defs>.*?</defs>", "", svg, flags=re.DOTALL)


KINDS = ("front", "curves", "heatmap")


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("kind", KINDS)
def test_svg_is_vectors_at_a_columns_width(kind: str, columns: str, table: pd.DataFrame) -> None:
    made = drawn(kind, Layout(columns, "svg"), table)
    text = made.data.decode()
    assert "<image" not in text
    assert "font-family" not in text, "text is outlines: it looks the same without the font"
    width = float(re.search(r'width="([0-9.]+)pt"', text)[1])
    assert width == pytest.approx(COLUMNS[columns] / 25.4 * 72, abs=0.01)
    said = re.search(r"<dc:description>(.*?)</dc:description>", text, re.DOTALL)[1]
    assert CAPTION in said
    assert made.media_type == "image/svg+xml"
    assert len(made.data) < 300_000


@pytest.mark.parametrize("kind", KINDS)
def test_pdf_has_its_fonts_inside_and_no_picture(kind: str, table: pd.DataFrame) -> None:
    data = drawn(kind, Layout("one", "pdf"), table).data
    assert data.startswith(b"%PDF")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"/Subtype /Image" not in data
    box = [float(v) for v in re.search(rb"/MediaBox \[ ?([0-9. ]+)\]", data)[1].split()]
    assert box[2] == pytest.approx(85 / 25.4 * 72, abs=0.01)
    assert CAPTION[:20].encode() in data or CAPTION[:20].encode("utf-16-be") in data


def test_thinned_dots_are_said_in_the_caption_and_none_is_lost(table: pd.DataFrame) -> None:
    made = drawn("front", Layout("two", "svg"), table)
    text = made.data.decode()
    dots = drawing(text).count("h0")
    said = re.search(r"\(([\d,]+) dots for ([\d,]+) subnets\)", made.caption)
    assert said is not None
    assert int(said[1].replace(",", "")) == dots
    assert said[2] == "13,824"
    few = table.iloc[::700]
    assert "drawn once" not in drawn("front", Layout("two", "svg"), few).caption


def test_every_dot_is_where_its_subnet_is() -> None:
    four = pd.DataFrame(
        {
            "arch_id": list("abcd"),
            "on_front": [True, False, False, False],
            "macs": [0.0, 0.0, 100.0, 50.0],
            "accuracy": [1.0, 0.0, 0.5, np.nan],
        }
    )
    text = front_paper(four, X, Y, Layout("one", "svg"), caption="c").data.decode()
    found = re.findall(r"M([0-9.]+) ([0-9.]+)h0", drawing(text))
    places = [tuple(map(float, each)) for each in found]
    assert len(places) == 3, "a missing value is no dot"
    left, right = min(p[0] for p in places), max(p[0] for p in places)
    top, bottom = min(p[1] for p in places), max(p[1] for p in places)
    assert sorted(places) == sorted([(left, top), (left, bottom), (right, (top + bottom) / 2)])


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off(
    kind: str, columns: str, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings = []
    written = base._written
    monkeypatch.setattr(
        base, "_written", lambda figure, *rest: (drawings.append(figure), written(figure, *rest))[1]
    )
    drawn(kind, Layout(columns, "svg"), table)
    [figure] = drawings
    inches, box = figure.get_size_inches(), figure.get_tightbbox()
    assert box.x0 >= 0, "left"
    assert box.y0 >= 0, "below"
    assert box.x1 <= inches[0] + 0.01, "right"
    assert box.y1 <= inches[1], "above"


@pytest.mark.slow
def test_equal_data_give_equal_bytes(table: pd.DataFrame) -> None:
    for format_name in ("svg", "pdf"):
        layout = Layout("one", format_name)
        assert drawn("front", layout, table).data == drawn("front", layout, table).data


def test_a_caption_may_be_left_out_of_the_drawing_but_not_of_the_file(table: pd.DataFrame) -> None:
    with_it = drawn("curves", Layout("one", "svg"), table).data.decode()
    without = drawn("curves", Layout("one", "svg", with_caption=False), table).data.decode()
    assert float(re.search(r'height="([0-9.]+)pt"', without)[1]) < float(
        re.search(r'height="([0-9.]+)pt"', with_it)[1]
    )
    assert CAPTION in without


def test_no_two_of_ten_curves_look_alike(table: pd.DataFrame) -> None:
    text = drawn("curves", Layout("two", "svg"), table).data.decode()
    lines = re.findall(r'style="fill: none; (stroke-dasharray: [^;]+; [^"]*?)?stroke: (#[0-9a-f]{6})', text)
    assert len({*lines}) >= 10


def test_a_pdf_shows_the_caption_as_text(table: pd.DataFrame) -> None:
    data = drawn("curves", Layout("two", "pdf"), table).data
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    shown = b"".join(zlib.decompress(s) for s in streams if s[:1] == b"x")
    assert b"BT" in shown


def test_browsing_never_loads_matplotlib() -> None:
    code = (
        "import sys\nimport core.papers.base, core.papers.front, core.papers.curves, core.papers.heatmap\n"
        "import core.reports.writing\nassert 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
