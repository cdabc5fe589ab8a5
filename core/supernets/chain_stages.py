"""Stages of chains whose blocks are chosen: a stem, blocks with a bank of options each, a head.

The weights of different options are separate (an operation bank); those of different widths are nested slices.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.deep_stem import DeepStem
from core.networks.blocks.pointwise_head import PointwiseHead
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.stem import Stem
from core.spaces import SearchSpace
from core.supernets.base import Stage
from core.supernets.counting import Count
from core.supernets.drop_path import faded
from core.supernets.options.base import Option, Place
from core.supernets.sliced_conv import copy_conv, fresh_conv
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import ElasticBatchNorm, Statistics
from core.tasks.image import ImageConfig


@dataclass(frozen=True)
class Picked:
    """A number that a choice picks, or one that nobody chooses.

    Attributes:
        values: what there is to pick from, or the one number.
        choice: name of the choice; empty where there is none.
    """

    values: tuple[int, ...]
    choice: str = ""

    @property
    def most(self) -> int:
        return self.values[-1]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.choice,) if self.choice else ()


class ChosenStage(Stage):
    """A stage that looks numbers up which may be chosen or not."""

    def pick(self, arch: Sequence[int], what: Picked) -> int:
        if not what.choice:
            return what.values[0]
        return what.values[arch[self.space.position[what.choice]]]


class StemStage(ChosenStage):
    """Pixel normalization; one convolution, or the three of a deep stem, with BatchNorm and ReLU each."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        space: SearchSpace,
        config: ImageConfig,
        widths: Sequence[int],
        *,
        kernel: int = 3,
        stride: int = 1,
    ) -> None:
        super().__init__(space)
        in_channels, *size = config.input_shape
        self.widths, self.kernel, self.stride, self.size = tuple(widths), kernel, stride, tuple(size)
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for at, width in enumerate(widths):
            before = in_channels if at == 0 else widths[at - 1]
            self.convs.append(fresh_conv(before, width, kernel, stride if at == 0 else 1))
            self.norms.append(ElasticBatchNorm(width))
        self.in_channels = in_channels

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        x = (x - self.mean) / self.std
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x), statistics))
        return x

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = (
            DeepStem(self.in_channels, *self.widths, self.stride)
            if len(self.widths) == 3
            else Stem(self.in_channels, self.widths[0], self.kernel, self.stride)
        )
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        for at, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, ElasticBatchNorm)
            number = str(at + 1) if len(self.widths) == 3 else ""
            copy_conv(conv, getattr(block, f"conv{number}"))
            setattr(block, f"norm{number}", norm.extract(self.widths[at], statistics))
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count(buffer_bytes=8 * self.in_channels)
        y = count.over(count.over(count.given(self.in_channels, self.size)))
        for at, width in enumerate(self.widths):
            y = count.conv(y, width, self.kernel, self.stride if at == 0 else 1)
            y = count.over(count.batch_norm(y))
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(y.channels, *y.size),
            channels=y.channels,
            counted=count.counted(y),
            detail=f"k{self.kernel}" if len(self.widths) == 1 else f"{len(self.widths)} conv",
        )


@dataclass(frozen=True)
class Layer:
    """What there is to choose at one block.

    Attributes:
        group, index: which block of which group of blocks, both from 1.
        width_in, width: channels that flow in and out.
        depth: number of blocks of its group.
        option: which option of the bank it is.
        labels: of the options, as a drawing says them.
    """

    group: int
    index: int
    width_in: Picked
    width: Picked
    depth: Picked
    option: Picked
    labels: tuple[str, ...]


class LayerStage(ChosenStage):
    """One block, which is one of several options; beyond the chosen depth it is the identity."""

    def __init__(self, space: SearchSpace, layer: Layer, bank: Sequence[Option]) -> None:
        super().__init__(space)
        self.layer, self.bank = layer, nn.ModuleList(bank)
        chosen = (layer.width_in, layer.width, layer.depth, layer.option)
        # A depth that every architecture has decides nothing.
        asked = [each for each in chosen if each is not layer.depth or each.values[0] < layer.index]
        self.depends_on = tuple(dict.fromkeys(name for each in asked for name in each.names))

    @property
    def place(self) -> Place:
        """Where in the chain it stands."""
        return self.option_at(0).place

    def option_at(self, index: int) -> Option:
        """One option of the bank."""
        option = self.bank[index]
        assert isinstance(option, Option)
        return option

    def _option(self, arch: Sequence[int]) -> Option:
        return self.option_at(self.pick(arch, self.layer.option))

    def _widths(self, arch: Sequence[int]) -> tuple[int, int]:
        return self.pick(arch, self.layer.width_in), self.pick(arch, self.layer.width)

    def key(self, arch: Sequence[int]) -> Hashable:
        if self.pick(arch, self.layer.depth) < self.layer.index:
            return None
        before, width = self._widths(arch)
        if self._option(arch).does_nothing(before, width):
            return None
        return width, self.pick(arch, self.layer.option)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        y: Tensor = self._option(arch)(x, self._widths(arch)[1], statistics)
        return y

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return self._option(arch).extract(*self._widths(arch), statistics)

    def cost(self, arch: Sequence[int]) -> StageCost:
        option, (before, width) = self._option(arch), self._widths(arch)
        count = Count()
        y = option.count(count, count.given(before, option.place.size), width)
        return StageCost(
            label=f"block {self.layer.group}.{self.layer.index}",
            group=f"group {self.layer.group}",
            kind="block",
            output_shape=(width, *y.size),
            channels=width,
            counted=count.counted(y),
            detail=self.layer.labels[self.pick(arch, self.layer.option)],
        )


class HeadStage(ChosenStage):
    """The mean over the image and a linear layer; a 1x1 convolution before them where it has hidden channels."""

    def __init__(
        self, space: SearchSpace, width: Picked, size: tuple[int, int], classes: int, hidden: int = 0
    ) -> None:
        super().__init__(space)
        self.width, self.size, self.classes, self.hidden = width, size, classes, hidden
        self.depends_on = width.names
        if hidden:
            self.conv, self.norm = fresh_conv(width.most, hidden, 1), ElasticBatchNorm(hidden)
        self.linear = nn.Linear(hidden or width.most, classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        if self.hidden:
            x = F.conv2d(x, self.conv.weight[:, : x.shape[1]])
            x = F.relu(self.norm(x, statistics))
        pooled = faded(x.mean((2, 3)), arch)
        return F.linear(pooled, self.linear.weight[:, : pooled.shape[1]], self.linear.bias)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.pick(arch, self.width)
        if self.hidden:
            block = PointwiseHead(width, self.hidden, self.classes)
            copy_conv(self.conv, block.conv)
            block.norm = self.norm.extract(self.hidden, statistics)
            block.linear.load_state_dict(self.linear.state_dict())
            return block
        head = PoolingHead(width, self.classes)
        head.linear.weight.copy_(self.linear.weight[:, :width])
        head.linear.bias.copy_(self.linear.bias)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count()
        y = count.given(self.pick(arch, self.width), self.size)
        if self.hidden:
            y = count.over(count.batch_norm(count.conv(y, self.hidden, 1)))
        y = count.linear(count.mean(y), self.classes)
        return StageCost.head(self.classes, count.counted(y))


def halved(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Height and width after a stride, rounded up."""
    return math.ceil(size[0] / stride), math.ceil(size[1] / stride)
