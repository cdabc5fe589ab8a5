"""Queries, keys and values of a stage's self-attention: what losses that compare attentions look at."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Attention(NamedTuple):
    """What one layer's self-attention is made from.

    Attributes:
        query, key, value: (n, t, entries), the heads side by side; keys and values may have fewer.
        mask: (n, t), true where there is a token; None where all are.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None = None

    def detached(self) -> Attention:
        """The same without gradients."""
        return Attention(self.query.detach(), self.key.detach(), self.value.detach(), self.mask)

    def first(self, n: int) -> Attention:
        """Of the first n samples."""
        mask = None if self.mask is None else self.mask[:n]
        return Attention(self.query[:n], self.key[:n], self.value[:n], mask)
