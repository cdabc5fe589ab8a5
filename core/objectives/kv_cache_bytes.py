"""Keys and values that a decoder keeps."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.objectives.base import OBJECTIVES, FromCosts
from core.objectives.counting import Costs
from core.records import Shown


@OBJECTIVES.register("kv_cache_bytes")
class KVCacheBytes(FromCosts):
    """Bytes of keys and values, as float32, that a decoder keeps of each token it has read."""

    label = "KV cache per token"
    unit = "bytes"
    shown = Shown(symbol="B", prefixes=True)
    place = 26
    tasks = ("language",)

    def counted(self, costs: Costs) -> NDArray[np.int64]:
        total, found = np.zeros(len(costs), np.int64), False
        for stage in costs.stages():
            with suppress(InvalidInput):  # a stage that keeps nothing does not count it
                total += stage.counted("kv_cache_bytes")
                found = True
        # Where none does, the supernet is no decoder: nothing is counted, which is not zero.
        return total if found else costs.total("kv_cache_bytes")
