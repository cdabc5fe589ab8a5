"""DiffKendall: Kendall's tau with sigmoids instead of signs, so that it can be learned by gradient.

Source: Zheng et al., "DiffKendall: a novel approach for few-shot learning with differentiable Kendall's rank
correlation", NeurIPS 2023; in the form that ParZC uses for architectures, both differences through a sigmoid.
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_tau(a: Tensor, b: Tensor, steepness: float) -> Tensor:
    """(...,) mean over pairs of (s(d a) - s(-d a)) (s(d b) - s(-d b)), where s is the sigmoid of `steepness` times it.

    Without ties it becomes Kendall's tau as the steepness grows.

    Args:
        a, b: (..., n) numbers; a single one has no pair, and 0 is returned.
        steepness: above 0.
    """
    n = a.shape[-1]
    # s(x) - s(-x) is tanh(x / 2). Every pair stands twice, with both signs turned; a number with itself gives 0.
    up, down = (torch.tanh(steepness / 2 * (each[..., :, None] - each[..., None, :])) for each in (a, b))
    return (up * down).sum((-2, -1)) / max(n * (n - 1), 1)


def diff_kendall(guesses: Tensor, values: Tensor, steepness: float) -> Tensor:
    """(...,) loss from 0 (the order is right and clear) to 2 (it is reversed); arguments as `soft_tau`."""
    return 1 - soft_tau(guesses, values, steepness)
