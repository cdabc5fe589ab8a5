"""Ranges on the axes of parallel coordinates, and how they stand in a link."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_BRUSH = re.compile(r"([A-Za-z0-9_.-]{1,120})~([0-9.eE+-]{1,24})~([0-9.eE+-]{1,24})")
_MOST = 40


@dataclass(frozen=True)
class Brush:
    """A range on one axis.

    Attributes:
        name: objective or choice.
        low, high: in the objective's unit; option indices of a choice, -1 where it does not matter.
    """

    name: str
    low: float
    high: float


def read_brushes(text: str) -> tuple[Brush, ...] | None:
    """The ranges that `write_brushes` wrote, one per axis; None if one of them cannot be read."""
    found: dict[str, Brush] = {}
    for piece in text.split(";")[:_MOST]:
        match = _BRUSH.fullmatch(piece)
        try:
            low, high = (float(match[2]), float(match[3])) if match else (math.nan, math.nan)
        except ValueError:
            return None
        if not match or not (math.isfinite(low) and math.isfinite(high) and low <= high):
            return None
        found[match[1]] = Brush(match[1], low, high)
    return tuple(found[name] for name in sorted(found))


def write_brushes(brushes: Sequence[Brush]) -> str:
    """The ranges as a text; what it says rounds outwards, so that what was inside stays inside."""
    return ";".join(
        f"{b.name}~{_outwards(b.low, down=True)}~{_outwards(b.high, down=False)}"
        for b in sorted(brushes, key=lambda b: b.name)
    )


def _outwards(value: float, *, down: bool) -> str:
    text = f"{value:.6g}"
    if (float(text) > value) if down else (float(text) < value):
        step = 10.0 ** (math.floor(math.log10(abs(value))) - 5)
        text = f"{float(text) + (-step if down else step):.6g}"
    return text
