"""Colors, marks and scales: how values are drawn (how they are written is in `core.words`).

Colors are Okabe and Ito's, which the common color blindnesses keep apart, darkened where they were too faint on paper:
each stands out from paper and from the dark page by 3 to 1. A shape or a label always repeats what a color says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from core.records import Objective, Obtained, Source

FRONT = "#0072B2"
SELECTED = "#D55E00"
KNEE = "#009E73"
WHAT_IF = "#B5478A"
SEARCHED = "#B57A00"
PRUNED = "#B8649A"
DOMINATED = "#8A909B"
CATEGORICAL = ("#0072B2", "#D55E00", "#009E73", "#B8649A", "#B57A00", "#2E90CF", "#8F8200", "#6F7682")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")

_HOW = {
    Source.MEASURED: "measured",
    Source.COUNTED: "counted",
    Source.TRAINED: "trained alone",
    Source.PREDICTED: "predicted",
    Source.PROXY: "proxy",
}


class Line(TypedDict):
    """How a curve is drawn."""

    color: str
    width: float
    dash: str


def line(index: int, width: float = 2.0) -> Line:
    """Color and dash of the curve of this number: 32 curves in a row are all different."""
    colors, dashes = len(CATEGORICAL), len(DASHES)
    dash = DASHES[(index + index // colors) % dashes]
    return {"color": CATEGORICAL[index % colors], "width": width, "dash": dash}


@dataclass(frozen=True)
class Scale:
    """How an objective stands on an axis.

    Attributes:
        factor: stored value -> drawn value.
        suffix: unit written after a tick or a hover number.
        tick, hover: d3 number formats.
    """

    factor: float = 1.0
    suffix: str = ""
    tick: str = "~s"
    hover: str = ".3s"


def scale(objective: Objective) -> Scale:
    """How to draw an objective's values."""
    shown = objective.shown
    if shown.prefixes:
        return Scale(shown.factor, shown.symbol, "~s", ".3s")
    suffix = f" {shown.symbol}" if shown.symbol else ""
    digits = shown.digits if shown.fine_digits is None else shown.fine_digits
    return Scale(shown.factor, suffix, "~g", ".4g" if digits is None else f".{max(digits, 2)}f")


def format_obtained(objective: Objective, obtained: Obtained) -> str:
    """How a number was obtained, in a few words: "measured, validation"."""
    by_instrument = objective.instrument and obtained.source is Source.MEASURED
    words = [
        objective.instrument if by_instrument else _HOW[obtained.source],
        objective.split,
        obtained.detail,
    ]
    return ", ".join(word for word in words if word)


def usually_obtained(objective: Objective) -> str:
    """How its numbers are obtained where nothing else is said of a value: "measured, validation"."""
    return format_obtained(objective, Obtained(objective.how))
