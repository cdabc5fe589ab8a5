"""Bits per byte on the validation split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.objectives.base import OBJECTIVES
from core.objectives.loss import Loss
from core.records import Shown

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task


@OBJECTIVES.register("bits_per_byte")
class BitsPerByte(Loss):
    """Bits of the validation loss per byte of the text that the scored tokens stand for, whatever splits it into tokens.

    How many bits per byte a subnet would compress the text to. Numbers under different tokenizers can be compared.
    """

    label = "Bits per byte"
    unit = "bits"
    shown = Shown(symbol="bit/byte", digits=3)
    stored = "float64"
    place = 12
    tasks = ("language",)
    best = "best at telling what comes next"
    source = "Gao et al., The Pile, 2020 (3.1)"

    def of_split(self, outputs: Any, targets: Tensor, task: Task, target_bytes: float) -> NDArray[np.float64]:
        if not target_bytes > 0:
            raise InvalidInput(f"{self.label} needs texts: the targets of these data stand for no bytes.")
        nats: NDArray[np.float64] = super().of_split(outputs, targets, task, target_bytes)
        return nats / (math.log(2) * target_bytes)
