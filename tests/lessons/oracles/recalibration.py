"""In decimal numbers, rounded as a person rounds."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from core.lessons.recalibration import Recalibrated


def read_off(draws: tuple[float, ...]) -> Decimal:
    """The mean in percent, to a tenth."""
    total = sum((Decimal(f"{value:.4f}") for value in draws), Decimal(0))
    return (100 * total / len(draws)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def truth(evidence: Recalibrated, controls: object) -> float:
    return float(read_off(evidence.after[0][-1]))


def answer(evidence: Recalibrated, controls: object) -> str:
    most = read_off(evidence.after[0][-1])
    for images, draws in zip(evidence.images, evidence.after[0], strict=True):
        if read_off(draws) + 1 >= most:
            return str(images)
    raise AssertionError
