"""Batch normalization over the shares of a batch that several processes have, with gradients through its statistics.

Mean and variance are joined from those of the shares (Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm
for computing sample variances, 1979), which may differ in size; one exchange forward and one backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from core.supernets.statistics import exact

Gather = Callable[[Tensor], Tensor]
"""(...) of this process -> (processes, ...) of all."""
AddUp = Callable[[Tensor], None]
"""Replaces a tensor by the sum over all processes."""


def normalized(
    x: Tensor, weight: Tensor, bias: Tensor, epsilon: float, gather: Gather, add_up: AddUp
) -> Tensor:
    """A share (n, c, ...) normalized by the statistics of all shares, scaled and moved.

    Gradients of weight and bias are those of this share alone: whoever adds up gradients adds them up.

    Args:
        x: activations of this process's samples, at least one.
        weight, bias: (c,).
        epsilon: added to variances.
        gather, add_up: exchange with the others; called once in the pass forward, once in the pass backward.
    """
    out: Tensor = _Normalized.apply(x, weight, bias, epsilon, gather, add_up)  # type: ignore[no-untyped-call]
    return out


def joined(counts: Tensor, means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number, mean and biased variance of all values, from (p, 1) numbers, (p, c) means and (p, c) variances of p parts."""
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean).square())).sum(0) / total
    return total, mean, variance


class _Normalized(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float, gather: Gather, add_up: AddUp
    ) -> Tensor:
        axes = [0, *range(2, x.ndim)]
        variance, mean = torch.var_mean(exact(x), dim=axes, correction=0)
        count = mean.new_full((1,), x.numel() / x.shape[1])
        parts = gather(torch.cat([count, mean, variance]))
        total, mean, variance = joined(parts[:, :1], *parts[:, 1:].split(x.shape[1], dim=1))
        ctx.save_for_backward(x, weight, mean, (variance + epsilon).rsqrt(), total)
        ctx.add_up = add_up
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=epsilon)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = exact(gradients[0])
        x, weight, mean, scale, total = ctx.saved_tensors
        axes, wide = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
        standard = (exact(x) - mean.view(wide)) * scale.view(wide)
        of_bias, of_weight = gradient.sum(axes), (gradient * standard).sum(axes)
        both = torch.stack([of_bias, of_weight])
        ctx.add_up(both)
        shift, slope = (both / total).view(2, *wide)
        of_x = (gradient - shift - standard * slope) * (weight * scale).view(wide)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None
