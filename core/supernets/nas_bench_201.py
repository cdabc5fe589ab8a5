"""The NAS-Bench-201 cell space as a weight-sharing supernet.

Every cell of the fixed skeleton owns the weights of both convolutions on each of its six edges; an
architecture picks one operation per edge, the same in every cell. All cells read all six choices,
so two architectures share no computation but the stem: measuring this whole space takes its time.

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.cell import Cell
from core.networks.blocks.cell_head import CellHead
from core.networks.blocks.cell_reduction import CellReduction
from core.networks.blocks.cell_stem import CellStem
from core.spaces import SearchSpace
from core.spaces.cell_string import EDGES, OPERATIONS, cell_space, edge_name, format_arch_string
from core.supernets.base import Stage, Supernet
from core.supernets.drop_path import faded
from core.supernets.families import FAMILIES
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig

_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
_EDGE_CHOICES = tuple(edge_name(*edge) for edge in EDGES)


class NASBench201Config(ImageConfig):
    """The skeleton around the cell."""

    channels: int = Field(16, ge=1, le=256, description="Channels of the first cells; doubled twice.")
    cells_per_stage: int = Field(5, ge=1, le=10, description="Cells between two reductions.")


@FAMILIES.register("nas_bench_201")
class NASBench201(Supernet):
    """A cell of six edges with five operations each, stacked in a fixed skeleton: 15,625 subnets."""

    label = "NAS-Bench-201 cell"
    source = "Dong and Yang, NAS-Bench-201, ICLR 2020"
    Config = NASBench201Config
    task_name = "image"

    def __init__(self, config: NASBench201Config) -> None:
        space = cell_space()
        in_channels, height, width = config.input_shape
        size, channels = (height, width), config.channels
        stages: list[Stage] = [StemStage(space, config, in_channels, channels, size)]
        for group in (1, 2, 3):
            if group > 1:
                before, size = size, ((size[0] + 1) // 2, (size[1] + 1) // 2)
                stages.append(ReductionStage(space, group, channels, (before, size)))
                channels *= 2
            stages += [
                CellStage(space, (group, c), channels, size) for c in range(1, config.cells_per_stage + 1)
            ]
        stages.append(HeadStage(space, channels, config.classes, size))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 14 halves to 7: an odd map or grid of tokens.
        return [cls.example((1, 8, 8)), cls.example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> NASBench201Config:
        """A small configuration for images (c, h, w) of this shape."""
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return NASBench201Config(
            input_shape=input_shape, channels=3, cells_per_stage=1, pixel_mean=mean, pixel_std=std
        )

    def arch_string(self, arch: Sequence[int]) -> str:
        """The benchmark's own name of an architecture."""
        return format_arch_string([OPERATIONS[i] for i in arch])

    def published_costs(self, arch: Sequence[int]) -> tuple[float, float]:
        """(parameters, "FLOPs") in millions, by the benchmark's rule: MACs, and the last layer adds its bias."""
        costs = self.costs(arch)
        return sum(c.params for c in costs) / 1e6, (sum(c.macs for c in costs) + self.classes) / 1e6


