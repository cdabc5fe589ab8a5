"""Parameters that are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.objectives.base import OBJECTIVES
from core.objectives.extracted import FromWeights
from core.records import COUNT

if TYPE_CHECKING:
    from torch import nn


@OBJECTIVES.register("nonzero_params")
class NonzeroParams(FromWeights):
    """Trainable numbers of the extracted subnet that are not exactly zero: fewer than its parameters where weights were pruned.

    A file or a processor gains from it only if it leaves zeros out; MACs and latency here count them.
    """

    label = "Non-zero parameters"
    shown = COUNT
    place = 31
    best = "sparsest"

    def of_stage(self, stage: nn.Module) -> int:
        return sum(int(p.count_nonzero()) for p in stage.parameters())
