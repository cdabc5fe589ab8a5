"""Stages of residual networks with bottlenecks, whose widths are multiples of base widths."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.bottleneck import Bottleneck
from core.networks.blocks.bottleneck_reduction import BottleneckReduction
from core.networks.blocks.pooling_head import PoolingHead
from core.spaces import SearchSpace
from core.spaces.choice import Option
from core.supernets.base import BranchContext, Stage
from core.supernets.drop_path import faded, thinned
from core.supernets.elastic_conv import ElasticConv
from core.supernets.resizing import RESOLUTION
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes

Size = tuple[int, int]


@dataclass(frozen=True)
class Width:
    """Channels that one choice decides.

    Attributes:
        choice: its name.
        channels: option -> channels, ascending.
    """

    choice: str
    channels: Mapping[Option, int]

    @property
    def most(self) -> int:
        return max(self.channels.values())

    def of(self, space: SearchSpace, arch: Sequence[int]) -> int:
        return self.channels[space.option(arch, self.choice)]


@dataclass(frozen=True)
class Maps:
    """Height and width of the maps that a stage takes and makes, by resolution; None where there is no choice of it."""

    before: Mapping[Option | None, Size]
    after: Mapping[Option | None, Size]

    def then(self, stride: int) -> Maps:
        """The maps of a next stage that lets every `stride`-th position through."""
        return Maps(self.after, {r: (-(-h // stride), -(-w // stride)) for r, (h, w) in self.after.items()})


class ResNetStage(Stage):
    """What all these stages share: where they stand and how large their maps are.

    Args:
        space: of the supernet.
        maps: that come in and go out.
        choices: that decide the stage's computation; the resolution is added.
    """

    def __init__(self, space: SearchSpace, maps: Maps, choices: Sequence[str]) -> None:
        super().__init__(space)
        self.maps = maps
        self._elastic = RESOLUTION in space.position
        self.depends_on = tuple(dict.fromkeys((*([RESOLUTION] if self._elastic else []), *choices)))

    def _side(self, arch: Sequence[int]) -> Option | None:
        return self.option(arch, RESOLUTION) if self._elastic else None

    def areas(self, arch: Sequence[int]) -> tuple[int, int]:
        """Positions of a map that comes in and of one that goes out."""
        side = self._side(arch)
        return math.prod(self.maps.before[side]), math.prod(self.maps.after[side])

    def shape(self, arch: Sequence[int], channels: int) -> tuple[int, int, int]:
        """Of one sample's output."""
        return (channels, *self.maps.after[self._side(arch)])


@dataclass(frozen=True)
class Place:
    """Where a bottleneck stands and which choices it follows.

    Attributes:
        group, index: numbers from 1.
        before, width: of what comes in and what goes out.
        depth: choice of the group's number of blocks.
        expand: choice of the share of the width that the inner convolutions have.
        ratios: its options.
        stride: of the 3x3 convolution.
    """

    group: int
    index: int
    before: Width
    width: Width
    depth: str
    expand: str
    ratios: tuple[float, ...]
    stride: int


