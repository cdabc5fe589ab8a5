"""Evaluating many subnets of mobile networks at once: activations laid out (channels, height, width, samples).

Within a block, a channel depends on no other one until the projection, and expansion ratios are nested. So siblings
share the expansion, and the depthwise convolution of each kernel, up to the widest that is asked for; what weighs
channels (squeeze-and-excite) and the projection are each sibling's own. Every product is of a shape that follows
from the stage and the samples alone, never from which siblings are asked for together: so the same numbers come out.

Where all maps of a block would take too much memory, only their statistics are computed for all calibration
samples, a few channels at a time; then samples go through the block in pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.supernets.mobile_layer import Layer
from core.supernets.samples_last import normalize, unfold_kernel
from core.supernets.statistics import ElasticBatchNorm

if TYPE_CHECKING:
    from core.supernets.base import BranchContext
    from core.supernets.elastic_conv import ElasticConv
    from core.supernets.elastic_depthwise import ElasticDepthwise

_MOST_NUMBERS = 1 << 27
"""Numbers that a block may make at once (half a gigabyte) before it works in pieces."""
_PIECE_NUMBERS = 1 << 23
"""Numbers of a block's widest map in one piece."""
_DENSE_SIDE = 6
"""Maps up to this side are filtered by one matrix, larger ones row by row."""


class Stem(Protocol):
    """What is asked of the first stage."""

    layer: Layer
    mean: Tensor
    std: Tensor
    conv: ElasticConv
    norm: ElasticBatchNorm


class Separable(Protocol):
    """What is asked of the fixed block."""

    layer: Layer
    depthwise: ElasticDepthwise
    norm1: ElasticBatchNorm
    project: ElasticConv
    norm2: ElasticBatchNorm


class Bottleneck(Protocol):
    """What is asked of an elastic block."""

    layer: Layer
    hidden: dict[int, int]
    squeezed: dict[int, int]
    expand: ElasticConv
    norm1: ElasticBatchNorm
    depthwise: ElasticDepthwise
    norm2: ElasticBatchNorm
    squeeze: nn.Linear | None
    excite: nn.Linear | None
    project: ElasticConv
    norm3: ElasticBatchNorm


class Head(Protocol):
    """What is asked of the last stage."""

    layer: Layer
    expand: ElasticConv
    norm: ElasticBatchNorm
    mix: nn.Linear | None
    classifier: nn.Linear


def activate(x: Tensor, layer: Layer) -> Tensor:
    """The layer's activation, in place."""
    if layer.activation == "relu":
        return x.relu_()
    if layer.activation == "relu6":
        return x.clamp_(0, 6)
    return F.hardswish(x, inplace=True)


