"""By definition: every ordered pair is looked at, and half of them counted."""

from __future__ import annotations

from fractions import Fraction
from math import isnan

from core.lessons.ranking import Ranks


def pairs(evidence: Ranks, n: int) -> tuple[int, int]:
    """In whole millionths, so that nothing is rounded."""
    inside = [round(1e6 * v) for v in evidence.inside[:n]]
    alone = [
        None if isnan(a) or isnan(b) else round(1e6 * a) + round(1e6 * b)
        for a, b in zip(evidence.first[:n], evidence.second[:n], strict=True)
    ]
    alike = apart = 0
    for i in range(n):
        for j in range(n):
            one, other = alone[i], alone[j]
            if one is None or other is None:
                continue
            alike += (inside[i] > inside[j] and one > other) or (inside[i] < inside[j] and one < other)
            apart += (inside[i] > inside[j] and one < other) or (inside[i] < inside[j] and one > other)
    return alike // 2, apart // 2


def truth(evidence: Ranks, controls: object) -> float:
    alike, apart = pairs(evidence, len(evidence.inside))
    return float(Fraction(100 * alike, max(alike + apart, 1)))


def answer(evidence: Ranks, controls: object) -> float:
    return pairs(evidence, 8)[1]
