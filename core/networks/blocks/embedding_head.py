"""The last block of a network for series: an embedding, and the classes read from it."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class EmbeddingHead(nn.Module):
    """Pooled means and deviations (n, in_features), half each, to an embedding; BatchNorm; a linear layer."""

    def __init__(self, in_features: int, embedding: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_features": in_features, "embedding": embedding, "classes": classes}
        self.linear = nn.Linear(in_features, embedding)
        self.norm = nn.BatchNorm1d(embedding)
        self.classifier = nn.Linear(embedding, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.norm(self.linear(x)))


@BLOCKS.register("embedding_head")
class EmbeddingHeadKind(BlockKind):
    """Linear layer, BatchNorm, linear layer."""

    label = "Embedding head"
    source = "Desplanques et al., ECAPA-TDNN, Interspeech 2020"
    module = EmbeddingHead
    arguments = {"in_features": Count(), "embedding": Count(), "classes": Count()}
    sizes = {"in_features": ("linear.weight", 1), "embedding": ("linear.weight", 0)}
    foldable = (("linear", "norm"),)
    example = Example(
        (2, 12),
        (
            ("TdnnStem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 1}),
            ("AttentiveStatistics", {"channels": 5, "bottleneck": 4}),
            ("EmbeddingHead", {"in_features": 10, "embedding": 6, "classes": 3}),
        ),
    )

    def units(self, block: EmbeddingHead, walk: UnitWalk) -> None:
        half = block.linear.in_features // 2
        walk.reads("linear.weight", half)
        walk.reads("linear.weight", half, start=half)
        walk.inner(
            "embedding",
            block.linear.out_features,
            made=["linear.weight"],
            scaled=["linear.bias", *batch_norm("norm")],
            read=["classifier.weight"],
            shown="norm",
        )
