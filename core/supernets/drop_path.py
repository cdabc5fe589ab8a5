"""Dropping paths while a network is trained: an architecture that says with which probability.

Nothing is remembered by the network: what is dropped travels with the architecture, so that a click that looks at the
same weights in the same moment drops nothing.

Source: Larsson et al., FractalNet, ICLR 2017; linear schedule: Zoph et al., NASNet, CVPR 2018 (ScheduledDropPath).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class DroppingArch(tuple[int, ...]):
    """An architecture in training, some of whose paths are dropped.

    Attributes:
        drop: probability that a path is dropped, per sample; below 1.
        dropout: probability that a feature is zeroed before the last layer; below 1.
        generator: source of chance.
        share: (first row, rows) of the samples in a batch that several processes share: chance is drawn for all of it,
            so that a sample loses what it loses in one process; None where the batch is whole.
    """

    drop: float
    dropout: float
    generator: torch.Generator
    share: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, arch: Sequence[int], drop: float, generator: torch.Generator, *, dropout: float = 0.0
    ) -> DroppingArch:
        """The architecture with its probabilities; raises ValueError where one is none."""
        if not (0 <= drop < 1 and 0 <= dropout < 1):
            raise ValueError("the probability of dropping something is at least 0 and less than 1")
        made = cls(arch)
        made.drop, made.dropout, made.generator = drop, dropout, generator
        return made


def thinned(x: Tensor, arch: Sequence[int], share: float = 1.0) -> Tensor:
    """A path's output with whole samples dropped and the others scaled up, so that its expectation stays.

    Outside training, where the architecture is a plain one, nothing happens.

    Args:
        x: (n, ...) what the path brings.
        arch: says with which probability paths are dropped.
        share: of that probability, for a path that is dropped less often than others.
    """
    if not isinstance(arch, DroppingArch) or arch.drop * share == 0:
        return x
    keep = 1 - arch.drop * share
    drawn = _chance(x.shape[:1], arch) < keep
    mask = drawn.to(x.device, x.dtype).div_(keep)
    return x * mask.view(-1, *[1] * (x.ndim - 1))


def faded(x: Tensor, arch: Sequence[int]) -> Tensor:
    """Features of which some are zeroed and the others scaled up, so that their expectation stays; as `thinned`."""
    if not isinstance(arch, DroppingArch) or arch.dropout == 0:
        return x
    keep = 1 - arch.dropout
    drawn = _chance(x.shape, arch) < keep
    return x * drawn.to(x.device, x.dtype).div_(keep)


def _chance(shape: torch.Size, arch: DroppingArch) -> Tensor:
    """Uniform numbers, the first axis being samples."""
    if arch.share is None:
        return torch.rand(shape, generator=arch.generator)
    start, of = arch.share
    return torch.rand((of, *shape[1:]), generator=arch.generator)[start : start + shape[0]]
