"""Several architectures in one pass: each sample keeps the first units of every layer, the others are masked.

Where only LayerNorm normalizes, a masked pass through the largest layers is, sample by sample, the sliced pass: what a
subnet does not have is zero before anything reads it, and the norm counts kept channels alone. BatchNorm mixes the
samples of all subnets and cannot be masked.

The layers of `core.supernets.sliced` take a number of first units, which slices, or a `Kept`, which masks, so a stage
writes its forward once.

Source: Liao et al., Searching for Efficient Multi-Stage Vision Transformers (ViT-ResNAS), 2021 (multi-architectural
sampling, masked LayerNorm).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.spaces import Arch


class ManyArchs(tuple[Arch, ...]):
    """Architectures of one pass: sample i runs architecture i modulo their number."""


class Kept(NamedTuple):
    """How many first units of a layer each sample keeps.

    Attributes:
        share: (n, 1, 1) of all units; 0 where a sample keeps none.
        mask: (n, 1, units) ones and zeros.
    """

    share: Tensor
    mask: Tensor

    @classmethod
    def of(cls, sizes: Sequence[int], units: int, like: Tensor) -> Kept:
        """Of several architectures.

        Args:
            sizes: units that each keeps.
            units: of the layer.
            like: (n, ...) what the samples are, on its device and of its type.
        """
        counts = torch.tensor(sizes, device=like.device)
        masks = (torch.arange(units, device=like.device) < counts[:, None]).to(like.dtype)
        rows = torch.arange(len(like), device=like.device) % len(sizes)
        share = counts.to(like.dtype) / units
        return cls(share[rows, None, None], masks[rows, None, :])


Units = int | Kept
"""First units of a layer: of all samples as many, or of each its own."""


def kept(arch: Sequence[int], size: Callable[[Sequence[int]], int], units: int, like: Tensor) -> Units:
    """How many first units of a layer the samples keep.

    Args:
        arch: an architecture, or a `ManyArchs`.
        size: units of the layer in one architecture.
        units: of the layer at its largest.
        like: what the samples are.
    """
    if not isinstance(arch, ManyArchs):
        return size(arch)
    return Kept.of([size(each) for each in arch], units, like)


def whole(units: Units) -> int:
    """Units that are computed, kept or not."""
    return units if isinstance(units, int) else units.mask.shape[2]


def only(x: Tensor, units: Units) -> Tensor:
    """(n, t, units) with zeros where a sample keeps nothing."""
    return x if isinstance(units, int) else x * units.mask


def masked_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float, units: Kept) -> Tensor:
    """LayerNorm over the channels that each sample keeps; zero elsewhere.

    With p the share of channels that are kept: the mean over all channels, divided by p, is the mean over those, since
    the others are zero; and so the variance. It is taken of what is centered, where the paper subtracts the mean's
    square: the same, and exact where the mean is large.

    Args:
        x: (n, t, units), zero where a channel is not kept.
        weight, bias: (units,).
        epsilon: added to the variance.
        units: what each sample keeps, at least one channel.
    """
    centered = (x - x.mean(2, keepdim=True) / units.share) * units.mask
    variance = centered.square().mean(2, keepdim=True) / units.share
    return centered * (variance + epsilon).rsqrt() * weight + bias * units.mask