class BottleneckStage(ResNetStage):
    """1x1, 3x3 and 1x1 convolution beside a shortcut, which has weights in the first block of a group.

    Beyond the chosen depth it is the identity.

    Args:
        space, maps: see `ResNetStage`.
        place: of the block.
        inner: (width, ratio) -> channels of the inner convolutions.
    """

    def __init__(
        self, space: SearchSpace, maps: Maps, place: Place, inner: Callable[[int, float], int]
    ) -> None:
        choices = (place.before.choice, place.width.choice, place.depth, place.expand)
        super().__init__(space, maps, choices)
        self.place, self.stride, self.first = place, place.stride, place.index == 1
        self.inner = {
            (option, ratio): inner(channels, ratio)
            for option, channels in place.width.channels.items()
            for ratio in place.ratios
        }
        most_in, most, most_inner = place.before.most, place.width.most, max(self.inner.values())
        self.conv1, self.norm1 = ElasticConv(most_in, most_inner, (1,)), ElasticBatchNorm(most_inner)
        self.conv2 = ElasticConv(most_inner, most_inner, (3,), self.stride)
        self.norm2 = ElasticBatchNorm(most_inner)
        self.conv3, self.norm3 = ElasticConv(most_inner, most, (1,)), ElasticBatchNorm(most)
        if self.first:
            self.shortcut, self.shortcut_norm = ElasticConv(most_in, most, (1,)), ElasticBatchNorm(most)
        else:
            # A block that starts as the identity lets all depths start equal (BigNAS).
            nn.init.zeros_(self.norm3.weight)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, self.place.depth)) < self.place.index:
            return None
        return self.option(arch, self.place.width.choice), self.option(arch, self.place.expand)

    def _widths(self, arch: Sequence[int]) -> tuple[int, int]:
        """Channels of the output and of the inner convolutions."""
        option = self.option(arch, self.place.width.choice)
        return self.place.width.channels[option], self.inner[
            option, float(self.option(arch, self.place.expand))
        ]

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width, inner = self._widths(arch)
        y = F.relu(self.norm1(self.conv1(x, inner, 1), statistics))
        return self._rest(y, self._carried(x, width, statistics), statistics, arch)

    def _carried(self, x: Tensor, width: int, statistics: Statistics | None) -> Tensor:
        if not self.first:
            return x
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return self.shortcut_norm(self.shortcut(x, width, 1), statistics)

    def _rest(
        self, y: Tensor, carried: Tensor, statistics: Statistics | None, arch: Sequence[int] = ()
    ) -> Tensor:
        y = F.relu(self.norm2(self.conv2(y, y.shape[1], 3), statistics))
        y = self.norm3(self.conv3(y, carried.shape[1], 1), statistics)
        return F.relu(thinned(y, arch, self.depth_share) + carried)

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        def recording() -> Statistics:
            return Statistics(recording=True, rows=context.calibration_rows)

        # The first convolution and the shortcut at the widest of all options, not only of those asked for: so
        # the same numbers come out whichever siblings are asked for together.
        option = None if self.first else self.option(archs[0], self.place.width.choice)
        most = max(n for (width, _), n in self.inner.items() if option in (None, width))
        hidden = F.relu(self.norm1(self.conv1(x, most, 1), recording()))
        carried = self._carried(x, self.place.width.most, recording())
        found = []
        for arch in archs:
            width, inner = self._widths(arch)
            found.append(self._rest(hidden[:, :inner].contiguous(), carried[:, :width], recording()))
        return found

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        (width, inner), before = self._widths(arch), self.place.before.of(self.space, arch)
        block: nn.Module = (
            BottleneckReduction(before, inner, inner, width, self.stride)
            if self.first
            else Bottleneck(width, inner, inner)
        )
        sizes = {"norm1": inner, "norm2": inner, "norm3": width, "shortcut_norm": width}
        for name, part in self.named_children():
            if isinstance(part, ElasticConv):
                part.copy_to(getattr(block, name))
            elif isinstance(part, ElasticBatchNorm):
                setattr(block, name, part.extract(sizes[name], statistics))
        return block

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Permute the inner channels so that the most important come first, the later convolution's first.

        Importance is the L1 norm of the next convolution's weights per input channel (Once-for-All).
        """
        for at in (2, 1):
            conv, norm = getattr(self, f"conv{at}"), getattr(self, f"norm{at}")
            following = getattr(self, f"conv{at + 1}")
            order = following.weight.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
            conv.weight.copy_(conv.weight[order])
            norm.weight.copy_(norm.weight[order])
            norm.bias.copy_(norm.bias[order])
            following.weight.copy_(following.weight[:, order])

    def cost(self, arch: Sequence[int]) -> StageCost:
        (width, inner), (before, after) = self._widths(arch), self.areas(arch)
        in_width = self.place.before.of(self.space, arch)
        shortcut = in_width * width if self.first else 0
        weights = in_width * inner + 9 * inner * inner + inner * width + shortcut
        norms = (inner, inner, width, *((width,) if self.first else ()))
        pooled = in_width * after if self.stride > 1 else 0
        return StageCost(
            label=f"block {self.place.group}.{self.place.index}",
            group=f"group {self.place.group}",
            kind="block",
            output_shape=self.shape(arch, width),
            channels=width,
            counted=counts(
                macs=in_width * inner * before + (weights - in_width * inner) * after,
                params=weights + 2 * sum(norms),
                # Beside the input: two inner maps, or one and the output, or both branches and the pooled input.
                held_bytes=4
                * (
                    in_width * before
                    + max(
                        inner * (before + after),
                        (inner + width) * after,
                        2 * width * after + pooled if self.first else 0,
                    )
                ),
                buffer_bytes=sum(stored_bytes(n) for n in norms),
            ),
            detail=f"{inner} inner",
        )


class HeadStage(ResNetStage):
    """Mean over the map, then a linear layer on the last group's width."""

    def __init__(self, space: SearchSpace, maps: Maps, width: Width, classes: int) -> None:
        super().__init__(space, maps, (width.choice,))
        self.width, self.classes = width, classes
        self.linear = nn.Linear(width.most, classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return F.linear(faded(x.mean((2, 3)), arch), self.linear.weight[:, : x.shape[1]], self.linear.bias)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.width.of(self.space, arch)
        head = PoolingHead(width, self.classes)
        head.linear.weight.copy_(self.linear.weight[:, :width])
        head.linear.bias.copy_(self.linear.bias)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, (before, _) = self.width.of(self.space, arch), self.areas(arch)
        return StageCost.head(
            self.classes,
            counts(
                macs=width * self.classes,
                params=(width + 1) * self.classes,
                held_bytes=4 * (width * before + width + self.classes),
            ),
        )
