"""Read off the curves and added up by hand."""

from __future__ import annotations

from fractions import Fraction

from core.lessons.sandwich import Three


def truth(evidence: Three, controls: object) -> float:
    for training, curve in zip(evidence.trainings, evidence.smallest, strict=True):
        if training == "largest_alone":
            return curve[len(curve) - 1] * 100
    raise AssertionError


def answer(evidence: Three, controls: object) -> str:
    best, most = "", Fraction(-1)
    for training, values in zip(evidence.trainings, evidence.sampled, strict=True):
        mean = sum(Fraction(round(10_000 * v)) for v in values) / len(values)
        if mean > most:
            best, most = training, mean
    return best
