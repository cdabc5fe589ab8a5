"""The transformer, for training. What is asked of it later is computed without torch, by `forward`.

Rows with a known value are the context, the others are asked for. There is no position: the context is a set. Every
row looks at the context; one that is asked for looks at itself besides, and at no other that is asked for.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.predictors.prior_fitted.bars import tail_scales


class PriorFitted(nn.Module):
    """Rows with and without values in, logits over bars out.

    Args:
        features: columns of a row.
        bars: of the distribution.
        width, depth, heads: of the transformer.
    """

    def __init__(self, features: int, bars: int, *, width: int = 64, depth: int = 6, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.row = nn.Linear(features, width)
        self.value = nn.Linear(1, width)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.answer = nn.Linear(width, bars)

    def forward(self, known: Tensor, values: Tensor, asked: Tensor) -> Tensor:
        """(b, m, bars) logits.

        Args:
            known: (b, n, features) rows of the context.
            values: (b, n) their values, standardized.
            asked: (b, m, features) other rows.
        """
        n = known.shape[1]
        x = torch.cat([self.row(known) + self.value(values[..., None]), self.row(asked)], 1)
        for layer in self.layers:
            x = layer(x, n)
        answered: Tensor = self.answer(self.norm(x[:, n:]))
        return answered


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, n: int) -> Tensor:
        x = x + self.joined(self._attend(self.norm1(x), n))
        narrowed: Tensor = self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh"))
        return x + narrowed

    def _attend(self, x: Tensor, n: int) -> Tensor:
        b, rows, width = x.shape
        q, k, v = (
            part.reshape(b, rows, self.heads, -1).transpose(1, 2) for part in self.mixed(x).chunk(3, -1)
        )
        scores = q @ k[:, :, :n].transpose(-1, -2) / math.sqrt(q.shape[-1])
        own = (q * k).sum(-1, keepdim=True) / math.sqrt(q.shape[-1])
        # The context holds its rows already.
        own = torch.cat([torch.full_like(own[:, :, :n], -torch.inf), own[:, :, n:]], 2)
        weights = torch.cat([scores, own], -1).softmax(-1)
        mixed: Tensor = weights[..., :-1] @ v[:, :, :n] + weights[..., -1:] * v
        return mixed.transpose(1, 2).reshape(b, rows, width)


def log_density(logits: Tensor, borders: Tensor, values: Tensor) -> Tensor:
    """Log density of (...,) values under (..., bars) logits; see `bars`."""
    low, high = tail_scales(borders.double().numpy())
    bar = (torch.searchsorted(borders, values.contiguous()) - 1).clamp(0, len(borders) - 2)
    width = (borders[1:] - borders[:-1]).clamp(min=1e-12)
    inside = -width.log()[bar]
    for at, edge, scale, sign in ((0, borders[1], low, 1.0), (len(borders) - 2, borders[-2], high, -1.0)):
        beyond = sign * (edge - values)
        tail = math.log(math.sqrt(2 / math.pi) / scale) - beyond.square() / (2 * scale**2)
        inside = torch.where(bar == at, tail, inside)
    chosen = logits.log_softmax(-1).gather(-1, bar[..., None])[..., 0]
    return chosen + inside
