"""What criteria share; their contract is `core.networks.criteria`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.networks.criteria import CRITERIA, Criterion, UnitCriterion, WeightCriterion

if TYPE_CHECKING:
    from torch import nn

    from core.tasks.base import Batch

__all__ = ["CRITERIA", "Criterion", "UnitCriterion", "WeightCriterion", "prunable_weights", "require_batch"]


def require_batch(criterion: Criterion, batch: Batch | None) -> Batch:
    """The batch.

    Raises:
        InvalidInput: there is none.
    """
    if batch is None or not len(batch):
        raise InvalidInput(f"{criterion.label} needs training samples to judge by.")
    return batch


def prunable_weights(net: nn.Module, *, head: bool = True) -> list[str]:
    """Names of the weights of convolutions and linear layers, in order; biases and norms are never pruned.

    Args:
        net: any network.
        head: also the last linear layer's.
    """
    from torch import nn

    names = [
        f"{name}.weight"
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    return names if head else names[:-1]
