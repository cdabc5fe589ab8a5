"""By counting cells: every coordinate is a whole number of tenths, and a grid of them covers the plane.

Cells between neighboring coordinates are dominated as a whole or not at all, so each is looked at once.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

from core.lessons.hypervolume import Front


def area(points: list[tuple[Fraction, Fraction]], corner: tuple[Fraction, Fraction]) -> Fraction:
    xs = sorted({p[0] for p in points} | {corner[0]})
    ys = sorted({p[1] for p in points} | {corner[1]})
    total = Fraction(0)
    for left, right in pairwise(xs):
        for low, high in pairwise(ys):
            inside = right <= corner[0] and low >= corner[1]
            if inside and any(x <= left and y >= high for x, y in points):
                total += (right - left) * (high - low)
    return total


def gains(evidence: Front, controls: dict[str, Any]) -> list[Fraction]:
    corner = Fraction(str(controls["reference_macs"])), Fraction(str(controls["reference_accuracy"]))
    points = [(Fraction(str(x)), Fraction(str(y))) for x, y in zip(evidence.x, evidence.y, strict=True)]
    there = [points[i] for i in evidence.found]
    before = area(there, corner)
    return [area([*there, points[i]], corner) - before for i in evidence.kept_back]


def truth(evidence: Front, controls: dict[str, Any]) -> str:
    found = gains(evidence, controls)
    return "ABCD"[found.index(max(found))]


def answer(evidence: Front, controls: dict[str, Any]) -> float:
    found = gains(evidence, controls)
    return float(found[min(1, len(found) - 1)])
