"""Accuracy on the validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, FromOutputs
from core.records import SHARE

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task


@OBJECTIVES.register("accuracy")
class Accuracy(FromOutputs):
    """Share of validation samples classified correctly; what a search may look at."""

    label = "Validation accuracy"
    maximize = True
    shown = SHARE
    place = 10
    best = "most accurate"
    reference = 0.0

    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        right: NDArray[np.int64] = task.correct(outputs, targets).sum(1).numpy()
        return right / len(targets)
