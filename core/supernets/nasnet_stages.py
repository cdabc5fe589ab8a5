"""Stages of a stack of NASNet cells; what flows between them is a pair, the outputs of the last two cells.

A cell's output is the states that none of its blocks reads, side by side, so its width depends on the cell; the 1x1
convolutions that read it hold weights for every state and use those of the states that are there.

Source: Zoph et al., "Learning transferable architectures for scalable image recognition", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.nasnet_cell import NasnetCell
from core.networks.blocks.nasnet_head import NasnetHead
from core.networks.blocks.nasnet_stem import NasnetStem
from core.spaces import SearchSpace
from core.spaces.nasnet_space import OPERATIONS, SMALL, input_name, operation_name, unused_states
from core.supernets.base import Stage
from core.supernets.chain_stages import halved
from core.supernets.counting import Count, Value
from core.supernets.drop_path import faded, thinned
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import ElasticBatchNorm, Statistics
from core.tasks.image import ImageConfig

Pair = tuple[Tensor, Tensor]


class NasnetCellsConfig(ImageConfig):
    """A stack of NASNet cells."""

    channels: int = Field(
        8, ge=1, le=256, description="Channels of the first cells' states; doubled by each reduction."
    )
    blocks: int = Field(2, ge=1, le=5, description="Blocks of a cell.")
    operations: tuple[str, ...] = Field(SMALL, description="Operations to choose from, the cheapest first.")
    normal_cells: int = Field(
        1, ge=1, le=6, description="Normal cells before, between and after the reductions."
    )
    reductions: int = Field(1, ge=0, le=4, description="Reduction cells.")
    drop_path: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Share of paths dropped at the end of a training; grows from 0 with its steps.",
    )

    @model_validator(mode="after")
    def _known(self) -> NasnetCellsConfig:
        if not 2 <= len(set(self.operations)) == len(self.operations) or not set(self.operations) <= set(
            OPERATIONS
        ):
            raise ValueError(f"operations are two or more of {', '.join(OPERATIONS)}")
        if list(self.operations) != sorted(self.operations, key=OPERATIONS.index):
            raise ValueError(f"operations stand from the cheapest to the dearest: {', '.join(OPERATIONS)}")
        return self


class Source:
    """What a cell reads: the output of an earlier cell or of the stem, whose states depend on the architecture.

    Attributes:
        kind: of the cell that made it; "" for the stem, which has one state.
        channels: of each state.
        size: height and width of its map.
        states: most states it can have.
    """

    def __init__(self, kind: str, channels: int, size: tuple[int, int], states: int) -> None:
        self.kind, self.channels, self.size, self.states = kind, channels, size, states


class CellsStage(Stage):
    """A stage that knows which inputs and operations an architecture picks."""

    def __init__(self, space: SearchSpace, config: NasnetCellsConfig) -> None:
        super().__init__(space)
        self.blocks = config.blocks

    def names(self, kind: str) -> tuple[str, ...]:
        """The choices of a kind of cell; the stem has none."""
        sides = [(block, side) for block in range(1, self.blocks + 1) for side in (1, 2)]
        return tuple(
            n for b, s in sides for n in (input_name(kind, b, s), operation_name(kind, b, s)) if kind
        )

    def picks(self, arch: Sequence[int], kind: str) -> list[tuple[int, str]]:
        """(state that is read, operation) of every side of every block."""
        names = self.names(kind)
        indices = [arch[self.space.position[name]] for name in names[::2]]
        return list(zip(indices, [str(self.option(arch, name)) for name in names[1::2]], strict=True))

    def unused(self, arch: Sequence[int], kind: str) -> tuple[int, ...]:
        """States of a cell of this kind that are its output; those of the stem are one."""
        return unused_states([state for state, _ in self.picks(arch, kind)]) if kind else (0,)

    def read(self, weight: Tensor, source: Source, arch: Sequence[int]) -> Tensor:
        """The part of (out, states * channels) that belongs to the states that are there."""
        there = list(self.unused(arch, source.kind))
        return weight.view(len(weight), source.states, source.channels)[:, there].flatten(1)


class StemStage(CellsStage):
    """Pixel normalization, 3x3 convolution, BatchNorm, handed on twice."""

    mean: Tensor
    std: Tensor

    def __init__(self, space: SearchSpace, config: NasnetCellsConfig) -> None:
        super().__init__(space, config)
        self.in_channels, *size = config.input_shape
        self.size, self.channels = tuple(size), config.channels
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = nn.Conv2d(self.in_channels, self.channels, 3, 1, 1, bias=False)
        self.norm = ElasticBatchNorm(self.channels)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Pair:
        y = self.norm(self.conv((x - self.mean) / self.std), statistics)
        return y, y

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = NasnetStem(self.in_channels, self.channels)
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        block.conv.weight.copy_(self.conv.weight)
        block.norm = self.norm.extract(self.channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count(buffer_bytes=8 * self.in_channels)
        x = count.over(count.over(count.given(self.in_channels, self.size)))
        y = count.batch_norm(count.conv(x, self.channels, 3))
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(self.channels, *self.size),
            channels=self.channels,
            counted=count.counted(y),
            detail="k3",
        )


class CellStage(CellsStage):
    """One cell; each side of each block owns the weights of every operation.

    Args:
        space, config: of the family.
        kind: "normal" or "reduction".
        number: of the cell, from 1.
        channels: of its states.
        previous, before: what it reads.
    """

    def __init__(
        self,
        space: SearchSpace,
        config: NasnetCellsConfig,
        kind: str,
        number: int,
        channels: int,
        previous: Source,
        before: Source,
    ) -> None:
        super().__init__(space, config)
        self.kind, self.number, self.channels = kind, number, channels
        self.previous_source, self.before_source = previous, before
        self.stride = 2 if kind == "reduction" else 1
        self.before_stride = 2 if before.size != previous.size else 1
        self.made = Source(kind, channels, halved(previous.size, self.stride), 2 + config.blocks)
        asked = [name for each in (kind, previous.kind, before.kind) for name in self.names(each)]
        self.depends_on = tuple(dict.fromkeys(asked))
        self.previous = nn.Conv2d(previous.states * previous.channels, channels, 1, bias=False)
        self.previous_norm = ElasticBatchNorm(channels)
        self.before = nn.Conv2d(before.states * before.channels, channels, 1, bias=False)
        self.before_norm = ElasticBatchNorm(channels)
        self.banks = nn.ModuleList(
            nn.ModuleDict(
                {name: _path(name, channels) for name in config.operations if name in NasnetCell.PARTS}
            )
            for _ in range(2 * config.blocks)
        )

    def forward(self, x: Pair, arch: Sequence[int], statistics: Statistics | None = None) -> Pair:
        previous, before = x
        first = F.conv2d(F.relu(previous), self._weight("previous", arch)[..., None, None])
        second = F.relu(before)
        if self.before_stride > 1:
            second = F.avg_pool2d(second, self.before_stride, ceil_mode=True)
        second = F.conv2d(second, self._weight("before", arch)[..., None, None])
        states = [self.previous_norm(first, statistics), self.before_norm(second, statistics)]
        picks = self.picks(arch, self.kind)
        for left in range(0, len(picks), 2):
            sides = [self._side(at, states, picks[at], arch, statistics) for at in (left, left + 1)]
            states.append(sides[0] + sides[1])
        there = unused_states([state for state, _ in picks])
        parts = [self._halved(states[n]) if n < 2 and self.stride > 1 else states[n] for n in there]
        return torch.cat(parts, 1), previous

    def _weight(self, name: str, arch: Sequence[int]) -> Tensor:
        layer: Tensor = getattr(self, name).weight
        return self.read(layer.flatten(1), getattr(self, f"{name}_source"), arch)

    def _side(
        self,
        at: int,
        states: Sequence[Tensor],
        pick: tuple[int, str],
        arch: Sequence[int],
        statistics: Statistics | None,
    ) -> Tensor:
        """What one side of a block brings; paths other than the identity may be dropped in training."""
        state, operation = pick
        x, stride = states[state], self.stride if state < 2 else 1
        if operation == "identity":
            return self._halved(x) if stride > 1 else x
        if operation == "avg_pool_3x3":
            y = F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
        elif operation.startswith("max_pool"):
            kernel = int(operation[-1])
            y = F.max_pool2d(x, kernel, stride, kernel // 2)
        else:
            y = _run(self._path(at, operation), x, stride, statistics)
        return thinned(y, arch)

    def _path(self, at: int, operation: str) -> nn.ModuleList:
        bank = self.banks[at]
        assert isinstance(bank, nn.ModuleDict)
        path = bank[operation]
        assert isinstance(path, nn.ModuleList)
        return path

    def _halved(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride, ceil_mode=True)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        picks = self.picks(arch, self.kind)
        weights = {name: self._weight(name, arch) for name in ("previous", "before")}
        block = NasnetCell(
            in_previous=weights["previous"].shape[1],
            in_before=weights["before"].shape[1],
            channels=self.channels,
            stride=self.stride,
            before_stride=self.before_stride,
            inputs=[state + 1 for state, _ in picks],
            operations=[operation for _, operation in picks],
        )
        for name, weight in weights.items():
            getattr(block, name).weight.copy_(weight[..., None, None])
            norm: ElasticBatchNorm = getattr(self, f"{name}_norm")
            setattr(block, f"{name}_norm", norm.extract(self.channels, statistics))
        for at, (_, operation) in enumerate(picks):
            if operation in NasnetCell.PARTS:
                path = block.paths[at]
                assert isinstance(path, nn.Sequential)
                _copy(self._path(at, operation), path, self.channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count()
        sources = [self.previous_source, self.before_source]
        wide = [len(self.unused(arch, s.kind)) * s.channels for s in sources]
        previous = count.given(wide[0], sources[0].size)
        # The stem hands the same map on twice.
        before = previous if sources[0] is sources[1] else count.given(wide[1], sources[1].size)
        states = [count.batch_norm(count.conv(count.over(previous), self.channels, 1))]
        second = count.over(before)
        if self.before_stride > 1:
            second = count.pooled(second, self.before_stride)
        states.append(count.batch_norm(count.conv(second, self.channels, 1)))
        picks = self.picks(arch, self.kind)
        for left in range(0, len(picks), 2):
            states.append(
                count.over(*(self._count_side(count, states, pick) for pick in picks[left : left + 2]))
            )
        there = unused_states([state for state, _ in picks])
        parts = [
            count.pooled(states[n], self.stride) if n < 2 and self.stride > 1 else states[n] for n in there
        ]
        y = count.made(parts, len(there) * self.channels, self.made.size)
        return StageCost(
            label=f"cell {self.number}",
            group=f"{self.kind} cell"
            if self.kind == "reduction"
            else f"map {self.made.size[0]}x{self.made.size[1]}",
            kind="cell" if self.kind == "normal" else "reduction",
            output_shape=(y.channels, *y.size),
            channels=y.channels,
            counted=count.counted(y, previous),
            detail=f"{len(there)} states",
        )

    def _count_side(self, count: Count, states: Sequence[Value], pick: tuple[int, str]) -> Value:
        state, operation = pick
        x, stride = states[state], self.stride if state < 2 else 1
        if operation == "identity":
            return count.pooled(x, stride) if stride > 1 else x
        if operation not in NasnetCell.PARTS:
            return count.pooled(x, stride)
        for part in NasnetCell.PARTS[operation]:
            x = count.over(x)
            for height, width, _, depthwise in part:
                groups = self.channels if depthwise else 1
                x = count.conv(x, self.channels, (height, width), stride, groups=groups)
                stride = 1
            x = count.batch_norm(x)
        return x


class HeadStage(CellsStage):
    """ReLU, mean over all positions of the last cell's output, linear layer."""

    def __init__(self, space: SearchSpace, config: NasnetCellsConfig, source: Source, before: Source) -> None:
        super().__init__(space, config)
        self.source, self.before, self.classes = source, before, config.classes
        # What came before is not read, but it is there.
        self.depends_on = tuple(dict.fromkeys([*self.names(source.kind), *self.names(before.kind)]))
        self.linear = nn.Linear(source.states * source.channels, config.classes)

    def forward(self, x: Pair, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        pooled = faded(F.relu(x[0]).mean((2, 3)), arch)
        return F.linear(pooled, self.read(self.linear.weight, self.source, arch), self.linear.bias)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        weight = self.read(self.linear.weight, self.source, arch)
        head = NasnetHead(weight.shape[1], self.classes)
        head.linear.weight.copy_(weight)
        head.linear.bias.copy_(self.linear.bias)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count()
        y, _ = (
            count.given(len(self.unused(arch, each.kind)) * each.channels, each.size)
            for each in (self.source, self.before)
        )
        y = count.linear(count.mean(count.over(y)), self.classes)
        return StageCost.head(self.classes, count.counted(y))


def _path(operation: str, channels: int) -> nn.ModuleList:
    """The layers of an operation with weights, parts in order: convolutions, then a BatchNorm each."""
    layers: list[nn.Module] = []
    for part in NasnetCell.PARTS[operation]:
        for height, width, dilation, depthwise in part:
            padding = (dilation * (height - 1) // 2, dilation * (width - 1) // 2)
            layers.append(
                nn.Conv2d(
                    channels,
                    channels,
                    (height, width),
                    padding=padding,
                    dilation=dilation,
                    groups=channels if depthwise else 1,
                    bias=False,
                )
            )
        layers.append(ElasticBatchNorm(channels))
    return nn.ModuleList(layers)


def _run(path: nn.ModuleList, x: Tensor, stride: int, statistics: Statistics | None) -> Tensor:
    """An operation with weights; its first convolution has the stride."""
    starts = True
    for layer in path:
        if isinstance(layer, ElasticBatchNorm):
            x, starts = layer(x, statistics), True
            continue
        assert isinstance(layer, nn.Conv2d)
        x = F.relu(x) if starts else x
        padding = (layer.padding[0], layer.padding[1]) if isinstance(layer.padding, tuple) else layer.padding
        x = F.conv2d(x, layer.weight, None, stride, padding, layer.dilation, layer.groups)
        stride, starts = 1, False
    return x


def _copy(path: nn.ModuleList, target: nn.Sequential, channels: int, statistics: Statistics | None) -> None:
    """Write an operation's weights into its plain layers, which have a ReLU before each part besides."""
    places = [at for at, layer in enumerate(target) if not isinstance(layer, nn.ReLU)]
    for at, layer in zip(places, path, strict=True):
        if isinstance(layer, ElasticBatchNorm):
            target[at] = layer.extract(channels, statistics)
        else:
            target[at].load_state_dict(layer.state_dict())
