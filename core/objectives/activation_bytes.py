"""Memory for activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, Costs, FromCosts
from core.records import Shown

_BYTES = 4  # float32


@OBJECTIVES.register("activation_bytes")
class ActivationBytes(FromCosts):
    """Most bytes that one sample's maps between stages take at once, as float32: a stage's input and output together.

    What a stage holds inside while it runs, and the network's own input, are not counted.
    """

    label = "Activation memory"
    unit = "bytes"
    shown = Shown(symbol="B", prefixes=True)
    place = 55

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        held = np.zeros(len(costs), np.int64)
        most = np.zeros(len(costs), np.int64)
        for stage in costs.stages():
            present, size = stage.present, stage.output_size
            most = np.maximum(most, np.where(present, held + size, 0))
            # A stage that is absent hands on what it was given.
            held = np.where(present, size, held)
        return _BYTES * most
