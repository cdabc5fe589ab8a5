"""With exact fractions: means by summing, and deviations compared by their squares."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from core.lessons.what_survives import Survivors


def exact(values: tuple[float, ...]) -> list[Fraction]:
    return [Fraction(str(value)) for value in values]


def truth(evidence: Survivors, controls: dict[str, Any]) -> str:
    at = [str(share) for share in evidence.sparsities].index(controls["sparsity"])
    best, most = "", Fraction(-1)
    for name in ("ticket", "same mask, new weights", "random mask"):
        total = sum(exact(evidence.accuracy[name][at]), Fraction(0))
        if total > most:
            best, most = name, total
    return best


def answer(evidence: Survivors, controls: object) -> str:
    found = "none"
    for at, share in enumerate(evidence.sparsities):
        ticket, other = (exact(evidence.accuracy[n][at]) for n in ("ticket", "same mask, new weights"))
        ahead = [a - b for a, b in zip(ticket, other, strict=True)]
        mean = sum(ahead, Fraction(0)) / len(ahead)
        variance = sum(((d - mean) ** 2 for d in ahead), Fraction(0)) / (len(ahead) - 1)
        if mean > 0 and mean**2 > 4 * variance:
            found = str(share)
    return found
