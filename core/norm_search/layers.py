"""Layers that compute an expression, and the usual ones that they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from core.norm_search.expressions import EVONORM_B0, EVONORM_S0, MOMENTS, Tree, parts

EPS = 1e-3
GROUPS = 4
_MOMENTUM = 0.1
# Divisors nearer to 0 than this are moved there, with their sign.
_LEAST_DIVISOR = 1e-4
_OVER = {"batch": (0, 2, 3), "sample": (2, 3)}

_PLAIN: Mapping[str, Callable[..., Tensor]] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "square": torch.square,
    "root": lambda x: (x.abs() + EPS).sqrt(),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": lambda x, y: x / torch.where(y >= 0, y.clamp(min=_LEAST_DIVISOR), y.clamp(max=-_LEAST_DIVISOR)),
    "max": torch.maximum,
}


class ExpressionLayer(nn.Module):
    """A layer that computes an expression of images' activations, scaled and shifted per channel.

    Means and deviations over a batch are remembered while training and used from memory afterwards, as BatchNorm
    does; those over one image or a group of its channels are the same at both times.

    Args:
        tree: the expression; see `core.norm_search.expressions`.
        channels: of the activations (n, channels, height, width).
    """

    def __init__(self, tree: Tree, channels: int) -> None:
        super().__init__()
        self.tree = tree
        self.groups = GROUPS if channels % GROUPS == 0 else 1
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.v = nn.Parameter(torch.ones(channels))
        for place, part in parts(tree):
            if part[0] in ("mean_batch", "std_batch"):
                # A variance, where it is a deviation.
                start = torch.full((1, channels, 1, 1), float(part[0] == "std_batch"))
                self.register_buffer(_buffer(place), start)

    def forward(self, x: Tensor) -> Tensor:
        found = self._value(self.tree, (), x)
        return found * _wide(self.gamma) + _wide(self.beta) + torch.zeros_like(x)

    def _value(self, tree: Tree, place: tuple[int, ...], x: Tensor) -> Tensor:
        operation = tree[0]
        if operation == "x":
            return x
        if operation == "vx":
            return x * _wide(self.v)
        if operation in ("one", "zero"):
            return x.new_full((1, 1, 1, 1), float(operation == "one"))
        values = [self._value(part, (*place, i), x) for i, part in enumerate(tree[1:])]
        if operation in MOMENTS:
            return self._moment(operation, _buffer(place), values[0].expand(x.shape))
        return _PLAIN[operation](*values)

    def _moment(self, operation: str, buffer: str, value: Tensor) -> Tensor:
        statistic, _, over = operation.partition("_")
        if over == "group":
            channels = value.shape[1] // self.groups
            grouped = value.reshape(len(value), self.groups, -1).var(dim=2, unbiased=False)
            return (grouped + EPS).sqrt().repeat_interleave(channels, dim=1)[:, :, None, None]
        if over == "batch" and not self.training:
            found = getattr(self, buffer)
        elif statistic == "mean":
            found = value.mean(dim=_OVER[over], keepdim=True)
        else:
            found = value.var(dim=_OVER[over], keepdim=True, unbiased=False)
        if over == "batch" and self.training:
            with torch.no_grad():
                getattr(self, buffer).lerp_(found, _MOMENTUM)
        return found if statistic == "mean" else (found + EPS).sqrt()


class EvoNormB0(ExpressionLayer):
    """x / max(std over the batch, v x + std over the image), scaled and shifted: needs no activation after it.

    Source: Liu et al., "Evolving Normalization-Activation Layers", NeurIPS 2020.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(EVONORM_B0, channels)


class EvoNormS0(ExpressionLayer):
    """x sigmoid(v x) / std over a group of the image's channels, scaled and shifted; never looks at the batch.

    Source: as of `EvoNormB0`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(EVONORM_S0, channels)


def batch_norm_relu(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def group_norm_relu(channels: int) -> nn.Module:
    return nn.Sequential(nn.GroupNorm(GROUPS if channels % GROUPS == 0 else 1, channels), nn.ReLU())


MakeLayer = Callable[[int], nn.Module]
"""Channels -> a layer."""

BASELINES: Mapping[str, MakeLayer] = {
    "BatchNorm + ReLU": batch_norm_relu,
    "GroupNorm + ReLU": group_norm_relu,
    "EvoNorm-B0": EvoNormB0,
    "EvoNorm-S0": EvoNormS0,
}
"""What evolved layers are compared with, by what a person reads."""


def _wide(of_channels: Tensor) -> Tensor:
    return of_channels[None, :, None, None]


def _buffer(place: tuple[int, ...]) -> str:
    return "running_" + "_".join(map(str, place))
