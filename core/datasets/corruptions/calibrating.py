"""How strong a severity is on one data set: found from what a reference network can still read.

Severity 5 is the strength at which the reference loses `points_lost` of its accuracy, or comes down to a
quarter of the way from chance to its clean accuracy, whichever is milder. Severities 1 to 4 are evenly
spaced in *strength*, not in accuracy lost: that needs one bisection instead of five, always rises, and
keeps a severity a statement about the images rather than about the reference network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.corruptions.base import corrupt
from core.errors import InvalidInput
from core.words import format_share

if TYPE_CHECKING:
    from core.datasets.tokenizing import Tokenizing

POINTS_LOST = 0.35
_SHARE_KEPT = 0.25
_LEAST = 1e-3


@dataclass(frozen=True)
class Calibration:
    """The severities of one corruption on one data set.

    Attributes:
        name: registry name of the corruption.
        strengths: of severities 1 to 5.
        clean: the reference's accuracy without corruption, a fraction.
        target: the accuracy that severity 5 aims at.
        accuracy: the reference's accuracy at severity 5.
        reached: whether that is within tolerance of the target.
        reason: why not, in a sentence; empty when reached.
    """

    name: str
    strengths: tuple[float, float, float, float, float]
    clean: float
    target: float
    accuracy: float
    reached: bool
    reason: str


def calibrate(
    accuracy_of: Callable[[Any], float],
    x: Any,
    ids: NDArray[np.int64],
    name: str,
    *,
    chance: float,
    seed: int = 0,
    points_lost: float = POINTS_LOST,
    tolerance: float = 0.02,
    most_steps: int = 14,
    tokenizer: Tokenizing | None = None,
) -> Calibration:
    """Bisect the strength of severity 5; deterministic when `accuracy_of` is.

    Args:
        accuracy_of: the reference's accuracy (fraction) on samples like `x`, in their order.
        x: images (n, c, h, w) float32 in [0, 1], or texts, see `corrupt`; not those of the test.
        ids: (n,) their ids.
        name: registry name of the corruption.
        chance: accuracy of guessing, a fraction.
        seed: of the accidents.
        points_lost: accuracy that severity 5 should cost, a fraction.
        tolerance: how near is near enough; at least one sample.
        most_steps: the end of bisection on a step that cannot be met.
        tokenizer: of texts, what split them, where it is known.

    Raises:
        InvalidInput: there are no samples, or of another kind.
        NotFound: there is no such corruption.
    """
    if len(ids) == 0:
        raise InvalidInput("Severities are calibrated on samples, and there are none.")
    tolerance = max(tolerance, 1 / len(ids))
    clean = accuracy_of(x)
    target = max(clean - points_lost, chance + _SHARE_KEPT * (clean - chance))

    def at(strength: float) -> float:
        return accuracy_of(
            corrupt(x, name, 5, ids=ids, seed=seed, strength=[strength] * 5, tokenizer=tokenizer)
        )

    best, found = 1.0, at(1.0)
    reason = ""
    if found > target + tolerance:
        reason = (
            f"Even at its largest sensible strength it leaves the reference {format_share(found, 1)} accurate; "
            f"the aim was {format_share(target, 1)}."
        )
    else:
        best, found = _bisect(at, target, tolerance, most_steps, found)
        if abs(found - target) > tolerance:
            reason = f"Accuracy jumps over the aim of {format_share(target, 1)}; the nearest strength gives {format_share(found, 1)}."
    one, two, three, four, five = (best * k / 5 for k in range(1, 6))
    return Calibration(name, (one, two, three, four, five), clean, target, found, not reason, reason)


def _bisect(
    at: Callable[[float], float], target: float, tolerance: float, most_steps: int, at_most: float
) -> tuple[float, float]:
    """(strength, accuracy) nearest to the target of all that were tried."""
    low, high = 0.0, 1.0
    best, found = 1.0, at_most
    for _ in range(most_steps):
        if abs(found - target) <= tolerance / 2 or high - low < _LEAST:
            break
        middle = (low + high) / 2
        accuracy = at(middle)
        if abs(accuracy - target) < abs(found - target):
            best, found = middle, accuracy
        low, high = (middle, high) if accuracy > target else (low, middle)
    return best, found
