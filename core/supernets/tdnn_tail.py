"""The last stages of EfficientTDNN: concatenation of the blocks, pooling over time, head."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.attentive_statistics import AttentiveStatistics
from core.networks.blocks.concat_conv import ConcatConv
from core.networks.blocks.embedding_head import EmbeddingHead
from core.spaces import SearchSpace
from core.supernets.base import BranchContext, Stage
from core.supernets.elastic_conv1d import ElasticConv1d, in_parts
from core.supernets.sliced import copy_linear
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes
from core.supernets.tdnn_space import ElasticTDNNConfig
from core.supernets.tdnn_stages import Flow


class ConcatStage(Stage):
    """The blocks' outputs side by side, convolution, ReLU."""

    depends_on = ("width", "depth", "concat")

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig, frames: int) -> None:
        super().__init__(space)
        self.frames, self.blocks, self.most = frames, config.depths[-1], config.channels
        self.conv = ElasticConv1d(self.blocks * self.most, config.concat_channels)

    def key(self, arch: Sequence[int]) -> Hashable:
        return self.option(arch, "concat")

    def kept(self, blocks: int, width: int) -> Tensor:
        """Which inputs of the convolution so many blocks of so many channels fill: the first of each slice."""
        return in_parts(self.blocks * self.most, self.blocks, width, beside=self.conv.weight)[
            : blocks * width
        ]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(blocks, width, channels made)."""
        return tuple(int(self.option(arch, name)) for name in ("depth", "width", "concat"))  # type: ignore[return-value]

    def _mixed(self, x: Flow, channels: int) -> Tensor:
        last, _, *earlier = x
        joined = torch.cat([*earlier, last], 1)
        blocks = len(earlier) + 1
        return F.relu(self.conv(joined, channels, inputs=self.kept(blocks, last.shape[1])))

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self._mixed(x, self._sizes(arch)[2])

    def branch(self, x: Flow, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        full = self._mixed(x, self.conv.weight.shape[0])
        return [full[:, : self._sizes(arch)[2]] for arch in archs]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        blocks, width, channels = self._sizes(arch)
        block = ConcatConv(width, blocks, channels)
        self.conv.copy_to(block.conv, inputs=self.kept(blocks, width))
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        blocks, width, channels = self._sizes(arch)
        weights = blocks * width * channels
        return StageCost(
            label="concatenation",
            group="concatenation",
            kind="block",
            output_shape=(channels, self.frames),
            channels=channels,
            counted=counts(
                macs=weights * self.frames,
                params=weights,
                held_bytes=4 * self.frames * ((blocks + 1) * width + blocks * width + channels),
            ),
            detail=f"{blocks} blocks" if blocks > 1 else "1 block",
        )


class PoolStage(Stage):
    """Attentive statistics: weighted mean and deviation of each channel over time, BatchNorm."""

    depends_on = ("concat",)

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig, frames: int) -> None:
        super().__init__(space)
        self.frames, self.bottleneck, most = frames, config.bottleneck, config.concat_channels
        self.attend, self.score = ElasticConv1d(most, self.bottleneck), ElasticConv1d(self.bottleneck, most)
        self.norm = ElasticBatchNorm(2 * most)

    def _channels(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "concat"))

    def kept(self, channels: int) -> Tensor:
        """Which numbers behind the pooling so many channels make: the first means and the first deviations."""
        return in_parts(self.norm.weight.shape[0], 2, channels, beside=self.norm.weight)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        channels = self._channels(arch)
        attention = self.score(torch.tanh(self.attend(x, self.bottleneck)), channels).softmax(2)
        mean = (attention * x).sum(2, keepdim=True)
        variance = (attention * (x - mean).square()).sum(2)
        # The square root is steep at zero: a dead channel must not send an endless gradient.
        pooled = torch.cat([mean.squeeze(2), variance.clamp(min=1e-9).sqrt()], 1)
        return self.norm(pooled, statistics, self.kept(channels))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        channels = self._channels(arch)
        block = AttentiveStatistics(channels, self.bottleneck)
        self.attend.copy_to(block.attend)
        self.score.copy_to(block.score)
        self.norm.copy_to(block.norm, statistics, self.kept(channels))
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        channels = self._channels(arch)
        weights = 2 * channels * self.bottleneck
        held = max(
            (self.bottleneck + channels) * self.frames,
            channels * (2 * self.frames + 1),  # attention, what it weighs, and the means
            4 * channels,
        )
        return StageCost(
            label="pooling",
            group="pooling",
            kind="block",
            output_shape=(2 * channels,),
            channels=2 * channels,
            counted=counts(
                macs=weights * self.frames,
                params=weights + 4 * channels,
                held_bytes=4 * (channels * self.frames + held),
                buffer_bytes=stored_bytes(2 * channels),
            ),
        )


class HeadStage(Stage):
    """Linear layer to the embedding, BatchNorm, linear layer to the classes."""

    depends_on = ("concat",)

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig) -> None:
        super().__init__(space)
        self.most, self.embedding, self.classes = config.concat_channels, config.embedding, config.classes
        self.linear = nn.Linear(2 * self.most, self.embedding)
        self.norm = ElasticBatchNorm(self.embedding)
        self.classifier = nn.Linear(self.embedding, self.classes)

    def _kept(self, arch: Sequence[int]) -> Tensor:
        return in_parts(2 * self.most, 2, int(self.option(arch, "concat")), beside=self.linear.weight)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        embedded = F.linear(x, self.linear.weight[:, self._kept(arch)], self.linear.bias)
        return F.linear(self.norm(embedded, statistics), self.classifier.weight, self.classifier.bias)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        kept = self._kept(arch)
        head = EmbeddingHead(len(kept), self.embedding, self.classes)
        head.linear.weight.copy_(self.linear.weight[:, kept])
        head.linear.bias.copy_(self.linear.bias)
        self.norm.copy_to(head.norm, statistics, slice(self.embedding))
        copy_linear(self.classifier, head.classifier)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        pooled = 2 * int(self.option(arch, "concat"))
        weights = (pooled + self.classes) * self.embedding
        return StageCost.head(
            self.classes,
            counts(
                macs=weights,
                params=weights + 3 * self.embedding + self.classes,
                held_bytes=4 * (pooled + self.embedding + self.classes),
                buffer_bytes=stored_bytes(self.embedding),
            ),
        )
