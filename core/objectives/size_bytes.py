"""Size of the weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromCosts
from core.objectives.counting import Costs
from core.records import Shown


@OBJECTIVES.register("size_bytes")
class SizeBytes(FromCosts):
    """Bytes of the extracted subnet's tensors, BatchNorm statistics included."""

    label = "Size"
    unit = "bytes"
    shown = Shown(symbol="B", prefixes=True)
    place = 50

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        return costs.total("bytes")
