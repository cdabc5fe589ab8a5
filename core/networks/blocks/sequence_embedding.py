"""The first block of a network for texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class SequenceEmbedding(nn.Module):
    """Token numbers (n, t) and their mask to vectors (n, t, width) and the mask: a row per token, plus its position."""

    def __init__(self, vocabulary: int, width: int, length: int) -> None:
        super().__init__()
        self.arguments = {"vocabulary": vocabulary, "width": width, "length": length}
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(1, length, width))

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        tokens, mask = inputs
        return self.token(tokens) + self.position, mask


class TextKind(BlockKind):
    """A block that reads token numbers and their mask, by a table of tokens and a table of positions."""

    sizes = {"width": ("token.weight", 1)}
    input_limits = (4096,)

    def input_shape(self, block: Any) -> tuple[int, ...]:
        return (block.position.shape[1],)

    def inputs(
        self,
        block: Any,
        shape: Sequence[int],
        rows: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Texts of padding that counts, or random ones of different lengths."""
        (length,) = shape
        if generator is None:
            return torch.zeros(rows, length, dtype=torch.int64), torch.ones(rows, length, dtype=torch.bool)
        tokens = torch.randint(0, block.token.num_embeddings, (rows, length), generator=generator)
        ends = torch.randint(1, length + 1, (rows, 1), generator=generator)
        return tokens, torch.arange(length)[None] < ends

    def takes(self, shape: Sequence[int]) -> str:
        return f"token numbers (n, {shape[0]}) and a mask (n, {shape[0]}) that is true where there is a token"


@BLOCKS.register("sequence_embedding")
class SequenceEmbeddingKind(TextKind):
    """Tokens as vectors, with positions that are learned."""

    label = "Sequence embedding"
    source = "Vaswani et al., 'Attention is all you need', NeurIPS 2017 (learned positions: Devlin et al., BERT, 2019)"
    module = SequenceEmbedding
    arguments = {"vocabulary": Count(1_000_000), "width": Count(), "length": Count(4096)}
    embeddings = ("token.weight", "position")
    example = Example(
        (6,),
        (
            ("SequenceEmbedding", {"vocabulary": 9, "width": 5, "length": 6}),
            ("MaskedMeanHead", {"width": 5, "classes": 3}),
        ),
    )

    def units(self, block: SequenceEmbedding, walk: UnitWalk) -> None:
        width = block.token.embedding_dim
        walk.makes("token.weight", width, axis=1)
        walk.scales(["position"], width, axis=2)
        walk.shows(width)
