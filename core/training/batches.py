"""Order and augmentation of training images, as functions of (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from core.datasets.base import Split
from core.seeding import stream


def epoch_batches(
    split: Split, batch_size: int, seed: int, epoch: int, *, shift: int, flip: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented (images, labels) of one epoch; the last incomplete batch is left out."""
    order = stream(seed, "order", epoch).permutation(len(split))
    rng = stream(seed, "augmentation", epoch)
    size = min(batch_size, len(split))
    for start in range(0, len(order) - size + 1, size):
        picked = order[start : start + size]
        images, labels = torch.from_numpy(split.x[picked]), torch.from_numpy(split.y[picked])
        if shift:
            images = shifted(images, rng.integers(0, 2 * shift + 1, (size, 2)), shift)
        if flip:
            mirror = torch.from_numpy(rng.random(size) < 0.5)
            images = torch.where(mirror[:, None, None, None], images.flip(3), images)
        yield images, labels


def steps_per_epoch(n: int, batch_size: int) -> int:
    return max(1, n // min(batch_size, n))


def shifted(images: Tensor, offsets: NDArray[np.int64], margin: int) -> Tensor:
    """Each image (c, h, w) cut from its zero-padded self at its own offset (0 to 2 * margin)."""
    # One index per axis, so that the result is laid out as (n, c, h, w): with channels last, oneDNN's
    # kernels for AVX2 machines write past the end of tensors with few channels (torch 2.13).
    n, channels, height, width = images.shape
    padded = F.pad(images, (margin,) * 4)
    rows = torch.from_numpy(offsets[:, :1]) + torch.arange(height)
    columns = torch.from_numpy(offsets[:, 1:]) + torch.arange(width)
    which, channel = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
    return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]
