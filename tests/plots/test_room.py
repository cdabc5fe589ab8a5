"""Room that is kept for labels: at least what the app's own font takes, and hardly more."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from core.plots import room
from core.plots.pruning_table import TableData, evaluation_table

FONT = Path(__file__).resolve().parents[2] / "assets/look/fonts/sans.woff2"
LABELS = ("97.5", "Magnitude, global, 90 %", "Gaussian noise", "block 3", "mCE", "WWWW", "illicit")


@pytest.fixture(scope="module")
def advance() -> dict[str, float]:
    """Character -> width as a share of the font's size."""
    font = TTFont(FONT)
    names, widths, whole = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
    return {c: widths[names[ord(c)]][0] / whole for c in string.printable[:95] if ord(c) in names}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_has_what_its_letters_take_and_hardly_more(label: str, advance: dict[str, float]) -> None:
    taken = 12 * sum(advance[c] for c in label)
    assert taken <= room.width(label, 12) <= 1.2 * taken + 2


def test_what_is_not_seen_takes_no_room() -> None:
    assert room.width("<b>a &amp; b</b>") == room.width("a & b")


def test_the_longest_label_decides_and_a_title_needs_its_own() -> None:
    short, long = room.left_of(["a"]), room.left_of(["a", "a much longer label"])
    assert long - short == pytest.approx(room.width("a much longer label") - room.width("a"), abs=1)
    assert room.left_of(["a"], title=False) < short
    assert room.above(["a much longer label"]) > room.above(["a"]) > 0
    assert room.left_of([]) > 0


def test_a_table_keeps_room_for_its_longest_row() -> None:
    def left(label: str) -> float:
        data = TableData(
            ["a", "b"],
            ["parent", label],
            ["", "m"],
            ["clean"],
            ["Clean"],
            np.ones((2, 1)),
            np.full(2, np.nan),
        )
        return float(evaluation_table(data).layout.margin.l)

    assert left("Magnitude, global, 90 %") > left("SNIP") + 60
