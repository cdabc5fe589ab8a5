"""Colors, number formats and axis texts: the one place that knows how a number is shown.

How an objective is read, it says itself (`core.records.Shown`): accuracy is a fraction everywhere else and
becomes percent here. Colors are Okabe and Ito's, which
the common color blindnesses keep apart, darkened where they were too faint on paper: each stands out from paper and from
the dark page by 3 to 1. A shape or a label always repeats what a color says.
"""

from __future__ import annotations

import math
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

MINUS = "\N{MINUS SIGN}"
_HOW = {
    Source.MEASURED: "measured",
    Source.COUNTED: "counted",
    Source.TRAINED: "trained alone",
    Source.PREDICTED: "predicted",
    Source.PROXY: "proxy",
}
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


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


def column_label(objective: Objective) -> str:
    """The noun with its unit, above a column of numbers."""
    # A share's unit is its symbol; a count of MACs is labelled so already.
    unit = objective.unit or objective.shown.symbol
    return objective.label if unit in ("", objective.label) else f"{objective.label} ({unit})"


def axis_title(objective: Objective) -> str:
    """The axis text, a noun with its unit and the better direction."""
    better = "more is better" if objective.maximize else "less is better"
    return f"{column_label(objective)}  ·  {better}"


def table_format(objective: Objective) -> str:
    """How a browser's table writes a drawn value (see `Scale.factor`): one decimal more than in a sentence."""
    digits = objective.shown.digits
    return "localized" if digits is None else f"%.{digits + 1}f"


def format_value(
    value: float | None, objective: Objective, *, signed: bool = False, spread: float | None = None
) -> str:
    """One number as a person reads it: `97.3 %`, `1.24 M`, `0.42 ms ± 0.03`, `48 kB`.

    Args:
        value: in the objective's stored unit; None or NaN reads "not measured".
        objective: what it is.
        signed: the value is a difference; it gets a sign, and a difference of shares reads "points".
        spread: half-width of the noise, in the same unit.
    """
    if value is None or not math.isfinite(value):
        return "not measured"
    sign = ("+" if value > 0 else MINUS if value < 0 else "±") if signed else (MINUS if value < 0 else "")
    shown, size = objective.shown, abs(float(value)) * objective.shown.factor
    symbol = shown.difference if signed and shown.difference else shown.symbol
    if shown.digits is None:
        number, prefix = _short(size)
        return f"{sign}{number} {prefix}{symbol}".rstrip()
    digits = shown.digits if size >= 0.1 or shown.fine_digits is None else shown.fine_digits
    noise = f" ± {spread * shown.factor:.{digits}f}" if spread is not None and math.isfinite(spread) else ""
    return f"{sign}{size:.{digits}f} {symbol}".rstrip() + noise


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


def format_count(value: int) -> str:
    """A whole number with thousands separated: `8,100`."""
    return f"{int(value):,}"


def format_seconds(seconds: float | None) -> str:
    """A duration: `8 s`, `2 min 05 s`, `1 h 10 min`; "" where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_about(seconds: float) -> str:
    """A forecast, with no more digits than it is good for: `about 20 seconds`, `about 3 minutes`, `about 2.5 hours`."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5 if seconds < 45 else 10
        number = max(1, step * round(seconds / step))
        return f"about {number} second{'s' * (number != 1)}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 1800) / 2:g} hours"


def format_bytes(size: float) -> str:
    """A file size: `48 kB`, `1.24 MB`."""
    number, prefix = _short(size)
    return f"{number} {prefix}B"


def _short(size: float) -> tuple[str, str]:
    # Rounding first keeps 999,950 from reading "1e+03 k".
    for step, prefix in _STEPS:
        if float(f"{size:.3g}") >= step:
            return f"{size / step:.3g}", prefix
    return (f"{size:.0f}" if size == int(size) else f"{size:.3g}"), ""
