"""The largest subnet alone: what slicing a network does that was never trained to be sliced."""

from __future__ import annotations

import numpy as np

from core.spaces import SearchSpace
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy


@STRATEGIES.register("largest_alone")
class LargestAlone(Strategy):
    """Each step trains the largest subnet and no other; its parts were never asked to work by themselves."""

    label = "Largest alone"
    source = (
        "Yu et al., Slimmable Neural Networks, ICLR 2019 (its control: a full network, run at smaller widths)"
    )
    needs_ends = True
    shareable = True

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        return [Draw(space.largest)]
