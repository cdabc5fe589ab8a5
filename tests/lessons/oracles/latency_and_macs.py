"""Pair by pair, in exact fractions of what stands in the evidence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from core.lessons.latency_and_macs import Timed


def columns(evidence: Timed, controls: dict[str, Any]) -> tuple[list[Fraction], list[Fraction]]:
    for timing in evidence.timings:
        if timing.batch == int(controls["batch"]):
            return [Fraction(v) for v in timing.ms[:5]], [Fraction(v) for v in timing.spread[:5]]
    raise AssertionError("there is no such batch")


def truth(evidence: Timed, controls: dict[str, Any]) -> tuple[str, ...]:
    ms, _ = columns(evidence, controls)
    left, order = dict(zip("ABCDE", ms, strict=True)), []
    while left:
        soonest = next(letter for letter in "ABCDE" if letter in left and left[letter] == min(left.values()))
        order.append(soonest)
        del left[soonest]
    return tuple(order)


def answer(evidence: Timed, controls: dict[str, Any]) -> int:
    ms, spread = columns(evidence, controls)
    return sum(
        evidence.macs[i] < evidence.macs[j] and float(ms[i]) - float(ms[j]) > float(max(spread[i], spread[j]))
        for i in range(5)
        for j in range(5)
    )
