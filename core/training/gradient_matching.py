"""How much the options of a choice disagree about the weights they share, and how to part them.

For random architectures that differ in nothing but this choice, gradients of the shared weights are compared by their
cosine. Options are then divided into two groups whose members disagree least.

Source: Hu et al., "Generalizing few-shot NAS with gradient matching", ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MOST_BYTES = 1 << 29
"""Gradients of one choice are kept until all are there; where they take more, fewer architectures are looked at."""
_ALIKE = 1e-9

Groups = tuple[tuple[int, ...], tuple[int, ...]]


def distances(
    gradient: Callable[[int, int], Tensor], options: int, *, repeats: int, weights: int
) -> NDArray[np.float64]:
    """(options, options) mean of 1 - cosine between the options' gradients of the weights that they share.

    A weight belongs to the choice itself, and is left out, if some options never use it while others do: the operation
    an edge chose, the channels or the ring of a kernel that only the wider options have. Options of a width and of a
    kernel are compared like operations, by the slice that all of them use.

    Args:
        gradient: (repeat, option) -> (weights,) gradient; equal repeats differ in nothing but the option.
        options: n of the choice.
        repeats: how many architectures are looked at; at least 2.
        weights: numbers in a gradient.

    Returns:
        Symmetric, zero on the diagonal, between 0 and 2.
    """
    fitting = max(2, min(repeats, _MOST_BYTES // (4 * options * max(weights, 1))))
    found = torch.stack(
        [torch.stack([gradient(repeat, option) for option in range(options)]) for repeat in range(fitting)]
    )
    used = (found != 0).any(0)
    shared = found[:, :, used.all(0)].double()
    norms = shared.norm(dim=2, keepdim=True)
    directions = shared / norms.clamp_min(1e-300)
    apart = 1 - directions @ directions.transpose(1, 2)
    # Options that both teach nothing teach the same.
    silent = (norms == 0).squeeze(2)
    apart[silent[:, :, None] & silent[:, None, :]] = 0
    mean = apart.mean(0).clamp(0, 2)
    mean = (mean + mean.T) / 2
    mean.fill_diagonal_(0)
    result: NDArray[np.float64] = mean.cpu().numpy()
    return result


def partition(apart: NDArray[np.float64]) -> tuple[Groups, float]:
    """The two groups with the least distance within them, and the distance across: by all ways there are.

    Groups may be of any size, so two options that are the same always stay together. (The authors' code divides five
    operations into two and three.)

    Args:
        apart: (n, n) as `distances` returns it, n at least 2.
    """
    n, every = len(apart), float(np.triu(apart, 1).sum())
    best: tuple[float, list[float], Groups] | None = None
    for group in _first_groups(n):
        other = tuple(option for option in range(n) if option not in group)
        pairs = sorted(float(apart[a, b]) for side in (group, other) for a, b in combinations(side, 2))
        within = sum(pairs)
        if best is None or within < best[0] - _ALIKE or (within < best[0] + _ALIKE and pairs < best[1]):
            best = (within, pairs, (group, other))
    assert best is not None
    return best[2], every - best[0]


def _first_groups(n: int) -> Sequence[tuple[int, ...]]:
    """Every group that holds option 0 and is not all of them."""
    return [(0, *rest) for size in range(n - 1) for rest in combinations(range(1, n), size)]
