"""Imitating the self-relations of another network's queries, keys and values."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from core.errors import InvalidInput
from core.training.losses.base import LOSSES, Imitating, Imitation, LossContext


class Config(Imitation):
    """Settings of relation distillation of attentions."""

    teacher: Literal["largest", "teacher", "previous"] = Field(
        "teacher",
        description="Who is imitated: the largest subnet, the frozen teacher, the draw before.",
    )
    heads: int = Field(
        4,
        ge=1,
        le=128,
        description="Relation heads, the same for both networks whatever heads they have: entries of all heads are divided anew.",
    )


@LOSSES.register("attention_relations")
class AttentionRelations(Imitating):
    """Squared distance of relation matrices: how tokens relate by queries, by keys and by values, in the last layer.

    A relation matrix is Q Q^T / sqrt(d) of each relation head (and K K^T, V V^T), of one size for every width and
    number of heads. Entries that do not fill the relation heads evenly are left out, the last ones. Pairs with padding
    do not count. No label enters, and nothing reaches the head.
    """

    label = "Attention relations"
    source = (
        "Xu et al., AutoDistil, NeurIPS 2022 (as in its code: products without softmax, three sums of equal weight, as many "
        "relation heads for all; padding is left out here); relation heads after Wang et al., MiniLMv2, ACL 2021"
    )
    Config = Config
    looks_at_attention = True
    shareable = False

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        given, wanted = context.attention, context.attentions[self.teacher].detached()
        assert given is not None
        total = torch.zeros((), device=given.query.device)
        for mine, theirs in zip(given[:3], wanted[:3], strict=True):
            apart = relations(mine, self.config.heads) - relations(theirs, self.config.heads)
            total = total + _mean(apart.square(), given.mask)
        return total


def relations(entries: Tensor, heads: int) -> Tensor:
    """(n, heads, t, t) scaled products of every two tokens, of (n, t, entries) divided into so many relation heads.

    Raises:
        InvalidInput: there are fewer entries than heads.
    """
    n, t, size = entries.shape
    each = size // heads
    if not each:
        raise InvalidInput(
            f"A subnet's heads have {size} entries together, too few for {heads} relation heads. Set fewer relation heads."
        )
    split = entries[:, :, : each * heads].reshape(n, t, heads, each).transpose(1, 2)
    return split @ split.transpose(2, 3) / each**0.5


def _mean(squares: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of (n, heads, t, t) over pairs of tokens that are both no padding; 0 where there are none."""
    if mask is None:
        return squares.mean()
    pairs = (mask[:, :, None] & mask[:, None, :])[:, None].to(squares.dtype)
    return (squares * pairs).sum() / (pairs.sum() * squares.shape[1]).clamp_min(1)
