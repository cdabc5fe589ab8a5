"""Memory for activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromCosts
from core.objectives.counting import Costs
from core.records import Shown


@OBJECTIVES.register("activation_bytes")
class ActivationBytes(FromCosts):
    """Most bytes of one sample's activations that are alive at once, in the plain order of execution; n samples take n times as much.

    While a stage runs, its input is held until the end (its shortcut needs it), beside what it makes and has yet
    to read; normalization, activations and sums work in place (`core.supernets.stage_cost.counts`). A graph is
    one sample. Weights are not counted: that is Size.

    Source: Lin et al., "MCUNet", NeurIPS 2020 (peak of inputs and outputs alive together, residuals held).
    """

    label = "Peak activation memory"
    unit = "bytes"
    shown = Shown(symbol="B", prefixes=True)
    place = 55
    # Tables of 0.1 hold the largest input and output of a stage under its name.
    column = "peak_activation_bytes"

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        most = np.zeros(len(costs), np.int64)
        for stage in costs.stages():
            most = np.maximum(most, stage.counted("held_bytes"))
        return most
