"""The elastic convolutional family: dense residual blocks with elastic width, depth and kernel.

Dense, not depthwise: at these sizes depthwise blocks have fewer MACs and still take many times
longer on a CPU. A network stage is a group of blocks of one resolution; its first block halves the
resolution (except in the first group). Each block is one stage of the chain.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.residual_block import ResidualBlock
from core.networks.blocks.stem import Stem
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets import samples_last
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.drop_path import faded, thinned
from core.supernets.elastic_conv import ElasticConv
from core.supernets.families import FAMILIES
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class GroupConfig(BaseConfig):
    """Options of one group of blocks of equal resolution."""

    widths: tuple[int, ...] = Field(description="Channels of the group's output.")
    depths: tuple[int, ...] = Field((1, 2), description="Number of blocks.")
    kernels: tuple[int, ...] = Field((3, 5), description="Kernel of each block's first convolution.")

    @model_validator(mode="after")
    def _ascending(self) -> GroupConfig:
        require_ascending({"widths": self.widths, "depths": self.depths, "kernels": self.kernels})
        if any(k % 2 == 0 for k in self.kernels) or self.kernels[-1] > 11:
            raise ValueError("kernels must be odd and at most 11")
        if self.widths[-1] > 1024 or self.depths[-1] > 16:
            raise ValueError("a group may have at most 1,024 channels and 16 blocks")
        return self


class ElasticCNNConfig(ImageConfig):
    """An elastic CNN."""

    groups: tuple[GroupConfig, ...] = Field(
        (GroupConfig(widths=(4, 8)), GroupConfig(widths=(8, 16))),
        min_length=1,
        max_length=6,
        description="Groups of blocks; the resolution halves from one to the next.",
    )
    stem_kernel: int = Field(3, ge=1, le=7, description="Kernel of the first convolution.")
    stem_stride: int = Field(1, ge=1, le=4, description="Stride of the first convolution.")
    kernel_transform: bool = Field(
        False, description="Learn a matrix from each kernel to the next smaller one."
    )


def _space(config: ElasticCNNConfig) -> SearchSpace:
    choices: list[Choice] = []
    for g, group in enumerate(config.groups, start=1):
        choices.append(Choice(f"width{g}", group.widths, "width", unit="channels"))
        choices.append(Choice(f"depth{g}", group.depths, "depth", unit="blocks"))
        for b in range(1, group.depths[-1] + 1):
            requires = within_depth(f"depth{g}", group.depths, b)
            choices.append(
                Choice(f"kernel{g}_{b}", group.kernels, "kernel", unit="pixels", requires=requires)
            )
    return SearchSpace(choices)


@FAMILIES.register("elastic_cnn")
class ElasticCNN(Supernet):
    """Dense residual network with elastic width, depth and kernel."""

    label = "Elastic CNN"
    source = "Yu et al., BigNAS, 2020; Cai et al., Once-for-All, 2020 (dense blocks instead of depthwise)"
    Config = ElasticCNNConfig
    task_name = "image"

    def __init__(self, config: ElasticCNNConfig) -> None:
        space = _space(config)
        channels, height, width = config.input_shape
        size = (-(-height // config.stem_stride), -(-width // config.stem_stride))
        stages: list[Stage] = [StemStage(space, config, channels, config.groups[0].widths[-1], size)]
        before, map_before = 1, size
        for g, group in enumerate(config.groups, start=1):
            stride = 1 if g == 1 else 2
            for b in range(1, group.depths[-1] + 1):
                if b == 1:
                    size = (-(-size[0] // stride), -(-size[1] // stride))
                stages.append(BlockStage(space, config, (before, g, b), (map_before, size)))
                map_before = size
            before = g
        stages.append(HeadStage(space, config, size))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 14 halves to 7: an odd map or grid of tokens.
        return [cls.example((1, 8, 8)), cls.example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ElasticCNNConfig:
        """A small configuration for images (c, h, w) of this shape."""
        groups = (
            GroupConfig(widths=(2, 4), kernels=(3, 5)),
            GroupConfig(widths=(3, 6), depths=(1, 2, 3), kernels=(1, 3, 5)),
            GroupConfig(widths=(4, 8), kernels=(1, 3)),
        )
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return ElasticCNNConfig(
            input_shape=input_shape, groups=groups, pixel_mean=mean, pixel_std=std, kernel_transform=True
        )

    def sort_channels(self) -> None:
        for stage in self.stages:
            if isinstance(stage, BlockStage):
                stage.sort_channels()


class StemStage(Stage):
    """Pixel normalization, convolution, BatchNorm, ReLU."""

    depends_on = ("width1",)
    mean: Tensor
    std: Tensor

    def __init__(
        self, space: SearchSpace, config: ElasticCNNConfig, channels: int, width: int, size: tuple[int, int]
    ) -> None:
        super().__init__(space)
        self.kernel, self.stride = config.stem_kernel, config.stem_stride
        self.in_channels, self.size = channels, size
        self.in_numbers = math.prod(config.input_shape)
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = ElasticConv(channels, width, (self.kernel,), self.stride)
        self.norm = ElasticBatchNorm(width)

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "width1"))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        x = self.conv((x - self.mean) / self.std, self._width(arch), self.kernel)
        return F.relu(self.norm(x, statistics))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self._width(arch)
        block = Stem(self.in_channels, width, self.kernel, self.stride)
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = self._width(arch)
        weights = self.kernel**2 * self.in_channels * width
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(width, *self.size),
            channels=width,
            counted=counts(
                macs=weights * self.size[0] * self.size[1],
                params=weights + 2 * width,
                # The input, normalized, and the map.
                held_bytes=4 * (2 * self.in_numbers + width * math.prod(self.size)),
                buffer_bytes=stored_bytes(width) + 8 * self.in_channels,
            ),
            detail=f"k{self.kernel}",
        )

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        y = samples_last.convolve((x - self.mean) / self.std, self.conv.weight, self.stride)
        # BatchNorm is per channel and widths are nested: one pass serves every width.
        y = samples_last.normalize(y, self.norm, slice(None), context.calibration_rows).relu_()
        return [y[: self._width(arch)] for arch in archs]


class BlockStage(Stage):
    """One residual block; beyond the chosen depth it is the identity."""

    def __init__(
        self,
        space: SearchSpace,
        config: ElasticCNNConfig,
        place: tuple[int, int, int],
        sizes: tuple[tuple[int, int], tuple[int, int]],
    ) -> None:
        super().__init__(space)
        before, self.group, self.index = place
        self.size_before, size = sizes
        group = config.groups[self.group - 1]
        self.first = self.index == 1
        self.stride = 2 if self.first and self.group > 1 else 1
        self.size = size
        self._in_choice = f"width{before if self.first else self.group}"
        self._names = (f"width{self.group}", f"depth{self.group}", f"kernel{self.group}_{self.index}")
        width, depth, kernel = self._names
        self.depends_on = tuple(dict.fromkeys((self._in_choice, width, depth, kernel)))
        if self.first and group.depths[0] < 1:
            raise ValueError("a group has at least one block")
        widths_in = config.groups[before - 1].widths if self.first else group.widths
        most_in = widths_in[-1]
        most = group.widths[-1]
        self.conv1 = ElasticConv(most_in, most, group.kernels, self.stride, transform=config.kernel_transform)
        self.norm1 = ElasticBatchNorm(most)
        self.conv2 = ElasticConv(most, most, (3,))
        self.norm2 = ElasticBatchNorm(most)
        # A block that starts as the identity lets all depths start equal (BigNAS). Only channels that the
        # shortcut always brings: one that starts with nothing on either branch never gets a gradient.
        carried = widths_in[0] if self._in_choice != width else most_in
        nn.init.zeros_(self.norm2.weight[:carried])

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, self._names[1])) < self.index:
            return None
        return self._width(arch), self._kernel(arch)

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._names[0]))

    def _kernel(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._names[2]))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width = self._width(arch)
        y = F.relu(self.norm1(self.conv1(x, width, self._kernel(arch)), statistics))
        y = thinned(self.norm2(self.conv2(y, width, 3), statistics), arch, self.depth_share)
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if width > x.shape[1]:
            x = F.pad(x, (0, 0, 0, 0, 0, width - x.shape[1]))
        return F.relu(y + x[:, :width])

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self._width(arch)
        block = ResidualBlock(int(self.option(arch, self._in_choice)), width, self._kernel(arch), self.stride)
        self.conv1.copy_to(block.conv1)
        self.conv2.copy_to(block.conv2)
        block.norm1 = self.norm1.extract(width, statistics)
        block.norm2 = self.norm2.extract(width, statistics)
        return block

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Permute the inner channels so that the most important come first.

        Importance is the L1 norm of the second convolution's weights per input channel (Once-for-All).
        The block's outer channels stay: its shortcut has no weights that could follow them.
        """
        order = self.conv2.weight.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        self.conv1.weight.copy_(self.conv1.weight[order])
        self.norm1.weight.copy_(self.norm1.weight[order])
        self.norm1.bias.copy_(self.norm1.bias[order])
        self.conv2.weight.copy_(self.conv2.weight[:, order])

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, kernel = self._width(arch), self._kernel(arch)
        weights = kernel**2 * int(self.option(arch, self._in_choice)) * width + 9 * width * width
        return StageCost(
            label=f"block {self.group}.{self.index}",
            group=f"group {self.group}",
            kind="block",
            output_shape=(width, *self.size),
            channels=width,
            counted=counts(
                macs=weights * self.size[0] * self.size[1],
                params=weights + 4 * width,
                held_bytes=4 * self._held(int(self.option(arch, self._in_choice)), width),
                buffer_bytes=2 * stored_bytes(width),
            ),
            detail=f"k{kernel}",
        )

    def _held(self, in_width: int, width: int) -> int:
        """Numbers alive at once: the input, held for the shortcut, beside two maps and what the shortcut becomes."""
        area = math.prod(self.size)
        pooled = in_width * area if self.stride > 1 else 0
        padded = width * area if width > in_width else 0
        return in_width * math.prod(self.size_before) + width * area + max(width * area, pooled + padded)

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        settings = [(self._width(arch), self._kernel(arch)) for arch in archs]
        return samples_last.residual_siblings(self, x, settings, context)


class HeadStage(Stage):
    """Mean over the image, then a linear layer on the last group's width."""

    def __init__(self, space: SearchSpace, config: ElasticCNNConfig, size: tuple[int, int]) -> None:
        super().__init__(space)
        self._width_choice = f"width{len(config.groups)}"
        self.depends_on = (self._width_choice,)
        self.classes, self.size = config.classes, size
        self.linear = nn.Linear(config.groups[-1].widths[-1], config.classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        pooled = faded(x.mean((2, 3)), arch)
        return F.linear(pooled, self.linear.weight[:, : pooled.shape[1]], self.linear.bias)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = int(self.option(arch, self._width_choice))
        head = PoolingHead(width, self.classes)
        head.linear.weight.copy_(self.linear.weight[:, :width])
        head.linear.bias.copy_(self.linear.bias)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, self._width_choice))
        return StageCost.head(
            self.classes,
            counts(
                macs=width * self.classes,
                params=(width + 1) * self.classes,
                held_bytes=4 * (width * math.prod(self.size) + width + self.classes),
            ),
        )

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        pooled = x.mean((1, 2))  # (c, n)
        logits = torch.addmm(self.linear.bias[:, None], self.linear.weight[:, : len(pooled)], pooled)
        return [logits.T for _ in archs]