def stem(stage: Stem, x: Tensor, context: BranchContext) -> Tensor:
    """Images (n, c, h, w) -> (o, h', w', n)."""
    layer, n = stage.layer, len(x)
    out_h, out_w = (-(-side // layer.stride) for side in x.shape[2:])
    out = x.new_empty((layer.out_channels, out_h, out_w, n))
    step = max(1, _PIECE_NUMBERS // (out[..., 0].numel() + x[0].numel()))
    for start in range(0, n, step):
        part = (x[start : start + step] - stage.mean) / stage.std
        y = F.conv2d(part, stage.conv.weight, stride=layer.stride, padding=1)
        out[..., start : start + step] = y.permute(1, 2, 3, 0)
    return activate(normalize(out, stage.norm, slice(None), context.calibration_rows), layer)


def separable(stage: Separable, x: Tensor, context: BranchContext) -> Tensor:
    """The first block; (c, h, w, n) -> (o, h', w', n)."""
    layer, rows, n = stage.layer, context.calibration_rows, x.shape[-1]
    size = tuple(-(-side // layer.stride) for side in x.shape[1:3])
    out = x.new_empty((layer.out_channels, *size, n))
    deep = x.new_empty((layer.in_channels, *size, n))
    filter_channels(x, stage.depthwise.weight, layer.stride, deep)
    activate(normalize(deep, stage.norm1, slice(None), rows), layer)
    torch.mm(stage.project.weight.flatten(1), deep.flatten(1), out=out.view(layer.out_channels, -1))
    normalize(out, stage.norm2, slice(None), rows)
    return out.add_(x) if layer.shortcut else out


def head(stage: Head, x: Tensor, context: BranchContext) -> Tensor:
    """(c, h, w, n) -> logits (n, classes); zero for rows that nobody reads."""
    layer, rows, (c, height, width, n) = stage.layer, context.calibration_rows, x.shape
    wanted = context.answers_from
    pooled = x.new_empty((layer.out_channels, n - wanted))
    affine = (x.new_empty(layer.out_channels), x.new_empty(layer.out_channels))
    step = max(1, _MOST_NUMBERS // (4 * x[0].numel()))
    for start in range(0, layer.out_channels, step):
        span = slice(start, start + step)
        matrix = stage.expand.weight[span].flatten(1)
        y = (matrix @ x.view(c, -1)).view(len(matrix), height, width, n)
        _measure(y[..., :rows], stage.norm, span, affine)
        pooled[span] = activate(_applied(y[..., wanted:], span, affine), layer).mean((1, 2))
    if stage.mix is not None:
        pooled = activate(stage.mix.weight @ pooled, layer)
    logits = x.new_zeros((n, len(stage.classifier.weight)))
    logits[wanted:] = torch.addmm(stage.classifier.bias[:, None], stage.classifier.weight, pooled).T
    return logits


# --- depthwise convolution ----------------------------------------------------------------------


def filter_channels(x: Tensor, weight: Tensor, stride: int, out: Tensor) -> None:
    """A "same" depthwise convolution of (c, h, w, n) with filters (c, 1, k, k), written into `out` (c, h', w', n).

    A map of a few pixels is one vector, and the filter a matrix; of a larger one, each row of the output is a product
    of the filter, unfolded over a row, with the k input rows around it.
    """
    c, height, width, n = x.shape
    kernel, margin = weight.shape[-1], weight.shape[-1] // 2
    if max(height, width) <= _DENSE_SIDE:
        matrix = unfold_kernel(weight, (height, width), stride)[:, :, 0].to(
            x.dtype
        )  # which autocast may have rounded
        torch.bmm(matrix, x.reshape(c, -1, n), out=out.view(c, -1, n))
        return
    matrix = _unfold_rows(weight, width, stride)  # (c, w', k, w)
    for row in range(out.shape[1]):
        first = row * stride - margin
        low, high = max(first, 0), min(first + kernel, height)
        taps = matrix[:, :, low - first : high - first].flatten(2)
        out[:, row] = torch.bmm(taps, x[:, low:high].reshape(c, -1, n))


def _unfold_rows(weight: Tensor, width: int, stride: int) -> Tensor:
    """(c, w', k, w): entry [c, q, i, p] multiplies pixel p of the i-th of k rows into pixel q of the row between them."""
    c, _, kernel, _ = weight.shape
    impulses = torch.eye(width, dtype=weight.dtype, device=weight.device).view(width, 1, 1, width)
    lines = weight.reshape(c * kernel, 1, 1, kernel)
    flat = F.conv2d(impulses, lines, stride=(1, stride), padding=(0, kernel // 2))
    return flat.view(width, c, kernel, -1).permute(1, 3, 2, 0).contiguous()


# --- inverted bottlenecks -----------------------------------------------------------------------


def bottleneck_siblings(
    stage: Bottleneck, x: Tensor, settings: Sequence[tuple[int, int]], context: BranchContext
) -> list[Tensor]:
    """Outputs of one block for several (kernel, expansion ratio) settings of one input."""
    layer, n = stage.layer, x.shape[-1]
    size = tuple(-(-side // layer.stride) for side in x.shape[1:3])
    area_in, area = x.shape[1] * x.shape[2], size[0] * size[1]
    kernels = len(stage.depthwise.kernels)
    whole = max(stage.hidden.values()) * (area_in + kernels * area) * n
    outs = [x.new_empty((layer.out_channels, *size, n)) for _ in settings]
    if whole <= _MOST_NUMBERS:
        _all_at_once(stage, x, settings, outs, context)
    else:
        _in_pieces(stage, x, settings, outs, context)
    for out in outs:
        normalize(out, stage.norm3, slice(None), context.calibration_rows)
        if layer.shortcut:
            out.add_(x)
    return outs


def _bands(stage: Bottleneck, settings: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of hidden channels between the widths that there are, up to the widest that is asked for."""
    widest = max(stage.hidden[ratio] for _, ratio in settings)
    edges = sorted({0, *stage.hidden.values()})
    return [(low, high) for low, high in pairwise(edges) if high <= widest]


def _kernels(settings: Sequence[tuple[int, int]]) -> list[int]:
    return sorted({kernel for kernel, _ in settings})


def _all_at_once(
    stage: Bottleneck,
    x: Tensor,
    settings: Sequence[tuple[int, int]],
    outs: Sequence[Tensor],
    context: BranchContext,
) -> None:
    """Projections, before their normalization, with every map of the block in memory."""
    layer, rows, (c, height, width, n) = stage.layer, context.calibration_rows, x.shape
    bands, flat = _bands(stage, settings), x.view(c, -1)
    widest, size = bands[-1][1], outs[0].shape[1:3]
    hidden = x.new_empty((widest, height, width, n))
    for low, high in bands:
        torch.mm(stage.expand.weight[low:high].flatten(1), flat, out=hidden[low:high].view(high - low, -1))
        activate(normalize(hidden[low:high], stage.norm1, slice(low, high), rows), layer)
    deep = {}
    for kernel in _kernels(settings):
        weight = stage.depthwise.kernel_weight(widest, kernel)
        deep[kernel] = x.new_empty((widest, *size, n))
        for low, high in bands:
            part = deep[kernel][low:high]
            filter_channels(hidden[low:high], weight[low:high], layer.stride, part)
            activate(normalize(part, stage.norm2, slice(low, high), rows), layer)
    del hidden
    means = {
        kernel: torch.cat([maps[low:high].mean((1, 2)) for low, high in bands])
        for kernel, maps in deep.items()
        if stage.squeezed
    }
    for (kernel, ratio), out in zip(settings, outs, strict=True):
        width = stage.hidden[ratio]
        chosen = deep[kernel][:width]
        if stage.squeezed:
            chosen = chosen * gates(stage, means[kernel][:width], ratio)[:, None, None]
        torch.mm(
            stage.project.weight[:, :width].flatten(1), chosen.view(width, -1), out=out.view(len(out), -1)
        )


def gates(stage: Bottleneck, means: Tensor, ratio: int) -> Tensor:
    """Squeeze-and-excite: channel means (hidden, n) -> factors (hidden, n)."""
    assert stage.squeeze is not None
    assert stage.excite is not None
    units, hidden = stage.squeezed[ratio], stage.hidden[ratio]
    weight, bias = stage.squeeze.weight[:units, :hidden], stage.squeeze.bias[:units, None]
    squeezed = torch.addmm(bias, weight, means).relu_()
    weight, bias = stage.excite.weight[:hidden, :units], stage.excite.bias[:hidden, None]
    return F.hardsigmoid(torch.addmm(bias, weight, squeezed), inplace=True)


def _in_pieces(
    stage: Bottleneck,
    x: Tensor,
    settings: Sequence[tuple[int, int]],
    outs: Sequence[Tensor],
    context: BranchContext,
) -> None:
    """Projections, before their normalization, with the maps of a few samples in memory."""
    layer, n = stage.layer, x.shape[-1]
    bands, kernels = _bands(stage, settings), _kernels(settings)
    first, second = _affine(stage, x[..., : context.calibration_rows], bands, kernels)
    weights = {kernel: stage.depthwise.kernel_weight(bands[-1][1], kernel) for kernel in kernels}
    step = max(1, _PIECE_NUMBERS // (max(stage.hidden.values()) * x.shape[1] * x.shape[2]))
    for start in range(0, n, step):
        span = slice(start, start + step)
        images = x[..., span].permute(3, 0, 1, 2).contiguous()
        parts = [F.conv2d(images, stage.expand.weight[low:high]) for low, high in bands]
        hidden = activate(_scaled(torch.cat(parts, 1), first), layer)
        for kernel in kernels:
            deep = torch.cat(
                [
                    F.conv2d(
                        hidden[:, low:high],
                        weights[kernel][low:high],
                        stride=layer.stride,
                        padding=kernel // 2,
                        groups=high - low,
                    )
                    for low, high in bands
                ],
                1,
            )
            activate(_scaled(deep, second[kernel]), layer)
            for (which, ratio), out in zip(settings, outs, strict=True):
                if which == kernel:
                    chosen = deep[:, : stage.hidden[ratio]]
                    if stage.squeezed:
                        gate = gates(stage, chosen.mean((2, 3)).T.contiguous(), ratio).T
                        chosen = chosen * gate[:, :, None, None]
                    y = F.conv2d(chosen, stage.project.weight[:, : stage.hidden[ratio]])
                    out[..., span] = y.permute(1, 2, 3, 0)


Affine = tuple[Tensor, Tensor]
"""(c,) factors and (c,) offsets of a normalization whose statistics are known."""


def _scaled(x: Tensor, affine: Affine) -> Tensor:
    """(n, c, h, w) normalized in place."""
    factor, offset = (each.view(1, -1, 1, 1) for each in affine)
    return torch.addcmul(offset, x, factor, out=x)


def _affine(
    stage: Bottleneck, x: Tensor, bands: Sequence[tuple[int, int]], kernels: Sequence[int]
) -> tuple[Affine, dict[int, Affine]]:
    """The normalizations of a block's hidden channels, by calibration samples (c, h, w, m), a few channels at a time."""
    layer, (c, height, width, m) = stage.layer, x.shape
    widest, flat = bands[-1][1], x.reshape(c, -1)
    size = tuple(-(-side // layer.stride) for side in (height, width))
    first = (x.new_empty(widest), x.new_empty(widest))
    second = {kernel: (x.new_empty(widest), x.new_empty(widest)) for kernel in kernels}
    step = max(1, _MOST_NUMBERS // (8 * height * width * m))
    for low, high in bands:
        for start in range(low, high, step):
            span = slice(start, min(start + step, high))
            matrix = stage.expand.weight[span].flatten(1)
            hidden = (matrix @ flat).view(len(matrix), height, width, m)
            _measure(hidden, stage.norm1, span, first)
            activate(_applied(hidden, span, first), layer)
            for kernel in kernels:
                weight = stage.depthwise.kernel_weight(span.stop, kernel)[span]
                deep = x.new_empty((len(matrix), *size, m))
                filter_channels(hidden, weight, layer.stride, deep)
                _measure(deep, stage.norm2, span, second[kernel])
    return first, second


def _measure(x: Tensor, norm: ElasticBatchNorm, span: slice, into: Affine) -> None:
    """Write what normalizes channels (c, h, w, m) by their own statistics."""
    flat = x.flatten(1, 2)
    mean = flat.mean((1, 2))
    # As `normalize` does it: one pixel at a time keeps digits that one long sum would lose.
    deviation = torch.linalg.vector_norm(flat - mean.view(-1, 1, 1), dim=2)
    variance = deviation.square_().mean(1).div_(x.shape[-1])
    into[0][span] = norm.weight[span] * torch.rsqrt(variance + norm.epsilon)
    into[1][span] = norm.bias[span] - mean * into[0][span]


def _applied(x: Tensor, span: slice, affine: Affine) -> Tensor:
    """(c, h, w, m) normalized in place."""
    factor, offset = (each[span].view(-1, 1, 1, 1) for each in affine)
    return torch.addcmul(offset, x, factor, out=x)
