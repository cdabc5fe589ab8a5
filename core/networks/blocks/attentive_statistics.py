"""From channels over time to two numbers per channel: mean and deviation, weighted by attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class AttentiveStatistics(nn.Module):
    """Attention over time for each channel; weighted means, then weighted deviations (n, 2 * channels); BatchNorm."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "bottleneck": bottleneck}
        self.attend = nn.Conv1d(channels, bottleneck, 1, bias=False)
        self.score = nn.Conv1d(bottleneck, channels, 1, bias=False)
        self.norm = nn.BatchNorm1d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        attention = self.score(torch.tanh(self.attend(x))).softmax(2)
        mean = (attention * x).sum(2, keepdim=True)
        variance = (attention * (x - mean).square()).sum(2)
        return self.norm(torch.cat([mean.squeeze(2), variance.clamp(min=1e-9).sqrt()], 1))


@BLOCKS.register("attentive_statistics")
class AttentiveStatisticsKind(BlockKind):
    """Weighted mean and deviation over time, BatchNorm."""

    label = "Attentive statistics pooling"
    source = "Okabe et al., Interspeech 2018; per channel: Desplanques et al., ECAPA-TDNN, Interspeech 2020"
    module = AttentiveStatistics
    arguments = {"channels": Count(), "bottleneck": Count()}
    sizes = {"channels": ("attend.weight", 1), "bottleneck": ("attend.weight", 0)}
    example = Example(
        (2, 12),
        (
            ("TdnnStem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 1}),
            ("AttentiveStatistics", {"channels": 5, "bottleneck": 4}),
            ("EmbeddingHead", {"in_features": 10, "embedding": 4, "classes": 3}),
        ),
    )

    def units(self, block: AttentiveStatistics, walk: UnitWalk) -> None:
        width = block.attend.in_channels
        walk.reads("attend.weight", width)
        walk.inner(
            "attention",
            block.attend.out_channels,
            made=["attend.weight"],
            scaled=[],
            read=["score.weight"],
            shown="attend",
        )
        walk.scales(["score.weight", *batch_norm("norm")], width)
        walk.scales(batch_norm("norm"), width, start=width)
        walk.shows(width)
