"""Accuracy on the validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES, ShareOfSamples
from core.records import SHARE

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task


@OBJECTIVES.register("accuracy")
class Accuracy(ShareOfSamples):
    """Share of validation samples classified correctly; what a search may look at."""

    label = "Validation accuracy"
    shown = SHARE
    place = 10
    best = "most accurate"

    def right(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = task.correct(outputs, targets).cpu().numpy()
        return found
