"""The stem of deep residual networks, in three stages: convolution, one more that may be left out, and max pooling."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.pooled_convolution import PooledConvolution
from core.networks.blocks.residual_convolution import ResidualConvolution
from core.networks.blocks.stem import Stem
from core.spaces import SearchSpace
from core.supernets.base import BranchContext
from core.supernets.elastic_conv import ElasticConv
from core.supernets.resnet_stages import Maps, ResNetStage, Width
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes


class StemStage(ResNetStage):
    """Pixel normalization, 3x3 convolution, BatchNorm, ReLU."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, space: SearchSpace, maps: Maps, width: Width, pixels: tuple[Sequence[float], Sequence[float]]
    ) -> None:
        super().__init__(space, maps, (width.choice,))
        self.width, self.in_channels = width, len(pixels[0])
        first = next(iter(maps.before))
        self.stride = -(-maps.before[first][0] // maps.after[first][0])
        for name, constants in zip(("mean", "std"), pixels, strict=True):
            self.register_buffer(name, torch.tensor(constants).view(1, -1, 1, 1), persistent=False)
        self.conv = ElasticConv(self.in_channels, width.most, (3,), self.stride)
        self.norm = ElasticBatchNorm(width.most)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self._run_at(x, self.width.of(self.space, arch), statistics)

    def _run_at(self, x: Tensor, width: int, statistics: Statistics | None) -> Tensor:
        return F.relu(self.norm(self.conv((x - self.mean) / self.std, width, 3), statistics))

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        # Widths are nested and BatchNorm is per channel: one pass serves every width.
        recording = Statistics(recording=True, rows=context.calibration_rows)
        y = self._run_at(x, self.width.most, recording)
        return [y[:, : self.width.of(self.space, arch)].contiguous() for arch in archs]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.width.of(self.space, arch)
        block = Stem(self.in_channels, width, 3, self.stride)
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, (before, after) = self.width.of(self.space, arch), self.areas(arch)
        weights = 9 * self.in_channels * width
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=self.shape(arch, width),
            channels=width,
            counted=counts(
                macs=weights * after,
                params=weights + 2 * width,
                # The input, normalized, and the map.
                held_bytes=4 * (2 * self.in_channels * before + width * after),
                buffer_bytes=stored_bytes(width) + 8 * self.in_channels,
            ),
            detail="k3",
        )


class StemMiddleStage(ResNetStage):
    """A convolution beside an unchanged shortcut; absent where the stem is shallow."""

    def __init__(self, space: SearchSpace, maps: Maps, width: Width, depth: str) -> None:
        super().__init__(space, maps, (width.choice, depth))
        self.width, self.depth = width, depth
        self.conv = ElasticConv(width.most, width.most, (3,))
        self.norm = ElasticBatchNorm(width.most)

    def key(self, arch: Sequence[int]) -> Hashable:
        return super().key(arch) if int(self.option(arch, self.depth)) else None

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return F.relu(self.norm(self.conv(x, x.shape[1], 3), statistics)) + x

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.width.of(self.space, arch)
        block = ResidualConvolution(width)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, (_, area) = self.width.of(self.space, arch), self.areas(arch)
        return StageCost(
            label="stem middle",
            group="stem",
            kind="block",
            output_shape=self.shape(arch, width),
            channels=width,
            counted=counts(
                macs=9 * width * width * area,
                params=9 * width * width + 2 * width,
                held_bytes=4 * 2 * width * area,
                buffer_bytes=stored_bytes(width),
            ),
            detail="k3",
        )


class StemEndStage(ResNetStage):
    """3x3 convolution, BatchNorm, ReLU and max pooling."""

    def __init__(self, space: SearchSpace, maps: Maps, widths: tuple[Width, Width], pool: int) -> None:
        super().__init__(space, maps, [w.choice for w in widths])
        (self.before, self.width), self.pool = widths, pool
        self.conv = ElasticConv(self.before.most, self.width.most, (3,))
        self.norm = ElasticBatchNorm(self.width.most)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self._run_at(x, self.width.of(self.space, arch), statistics)

    def _run_at(self, x: Tensor, width: int, statistics: Statistics | None) -> Tensor:
        x = F.relu(self.norm(self.conv(x, width, 3), statistics))
        return F.max_pool2d(x, 3, self.pool, 1) if self.pool > 1 else x

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        recording = Statistics(recording=True, rows=context.calibration_rows)
        y = self._run_at(x, self.width.most, recording)
        return [y[:, : self.width.of(self.space, arch)].contiguous() for arch in archs]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        before, width = self.before.of(self.space, arch), self.width.of(self.space, arch)
        block = PooledConvolution(before, width, self.pool)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, (before, after) = self.width.of(self.space, arch), self.areas(arch)
        in_width = self.before.of(self.space, arch)
        pooled = width * after if self.pool > 1 else 0
        return StageCost(
            label="stem end",
            group="stem",
            kind="block",
            output_shape=self.shape(arch, width),
            channels=width,
            counted=counts(
                macs=9 * in_width * width * before,
                params=9 * in_width * width + 2 * width,
                held_bytes=4 * (in_width * before + width * before + pooled),
                buffer_bytes=stored_bytes(width),
            ),
            detail="k3 pool" if self.pool > 1 else "k3",
        )
