"""The first block of BERT."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, Count, Epsilon, Example
from core.networks.blocks.sequence_embedding import TextKind
from core.networks.groups import UnitWalk


class BertEmbedding(nn.Module):
    """Token numbers (n, t) and their mask to vectors (n, t, width) and the mask: token, segment 0, position; LayerNorm."""

    def __init__(self, vocabulary: int, width: int, length: int, token_types: int, epsilon: float) -> None:
        super().__init__()
        self.arguments = {
            "vocabulary": vocabulary,
            "width": width,
            "length": length,
            "token_types": token_types,
            "epsilon": epsilon,
        }
        self.token = nn.Embedding(vocabulary, width)
        self.token_type = nn.Embedding(token_types, width)
        self.position = nn.Parameter(torch.zeros(1, length, width))
        self.norm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        tokens, mask = inputs
        return self.norm(self.token(tokens) + self.token_type.weight[0] + self.position), mask


@BLOCKS.register("bert_embedding")
class BertEmbeddingKind(TextKind):
    """Tokens as vectors, with segments and positions that are learned; one text is segment 0 throughout."""

    label = "BERT embedding"
    source = "Devlin et al., BERT, NAACL 2019"
    module = BertEmbedding
    arguments = {
        "vocabulary": Count(1_000_000),
        "width": Count(),
        "length": Count(4096),
        "token_types": Count(64),
        "epsilon": Epsilon(1e-12),
    }
    embeddings = ("token.weight", "token_type.weight", "position")
    example = Example(
        (6,),
        (
            (
                "BertEmbedding",
                {"vocabulary": 9, "width": 6, "length": 6, "token_types": 2, "epsilon": 1e-12},
            ),
            ("PooledTokenHead", {"width": 6, "pooled": 5, "classes": 3}),
        ),
    )

    def units(self, block: BertEmbedding, walk: UnitWalk) -> None:
        width = block.token.embedding_dim
        walk.makes("token.weight", width, axis=1)
        walk.scales(["token_type.weight"], width, axis=1)
        walk.scales(["position"], width, axis=2)
        walk.averages("norm", width)
        walk.shows(width)
