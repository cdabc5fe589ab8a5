"""Colors, marks and scales: how values are drawn (how they are written is in `core.words`).

Colors are Okabe and Ito's, which the common color blindnesses keep apart; a shape or a label always repeats what a
color says.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.records import Objective, Obtained, Source

FRONT = "#0072B2"
SELECTED = "#D55E00"
KNEE = "#009E73"
WHAT_IF = "#B5478A"
SEARCHED = "#E69F00"
PRUNED = "#CC79A7"
DOMINATED = "#8A909B"
CATEGORICAL = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8A800", "#6F7682")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")

_HOW = {
    Source.MEASURED: "measured",
    Source.COUNTED: "counted",
    Source.TRAINED: "trained alone",
    Source.PREDICTED: "predicted",
    Source.PROXY: "proxy",
}


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


def format_about(seconds: float) -> str:
    """A forecast, with no more digits than it is good for: `about 20 seconds`, `about 3 minutes`, `about 2.5 hours`."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5 if seconds < 45 else 10
        number = max(1, step * round(seconds / step))
        return f"about {number} second{'s' * (number != 1)}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 1800) / 2:g} hours"
