"""Multiply-accumulates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromCosts
from core.objectives.counting import Costs
from core.records import COUNT


@OBJECTIVES.register("macs")
class Macs(FromCosts):
    """Multiply-accumulates of convolutions, linear layers and attention products for one sample."""

    label = "MACs"
    unit = "MACs"
    shown = COUNT
    place = 20

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        return costs.total("macs")
