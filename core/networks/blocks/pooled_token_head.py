"""The last block of BERT."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class PooledTokenHead(nn.Module):
    """The first token's vector through a layer and tanh, then a linear layer."""

    def __init__(self, width: int, pooled: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "pooled": pooled, "classes": classes}
        self.pooler = nn.Linear(width, pooled)
        self.linear = nn.Linear(pooled, classes)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        x, _ = inputs
        return self.linear(self.pooler(x[:, 0]).tanh())


@BLOCKS.register("pooled_token_head")
class PooledTokenHeadKind(BlockKind):
    """Linear layer and tanh on the first token, then the classifier."""

    label = "Pooled token head"
    source = "Devlin et al., BERT, NAACL 2019 (the pooler), with its classifier for one text"
    module = PooledTokenHead
    arguments = {"width": Count(), "pooled": Count(), "classes": Count()}
    sizes = {"width": ("pooler.weight", 1), "pooled": ("pooler.weight", 0)}
    example = Example(
        (6,),
        (
            ("SequenceEmbedding", {"vocabulary": 9, "width": 5, "length": 6}),
            ("PooledTokenHead", {"width": 5, "pooled": 7, "classes": 4}),
        ),
    )

    def units(self, block: PooledTokenHead, walk: UnitWalk) -> None:
        walk.reads("pooler.weight", block.pooler.in_features)
        walk.inner(
            "pooled",
            block.pooler.out_features,
            made=["pooler.weight"],
            scaled=["pooler.bias"],
            read=["linear.weight"],
            shown="pooler",
        )
