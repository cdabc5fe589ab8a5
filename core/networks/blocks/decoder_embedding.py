"""The first block of a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example, Name
from core.networks.groups import UnitWalk


class DecoderEmbedding(nn.Module):
    """Token numbers (n, t) and scored positions (n, p) to vectors (n, t, width), the positions, and the shared table.

    The table (vocabulary, width) is handed on where the head is to read it instead of one of its own.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        context: int,
        positions: str = "rotary",
        table: str = "own",
    ) -> None:
        super().__init__()
        self.arguments = {
            "vocabulary": vocabulary,
            "width": width,
            "context": context,
            "positions": positions,
            "table": table,
        }
        self.context, self.shares = context, table == "shared"
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width) if positions == "learned" else None

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        tokens, scored = inputs
        x = self.embedded(tokens)
        return (x, scored, self.token.weight) if self.shares else (x, scored)

    def embedded(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Vectors of tokens (n, t) that stand at the positions from `start` on."""
        x = self.token(tokens)
        if self.position is None:
            return x
        return x + self.position.weight[start : start + tokens.shape[1]]


@BLOCKS.register("decoder_embedding")
class DecoderEmbeddingKind(BlockKind):
    """Tokens as vectors, with positions that are learned or left to the attention."""

    label = "Decoder embedding"
    source = "Radford et al., GPT-2, 2019 (learned positions, shared table: Press and Wolf, EACL 2017)"
    module = DecoderEmbedding
    arguments = {
        "vocabulary": Count(1_000_000),
        "width": Count(),
        "context": Count(1_000_000),
        "positions": Name(("rotary", "learned")),
        "table": Name(("own", "shared")),
    }
    sizes = {"width": ("token.weight", 1)}
    embeddings = ("token.weight", "position.weight")
    input_limits = (4096,)
    example = Example(
        (6,),
        (
            (
                "DecoderEmbedding",
                {"vocabulary": 9, "width": 6, "context": 7, "positions": "learned", "table": "shared"},
            ),
            (
                "DecoderBlock",
                {
                    "width": 6,
                    "heads": 2,
                    "kv_heads": 2,
                    "head_size": 3,
                    "hidden": 5,
                    "norm": "layer",
                    "positions": "learned",
                    "mlp": "gelu_tanh",
                    "biases": "all",
                },
            ),
            ("DecoderHead", {"width": 6, "vocabulary": 9, "norm": "layer", "table": "shared"}),
        ),
    )

    def units(self, block: DecoderEmbedding, walk: UnitWalk) -> None:
        width = block.token.embedding_dim
        walk.makes("token.weight", width, axis=1)
        if block.position is not None:
            walk.scales(["position.weight"], width, axis=1)
        walk.shows(width)

    def input_shape(self, block: DecoderEmbedding) -> tuple[int, ...]:
        return (min(block.context, 6),)

    def inputs(
        self,
        block: DecoderEmbedding,
        shape: Sequence[int],
        rows: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Windows of the first token, or of random ones; every position is scored."""
        (length,) = shape
        scored = torch.arange(length).repeat(rows, 1)
        if generator is None:
            return torch.zeros(rows, length, dtype=torch.int64), scored
        return torch.randint(0, block.token.num_embeddings, (rows, length), generator=generator), scored

    def takes(self, shape: Sequence[int]) -> str:
        return f"token numbers (n, {shape[0]}) and, in ascending order, the positions (n, p) whose next token it tells"
