"""First and last stages of once-for-all's mobile families: stem, first block, head; the same in every subnet.

Source: Cai et al., "Once-for-All", ICLR 2020; structure as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.networks.blocks.depthwise_separable import DepthwiseSeparable
from core.networks.blocks.mobile_head import MobileHead
from core.networks.blocks.mobile_stem import MobileStem
from core.spaces import SearchSpace
from core.supernets import samples_last_mobile
from core.supernets.base import BranchContext
from core.supernets.drop_path import faded
from core.supernets.elastic_conv import ElasticConv
from core.supernets.elastic_depthwise import ElasticDepthwise
from core.supernets.mobile_layer import Layer
from core.supernets.mobile_stages import MobileStage
from core.supernets.sliced import copy_linear
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes


class MobileStemStage(MobileStage):
    """Pixel normalization, 3x3 convolution, BatchNorm, activation."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, space: SearchSpace, layer: Layer, pixel_mean: Sequence[float], pixel_std: Sequence[float]
    ) -> None:
        super().__init__(space, layer)
        self.register_buffer("mean", torch.tensor(pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = ElasticConv(layer.in_channels, layer.out_channels, (3,), layer.stride)
        self.norm = ElasticBatchNorm(layer.out_channels, layer.epsilon)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        x = self.conv((x - self.mean) / self.std, self.layer.out_channels, 3)
        return self.layer.activate(self.norm(x, statistics))

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        return [samples_last_mobile.stem(self, x, context)] * len(archs)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        layer = self.layer
        block = MobileStem(
            in_channels=layer.in_channels,
            out_channels=layer.out_channels,
            kernel=3,
            stride=layer.stride,
            activation=layer.activation,
            epsilon=layer.epsilon,
        )
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(layer.out_channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        layer, (area_in, area) = self.layer, self.areas(arch)
        weights = 9 * layer.in_channels * layer.out_channels
        side = self.side(arch, layer.after)
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(layer.out_channels, side, side),
            channels=layer.out_channels,
            counted=counts(
                macs=weights * area,
                params=weights + 2 * layer.out_channels,
                # The input, normalized, and the map.
                held_bytes=4 * (2 * layer.in_channels * area_in + layer.out_channels * area),
                buffer_bytes=stored_bytes(layer.out_channels) + 8 * layer.in_channels,
            ),
            detail="k3",
        )


class SeparableStage(MobileStage):
    """The first block, the same in every subnet: depthwise 3x3 convolution, then a 1x1 convolution."""

    def __init__(self, space: SearchSpace, layer: Layer) -> None:
        super().__init__(space, layer)
        self.depthwise = ElasticDepthwise(layer.in_channels, (3,), layer.stride)
        self.norm1 = ElasticBatchNorm(layer.in_channels, layer.epsilon)
        self.project = ElasticConv(layer.in_channels, layer.out_channels, (1,))
        self.norm2 = ElasticBatchNorm(layer.out_channels, layer.epsilon)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        y = self.layer.activate(self.norm1(self.depthwise(x, 3), statistics))
        y = self.norm2(self.project(y, self.layer.out_channels, 1), statistics)
        return y + x if self.layer.shortcut else y

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        return [samples_last_mobile.separable(self, x, context)] * len(archs)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        layer = self.layer
        block = DepthwiseSeparable(
            in_channels=layer.in_channels,
            out_channels=layer.out_channels,
            kernel=3,
            stride=layer.stride,
            activation=layer.activation,
            shortcut=layer.shortcut_name,
            epsilon=layer.epsilon,
        )
        self.depthwise.copy_to(block.depthwise)
        self.project.copy_to(block.project)
        block.norm1 = self.norm1.extract(layer.in_channels, statistics)
        block.norm2 = self.norm2.extract(layer.out_channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        layer, (area_in, area) = self.layer, self.areas(arch)
        weights = 9 * layer.in_channels + layer.in_channels * layer.out_channels
        side = self.side(arch, layer.after)
        return StageCost(
            label="block 0.1",
            group="group 0",
            kind="block",
            output_shape=(layer.out_channels, side, side),
            channels=layer.out_channels,
            counted=counts(
                macs=weights * area,
                params=weights + 2 * (layer.in_channels + layer.out_channels),
                held_bytes=4
                * (layer.in_channels * area_in + (layer.in_channels + layer.out_channels) * area),
                buffer_bytes=stored_bytes(layer.in_channels) + stored_bytes(layer.out_channels),
            ),
            detail="k3",
        )


class MobileHeadStage(MobileStage):
    """1x1 convolution, mean over the map, features (if any), linear layer; the same in every subnet.

    Args:
        space: has the resolution.
        layer: its place; `out_channels` are those of the convolution.
        features: of the layer before the classifier; 0 without it.
        classes: outputs.
    """

    def __init__(self, space: SearchSpace, layer: Layer, features: int, classes: int) -> None:
        super().__init__(space, layer)
        self.features, self.classes = features, classes
        self.expand = ElasticConv(layer.in_channels, layer.out_channels, (1,))
        self.norm = ElasticBatchNorm(layer.out_channels, layer.epsilon)
        self.mix = nn.Linear(layer.out_channels, features, bias=False) if features else None
        self.classifier = nn.Linear(features or layer.out_channels, classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        activate = self.layer.activate
        y = activate(self.norm(self.expand(x, self.layer.out_channels, 1), statistics)).mean((2, 3))
        if self.mix is not None:
            y = activate(self.mix(y))
        logits: Tensor = self.classifier(faded(y, arch))
        return logits

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        return [samples_last_mobile.head(self, x, context)] * len(archs)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        layer = self.layer
        block = MobileHead(
            in_channels=layer.in_channels,
            width=layer.out_channels,
            classes=self.classes,
            activation=layer.activation,
            epsilon=layer.epsilon,
            features=self.features,
        )
        self.expand.copy_to(block.expand)
        block.norm = self.norm.extract(layer.out_channels, statistics)
        if self.mix is not None:
            block.mix.weight.copy_(self.mix.weight)  # type: ignore[union-attr]
        copy_linear(self.classifier, block.classifier)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        layer, (area, _), features = self.layer, self.areas(arch), self.features
        mixed = layer.out_channels * features
        last = (features or layer.out_channels) * self.classes
        expand = layer.in_channels * layer.out_channels
        pooled = (layer.in_channels + layer.out_channels) * area
        return StageCost.head(
            self.classes,
            counts(
                macs=expand * area + mixed + last,
                params=expand + 2 * layer.out_channels + mixed + last + self.classes,
                held_bytes=4 * max(pooled + layer.out_channels, self._held_behind(area)),
                buffer_bytes=stored_bytes(layer.out_channels),
            ),
        )

    def _held_behind(self, area: int) -> int:
        """Numbers alive at once behind the mean, beside the input, which stays until the stage has ended."""
        width, features = self.layer.out_channels, self.features
        behind = max(width + features, features + self.classes) if features else width + self.classes
        return self.layer.in_channels * area + behind
