"""Tokens on a square grid, and what makes the next grid of them, half as fine."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def halved(conv: nn.Conv2d, x: Tensor, grid: int, out: int) -> Tensor:
    """A strided convolution over the grid.

    Args:
        conv: 3x3, stride 2; may take and make more channels.
        x: (n, grid * grid, width).
        grid: side.
        out: channels that are made, the first ones.

    Returns:
        (n, half * half, out), half a grid's side rounded up.
    """
    y = F.conv2d(_map(x, grid), conv.weight[:out, : x.shape[2]], bias_of(conv)[:out], 2, 1)
    return y.flatten(2).transpose(1, 2)


def pooled_residual(x: Tensor, grid: int, out: int) -> Tensor:
    """(n, half * half, out) the mean of every 2x2 tokens, of fewer at an odd grid's edge; see `fitted`."""
    return fitted(F.avg_pool2d(_map(x, grid), 2, ceil_mode=True).flatten(2).transpose(1, 2), out)


def fitted(x: Tensor, out: int) -> Tensor:
    """(n, t, out) the first channels, with zeros where there are fewer."""
    return F.pad(x, (0, out - x.shape[2])) if out > x.shape[2] else x[:, :, :out]


def _map(x: Tensor, grid: int) -> Tensor:
    """(n, width, grid, grid)."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], grid, grid)
