"""BatchNorm statistics of a network, measured on one batch: anew, or without changing what it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.device import beside
from core.networks.trees import as_tensors

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
"""The BatchNorm layers of plain blocks: of vectors or series (n, c, ...), of maps (n, c, h, w)."""


def batch_norms(net: nn.Module) -> list[BatchNorm]:
    """The BatchNorm layers of a network, in order."""
    return [module for module in net.modules() if isinstance(module, BatchNorm)]


@torch.no_grad()
def recalibrate(net: nn.Module, inputs: Any) -> None:
    """Set every BatchNorm's mean and biased variance from one batch, layer after layer.

    The same as `Supernet.calibrate` does for a subnet. Leaves the network in eval mode.

    Args:
        net: changed in place.
        inputs: what it takes, all rows at once.
    """

    def measure(norm: BatchNorm, mean: Tensor, var: Tensor) -> None:
        assert norm.num_batches_tracked is not None
        _set(norm, mean, var)
        norm.num_batches_tracked.zero_()

    _visit(net, inputs, measure)


@torch.no_grad()
def remeasure(net: nn.Module, inputs: Any) -> None:
    """Give every BatchNorm the statistics of a batch, in place, and set scale and offset against them.

    What the network computes stays. Where norms are neutral, their scales folded into the weights before
    them, training would lose those scales, for it normalizes by the batch.

    Args:
        net, inputs: see `recalibrate`.
    """

    def measure(norm: BatchNorm, mean: Tensor, var: Tensor) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias.add_((mean - norm.running_mean) * factor)
        norm.weight.copy_(factor * (var + norm.eps).sqrt())
        _set(norm, mean, var)

    _visit(net, inputs, measure)


def _set(norm: BatchNorm, mean: Tensor, var: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)


def _visit(net: nn.Module, inputs: Any, measure: Callable[[BatchNorm, Tensor, Tensor], None]) -> None:
    """Run a batch, and tell each norm the mean and biased variance of what enters it just before it works."""

    def before(norm: nn.Module, entered: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, BatchNorm)
        x = entered[0].float() if entered[0].dtype == torch.bfloat16 else entered[0]
        var, mean = torch.var_mean(x, dim=[0, *range(2, x.ndim)], correction=0)
        measure(norm, mean, var)

    net.eval()
    hooks = [norm.register_forward_pre_hook(before) for norm in batch_norms(net)]
    try:
        net(beside(net, as_tensors(inputs)))
    finally:
        for hook in hooks:
            hook.remove()
