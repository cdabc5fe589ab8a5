"""Bits per byte on the validation split."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.objectives.base import OBJECTIVES
from core.objectives.loss import Loss
from core.records import Shown


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

    def of_losses(self, nats: NDArray[np.float64], target_bytes: float) -> NDArray[np.float64]:
        if not target_bytes > 0:
            raise InvalidInput(f"{self.label} needs texts: the targets of these data stand for no bytes.")
        return nats / (math.log(2) * target_bytes)