class StemStage(Stage):
    """Pixel normalization, 3x3 convolution, BatchNorm."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        space: SearchSpace,
        config: NASBench201Config,
        in_channels: int,
        channels: int,
        size: tuple[int, int],
    ) -> None:
        super().__init__(space)
        self.in_channels, self.channels, self.size = in_channels, channels, size
        self.in_numbers = math.prod(config.input_shape)
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False)
        self.norm = ElasticBatchNorm(channels)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self.norm(self.conv((x - self.mean) / self.std), statistics)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = CellStem(self.in_channels, self.channels)
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        block.conv.weight.copy_(self.conv.weight)
        block.norm = self.norm.extract(self.channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        weights = 9 * self.in_channels * self.channels
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(self.channels, *self.size),
            channels=self.channels,
            counted=counts(
                macs=weights * self.size[0] * self.size[1],
                params=weights + 2 * self.channels,
                # The input, normalized, and the map.
                held_bytes=4 * (2 * self.in_numbers + self.channels * math.prod(self.size)),
                buffer_bytes=stored_bytes(self.channels) + 8 * self.in_channels,
            ),
            detail="k3",
        )


class CellStage(Stage):
    """One cell; owns the weights of both convolutions on each edge."""

    depends_on = _EDGE_CHOICES

    def __init__(
        self, space: SearchSpace, place: tuple[int, int], channels: int, size: tuple[int, int]
    ) -> None:
        super().__init__(space)
        self.group, self.index = place
        self.channels, self.size = channels, size
        self.convs, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for edge in range(len(EDGES)):
            for kernel in _KERNELS.values():
                name = f"{edge}_{kernel}"
                self.convs[name] = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, bias=False)
                self.norms[name] = ElasticBatchNorm(channels)

    def operations(self, arch: Sequence[int]) -> list[str]:
        return [str(self.option(arch, name)) for name in _EDGE_CHOICES]

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        operations, nodes, edge = self.operations(arch), [x], 0
        for node in (1, 2, 3):
            total = torch.zeros_like(x)
            for start in range(node):
                brought = self._brought(edge, operations[edge], nodes[start], statistics)
                total = total if brought is None else total + brought
                edge += 1
            nodes.append(total)
        return nodes[3]

    def _brought(self, edge: int, operation: str, x: Tensor, statistics: Statistics | None) -> Tensor | None:
        """What an edge adds to its node; None for nothing."""
        if operation == "none":
            return None
        if operation == "skip_connect":
            return x
        if operation == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        name = f"{edge}_{_KERNELS[operation]}"
        brought: Tensor = self.norms[name](self.convs[name](F.relu(x)), statistics)
        return brought

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        operations = self.operations(arch)
        cell = Cell(self.channels, operations)
        for edge, operation in enumerate(operations):
            if operation in _KERNELS:
                name = f"{edge}_{_KERNELS[operation]}"
                conv, norm = self.convs[name], self.norms[name]
                assert isinstance(conv, nn.Conv2d)
                assert isinstance(norm, ElasticBatchNorm)
                target = plain_conv(cell, edge)
                target.weight.copy_(conv.weight)
                cell.convs[str(edge)][2] = norm.extract(self.channels, statistics)  # type: ignore[index, operator]
        return cell

    def cost(self, arch: Sequence[int]) -> StageCost:
        kernels = [_KERNELS[op] for op in self.operations(arch) if op in _KERNELS]
        weights = sum(k * k for k in kernels) * self.channels**2
        return StageCost(
            label=f"cell {self.group}.{self.index}",
            group=f"group {self.group}",
            kind="block",
            output_shape=(self.channels, *self.size),
            channels=self.channels,
            counted=counts(
                macs=weights * self.size[0] * self.size[1],
                params=weights + 2 * self.channels * len(kernels),
                held_bytes=4
                * maps_alive(tuple(self.operations(arch)))
                * self.channels
                * math.prod(self.size),
                buffer_bytes=stored_bytes(self.channels) * len(kernels),
            ),
            detail=f"{len(kernels)} conv",
        )


@lru_cache(maxsize=len(OPERATIONS) ** len(EDGES))
def maps_alive(operations: tuple[str, ...]) -> int:
    """Most maps that are alive at once while a cell computes its nodes one after the other.

    Args:
        operations: of the edges, in the order of `EDGES`.
    """
    read_at = {start: at for at, (start, _) in enumerate(EDGES) if operations[at] != "none"}
    alive, most = {0}, 1
    for at, ((start, end), operation) in enumerate(zip(EDGES, operations, strict=True)):
        # A node starts as a map of zeros, to which its edges are added.
        alive.add(end)
        # The cell's input stays until the end; another node's map goes with its last reader, who may overwrite it.
        last = start != 0 and read_at.get(start) == at
        more = {"none": 0, "skip_connect": 0, "avg_pool_3x3": 1, "nor_conv_1x1": 2, "nor_conv_3x3": 2}[
            operation
        ]
        most = max(most, len(alive) + more - (last and more == 2))
        # A node that nobody reads goes as soon as it is made.
        done = at + 1 == len(EDGES) or EDGES[at + 1][1] != end
        alive -= {start} if last else set()
        alive -= {end} if done and end not in read_at and end != EDGES[-1][1] else set()
    return most


def plain_conv(cell: Cell, edge: int) -> nn.Conv2d:
    """The convolution on an edge of an extracted cell."""
    conv = cell.convs[str(edge)][1]  # type: ignore[index, operator]
    assert isinstance(conv, nn.Conv2d)
    return conv


class ReductionStage(Stage):
    """From one group of cells to the next: half the resolution, twice the channels."""

    def __init__(
        self,
        space: SearchSpace,
        group: int,
        in_channels: int,
        sizes: tuple[tuple[int, int], tuple[int, int]],
    ) -> None:
        super().__init__(space)
        self.group, self.in_channels, self.channels, (before, self.size) = (
            group,
            in_channels,
            2 * in_channels,
            sizes,
        )
        self.in_numbers = in_channels * math.prod(before)
        self.conv1 = nn.Conv2d(in_channels, self.channels, 3, 2, 1, bias=False)
        self.norm1 = ElasticBatchNorm(self.channels)
        self.conv2 = nn.Conv2d(self.channels, self.channels, 3, 1, 1, bias=False)
        self.norm2 = ElasticBatchNorm(self.channels)
        self.shortcut = nn.Conv2d(in_channels, self.channels, 1, bias=False)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        y = self.norm1(self.conv1(F.relu(x)), statistics)
        y = self.norm2(self.conv2(F.relu(y)), statistics)
        brought: Tensor = y + self.shortcut(F.avg_pool2d(x, 2, ceil_mode=True))
        return brought

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = CellReduction(self.in_channels, self.channels)
        for name in ("conv1", "conv2", "shortcut"):
            getattr(block, name).weight.copy_(getattr(self, name).weight)
        block.norm1 = self.norm1.extract(self.channels, statistics)
        block.norm2 = self.norm2.extract(self.channels, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        weights = (9 + 1) * self.in_channels * self.channels + 9 * self.channels**2
        made = self.channels * math.prod(self.size)
        return StageCost(
            label=f"reduction {self.group}",
            group=f"group {self.group}",
            kind="reduction",
            output_shape=(self.channels, *self.size),
            channels=self.channels,
            counted=counts(
                macs=weights * self.size[0] * self.size[1],
                params=weights + 4 * self.channels,
                # Beside the input: its positive part and a map, or two maps and the pooled input.
                held_bytes=4 * (self.in_numbers + max(self.in_numbers + made, 2 * made + made // 2)),
                buffer_bytes=2 * stored_bytes(self.channels),
            ),
            detail="k3",
        )


class HeadStage(Stage):
    """BatchNorm, ReLU, mean over the image, linear layer."""

    def __init__(self, space: SearchSpace, channels: int, classes: int, size: tuple[int, int]) -> None:
        super().__init__(space)
        self.channels, self.classes, self.size = channels, classes, size
        self.norm = ElasticBatchNorm(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        logits: Tensor = self.linear(faded(F.relu(self.norm(x, statistics)).mean((2, 3)), arch))
        return logits

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = CellHead(self.channels, self.classes)
        head.norm = self.norm.extract(self.channels, statistics)
        head.linear.load_state_dict(self.linear.state_dict())
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        weights, before = self.channels * self.classes, self.channels * math.prod(self.size)
        return StageCost.head(
            self.classes,
            counts(
                macs=weights,
                params=weights + self.classes + 2 * self.channels,
                held_bytes=4 * (before + self.channels + max(before, self.classes)),
                buffer_bytes=stored_bytes(self.channels),
            ),
        )
