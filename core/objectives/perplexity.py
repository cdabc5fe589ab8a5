"""Perplexity on the validation split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES
from core.objectives.loss import Loss
from core.records import Shown


@OBJECTIVES.register("perplexity")
class Perplexity(Loss):
    """Among how many equally likely tokens a subnet would be as unsure: e to the power of the validation loss.

    It depends on what splits texts: numbers under two tokenizers cannot be compared, bits per byte can.
    """

    label = "Perplexity"
    unit = ""
    shown = Shown(digits=3)
    stored = "float64"
    place = 61
    tasks = ("language",)
    best = "least perplexed"
    source = "Jelinek et al., JASA 62 (S1), 1977"

    def of_losses(self, nats: NDArray[np.float64], target_bytes: float) -> NDArray[np.float64]:
        # Beyond the largest number there is, it is infinite.
        with np.errstate(over="ignore"):
            found: NDArray[np.float64] = np.exp(nats)
        return found
