"""Loss on the validation split."""

from __future__ import annotations

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

    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        from core.networks.trees import map_leaves, n_rows

        subnets = n_rows(outputs)
        losses = task.losses(
            map_leaves(lambda leaf: leaf.flatten(0, 1), outputs),
            targets.repeat(subnets, *([1] * (targets.dim() - 1))),
        )
        mean: NDArray[np.float64] = losses.view(subnets, -1).double().mean(1).numpy()
        return mean
