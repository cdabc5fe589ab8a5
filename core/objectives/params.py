"""Parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromCosts
from core.objectives.counting import Costs
from core.records import COUNT


@OBJECTIVES.register("params")
class Params(FromCosts):
    """Trainable numbers of the extracted subnet, BatchNorm scale and offset included."""

    label = "Parameters"
    shown = COUNT
    place = 30

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        return costs.total("params")
