"""Evaluating many subnets at once: activations laid out (channels, height, width, samples).

With the samples innermost, a channel is one contiguous run of memory: nested widths are views of
the leading rows, BatchNorm reduces contiguous runs, and a convolution on a small map is one matrix
product with the kernel unfolded over the map. That product serves every kernel size and every
width of a block's first convolution at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from core.supernets.statistics import ElasticBatchNorm

if TYPE_CHECKING:
    from core.supernets.base import BranchContext
    from core.supernets.elastic_conv import ElasticConv

# Above this ratio of unfolded to useful products, gathering patches is cheaper than unfolding the kernel.
_MOST_WASTE = 2.0
# Numbers in one block of patches: a megabyte.
_BLOCK_NUMBERS = 1 << 18


class Block(Protocol):
    """What is asked of a residual block of the elastic family."""

    conv1: ElasticConv
    conv2: ElasticConv
    norm1: ElasticBatchNorm
    norm2: ElasticBatchNorm
    stride: int
    size: tuple[int, int]
    first: bool


def convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolve images (n, c, h, w) with (o, c, k, k); returns (o, h', w', n)."""
    y = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    return y.permute(1, 2, 3, 0).contiguous()


def unfold_kernel(weight: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """The matrix (o, h' * w', c, h * w) of a "same" convolution on a map of the given size.

    Entry [o, q, c, p] multiplies input pixel p of channel c into output pixel q of channel o.
    """
    o, c, k, _ = weight.shape
    height, width = size
    impulses = torch.eye(height * width, dtype=weight.dtype, device=weight.device).view(
        height * width, 1, height, width
    )
    flat = F.conv2d(impulses, weight.reshape(o * c, 1, k, k), stride=stride, padding=k // 2)
    return flat.view(height * width, o, c, -1).permute(1, 3, 2, 0).contiguous()


def convolve_by_patches(x: Tensor, weight: Tensor, stride: int, out: Tensor) -> None:
    """A "same" convolution of (c, h, w, n) with (o, c, k, k), written into `out` (o, h', w', n).

    Patches are gathered for a block of samples at a time, small enough to stay in the cache between
    being written and being multiplied.
    """
    (c, _, _, n), (o, _, kernel, _) = x.shape, weight.shape
    margin, out_h, out_w = kernel // 2, out.shape[1], out.shape[2]
    padded = F.pad(x, (0, 0, margin, margin, margin, margin))
    sc, sh, sw, sn = padded.stride()
    rows = c * kernel * kernel
    block = max(16, _BLOCK_NUMBERS // (rows * out_h * out_w) // 16 * 16)
    matrix = weight.reshape(o, rows)
    for start in range(0, n, block):
        size = min(block, n - start)
        patches = padded.as_strided(
            (c, kernel, kernel, out_h, out_w, size), (sc, sh, sw, stride * sh, stride * sw, sn), start
        )
        product = torch.mm(matrix, patches.reshape(rows, -1))
        out[..., start : start + size] = product.view(o, out_h, out_w, size)


def normalize(x: Tensor, norm: ElasticBatchNorm, channels: slice | Tensor, rows: int) -> Tensor:
    """BatchNorm of (c, h, w, n) in place, statistics from the first `rows` samples.

    Args:
        x: activations; overwritten.
        norm: layer whose scale and offset apply.
        channels: which of the layer's channels the rows of x are.
        rows: number of calibration samples.
    """
    c = x.shape[0]
    flat = x.view(c, -1, x.shape[-1])
    head = flat[:, :, :rows]
    mean = head.mean((1, 2))
    x.sub_(mean.view(c, 1, 1, 1))
    # One pixel at a time: half a million float32 squares summed in one go keep three to four digits.
    variance = torch.linalg.vector_norm(head, dim=2).square_().mean(1).div_(rows)
    scale = norm.weight[channels] * torch.rsqrt(variance + norm.epsilon)
    return torch.addcmul(norm.bias[channels].view(c, 1, 1, 1), x, scale.view(c, 1, 1, 1), out=x)


def _unfolded_first(
    stage: Block, size: tuple[int, int], kernels: Sequence[int], context: BranchContext
) -> Tensor:
    """(len(kernels) * widest, h'w', c, hw): the first convolution of all given kernels, one below the other."""
    key = (id(stage), 1, tuple(kernels))
    if key not in context.cache:
        o, c = stage.conv1.weight.shape[:2]
        parts = [unfold_kernel(stage.conv1.kernel_weight(c, o, k), size, stage.stride) for k in kernels]
        context.cache[key] = torch.cat(parts)
    return context.cache[key]


def _unfolded_second(stage: Block, width: int, context: BranchContext) -> Tensor:
    """(width * hw, width * hw): the second convolution at one width."""
    key = (id(stage), 2, width)
    if key not in context.cache:
        full = unfold_kernel(stage.conv2.kernel_weight(width, width, 3), stage.size, 1)
        context.cache[key] = full.reshape(width * full.shape[1], -1)
    return context.cache[key]


def _first(stage: Block, x: Tensor, kernels: Sequence[int], widest: int, context: BranchContext) -> Tensor:
    """First convolution for every kernel at the widest width: (len(kernels), widest, h', w', n)."""
    c, height, width, n = x.shape
    shape = (len(kernels), widest, *stage.size, n)
    waste = height * width / min(kernels) ** 2
    if waste <= _MOST_WASTE:
        matrix = _unfolded_first(stage, (height, width), kernels, context)
        most = matrix.shape[0] // len(kernels)
        matrix = matrix.view(len(kernels), most, *matrix.shape[1:])[:, :widest, :, :c]
        return (
            matrix.reshape(shape[0] * widest * shape[2] * shape[3], c * height * width) @ x.reshape(-1, n)
        ).view(shape)
    out = x.new_empty(shape)
    for index, kernel in enumerate(kernels):
        convolve_by_patches(x, stage.conv1.kernel_weight(c, widest, kernel), stage.stride, out[index])
    return out


def _second(stage: Block, h: Tensor, width: int, out: Tensor, context: BranchContext) -> None:
    """Second convolution of (width, h, w, n), written into `out` of the same shape."""
    n = h.shape[-1]
    if stage.size[0] * stage.size[1] / 9 <= _MOST_WASTE:
        torch.mm(_unfolded_second(stage, width, context), h.reshape(-1, n), out=out.view(-1, n))
    else:
        convolve_by_patches(h, stage.conv2.kernel_weight(width, width, 3), 1, out)


def _shortcut(x: Tensor, stride: int) -> Tensor:
    """Average pooling of (c, h, w, n) by the stride, the last row or column alone where it is odd."""
    if stride == 1:
        return x
    c, height, width, n = x.shape
    if height % 2 == 0 and width % 2 == 0:
        return x.view(c, height // 2, 2, width // 2, 2, n).mean((2, 4))
    pooled = F.avg_pool2d(x.permute(3, 0, 1, 2), stride, ceil_mode=True)
    return pooled.permute(1, 2, 3, 0).contiguous()


def residual_siblings(
    stage: Block, x: Tensor, settings: Sequence[tuple[int, int]], context: BranchContext
) -> list[Tensor]:
    """Outputs of one residual block for several (width, kernel) settings of one input.

    Everything up to the first ReLU is computed once, for all kernels and the block's widest option,
    because a channel there does not depend on how many of them are used. All options, not only the
    settings asked for: so the same numbers come out whichever siblings are asked for together.
    """
    kernels = stage.conv1.kernels
    widest = stage.conv1.weight.shape[0] if stage.first else settings[0][0]
    hidden = _first(stage, x, kernels, widest, context)
    n, size = x.shape[-1], stage.size
    channels = torch.arange(widest, device=x.device).repeat(len(kernels))
    hidden = normalize(hidden.view(-1, *size, n), stage.norm1, channels, context.calibration_rows).relu_()
    hidden = hidden.view(len(kernels), widest, *size, n)
    total = sum(width for width, _ in settings)
    out = x.new_empty((total, *size, n))
    pieces = out.split([width for width, _ in settings])
    for (width, kernel), piece in zip(settings, pieces, strict=True):
        _second(stage, hidden[kernels.index(kernel), :width], width, piece, context)
    channels = torch.cat([torch.arange(width, device=x.device) for width, _ in settings])
    normalize(out, stage.norm2, channels, context.calibration_rows)
    shortcut = _shortcut(x, stage.stride)
    for (width, _), piece in zip(settings, pieces, strict=True):
        shared = min(width, shortcut.shape[0])
        piece[:shared].add_(shortcut[:shared])
    out.relu_()
    return list(pieces)
