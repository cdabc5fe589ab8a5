"""Perplexity on the validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES
from core.objectives.loss import Loss
from core.records import Shown

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task


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

    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        # Beyond the largest number there is, it is infinite.
        with np.errstate(over="ignore"):
            found: NDArray[np.float64] = np.exp(super().values(outputs, targets, task))
        return found
