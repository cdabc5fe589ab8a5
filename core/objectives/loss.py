"""Loss on the validation split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromOutputs
from core.records import Shown

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task


@OBJECTIVES.register("loss")
class Loss(FromOutputs):
    """Mean loss on the validation samples, in nats: cross-entropy where samples have classes."""

    label = "Validation loss"
    unit = "nats"
    shown = Shown(symbol="nats", digits=3)
    stored = "float32"
    place = 60

    @staticmethod
    def mean_losses(outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        """(s,) mean losses of several subnets in nats; what all objectives of this kind follow from."""
        from core.networks.trees import map_leaves, n_rows

        subnets = n_rows(outputs)
        repeated = targets.repeat(subnets, *([1] * (targets.dim() - 1)))
        losses = task.losses(map_leaves(lambda leaf: leaf.flatten(0, 1), outputs), repeated)
        mean: NDArray[np.float64] = losses.view(subnets, -1).double().mean(1).cpu().numpy()
        return mean

    def of_losses(self, nats: NDArray[np.float64], target_bytes: float) -> NDArray[np.float64]:
        """(s,) values from mean losses; see `of_split` for the bytes."""
        return nats

    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        return self.of_split(outputs, targets, task, math.nan)

    def of_split(self, outputs: Any, targets: Tensor, task: Task, target_bytes: float) -> NDArray[np.float64]:
        return self.of_losses(self.mean_losses(outputs, targets, task), target_bytes)
