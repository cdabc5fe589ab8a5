"""Walked through epoch by epoch, in whole hundredths of a percent."""

from __future__ import annotations

from core.lessons.shrinking import Phased


def whole(value: float) -> int:
    return round(value * 10_000)


def truth(evidence: Phased, controls: object) -> str:
    apart = whole(evidence.shrinking[0][-1]) - whole(evidence.sandwich[0][-1])
    if abs(apart) <= 100:
        return "equal"
    return "progressive_shrinking" if apart > 0 else "sandwich"


def answer(evidence: Phased, controls: object) -> float:
    worst, curve = 0, evidence.shrinking[2]
    for epoch in range(len(curve) - 1):
        if evidence.phases[epoch] != evidence.phases[epoch + 1]:
            worst = max(worst, whole(curve[epoch]) - whole(curve[epoch + 1]))
    return worst / 100
