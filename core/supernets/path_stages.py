"""Stages of an ensemble of paths: the split, a layer of one path, the head; see `core.supernets.path_ensemble`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.path_residual import PathResidual
from core.networks.blocks.path_split import PathSplit
from core.networks.blocks.paths_head import PathsHead
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.residual_block import ResidualBlock
from core.spaces import SearchSpace
from core.supernets.base import Stage
from core.supernets.chain_stages import halved
from core.supernets.counting import Count
from core.supernets.options.base import Place
from core.supernets.path_space import OWN, Layer, OperationConfig, PathEnsembleConfig
from core.supernets.sliced_conv import copy_conv, fresh_conv
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import ElasticBatchNorm, Statistics

Flow = Tensor | tuple[Tensor, ...]
"""The trunk's map (n, c, h, w); behind the split one map per path."""


class Apart(tuple[int, ...]):
    """An architecture in training whose paths are taught apart.

    The head returns every path's logits (n, paths, classes), and what comes back into the trunk is divided by the
    number of paths: the gradient of the paths' losses there is their mean.
    """


class _Divided(torch.autograd.Function):
    """The identity, whose gradient is divided."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, by: int) -> Tensor:
        ctx.by = by
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] / ctx.by, None


class SplitStage(Stage):
    """Where the paths part, if it is before this layer."""

    def __init__(self, space: SearchSpace, layer: Layer, paths: int) -> None:
        super().__init__(space)
        self.layer, self.paths = layer, paths
        self.depends_on = (OWN,)

    def key(self, arch: Sequence[int]) -> Hashable:
        return True if int(self.option(arch, OWN)) == self.layer.parts_at else None

    def forward(
        self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None
    ) -> tuple[Tensor, ...]:
        if isinstance(arch, Apart):
            x = _Divided.apply(x, self.paths)
        return (x, *(x * 1 for _ in range(self.paths - 1)))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return PathSplit(self.paths)

    def cost(self, arch: Sequence[int]) -> StageCost:
        place, count = self.layer.place, Count()
        x = count.given(place.most_in, place.size)
        copies = [count.made([x], x.channels, x.size) for _ in range(self.paths - 1)]
        return StageCost(
            label="split",
            group=f"group {self.layer.group}",
            kind="split",
            output_shape=(x.channels, *x.size),
            channels=x.channels,
            counted=count.counted(x, *copies),
            detail=f"{self.paths} paths",
        )


class Operation(nn.Module):
    """Two dense convolutions beside a shortcut, as PathResidual has them."""

    def __init__(self, config: OperationConfig, place: Place) -> None:
        super().__init__()
        self.config, self.place = config, place
        inner = config.expand * place.most_out
        self.conv1 = fresh_conv(place.most_in, inner, config.kernel, place.stride)
        self.norm1 = ElasticBatchNorm(inner)
        self.conv2 = fresh_conv(inner, place.most_out, 3)
        self.norm2 = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, statistics: Statistics | None) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x), statistics))
        y = self.norm2(self.conv2(y), statistics)
        if self.place.stride > 1:
            x = F.avg_pool2d(x, self.place.stride, ceil_mode=True)
        if self.place.most_out > x.shape[1]:
            x = F.pad(x, (0, 0, 0, 0, 0, self.place.most_out - x.shape[1]))
        return F.relu(y + x)

    def extract(self, path: int, statistics: Statistics | None) -> nn.Module:
        """A block of its weights: on one path of several, or of a trunk (0)."""
        place, kernel, inner = self.place, self.config.kernel, self.conv1.out_channels
        sizes = (place.most_in, place.most_out, kernel, place.stride)
        block: nn.Module
        if path:
            block = PathResidual(path, *sizes, inner)
        else:
            block = ResidualBlock(*sizes, 0 if inner == place.most_out else inner)
        for name in ("conv1", "conv2"):
            copy_conv(getattr(self, name), getattr(block, name))
        block.norm1 = self.norm1.extract(inner, statistics)
        block.norm2 = self.norm2.extract(place.most_out, statistics)
        return block


class LayerStage(Stage):
    """One layer of one path, or of the trunk, which runs the first path's operations.

    Args:
        space: has the choices.
        layer: which one.
        paths: of an ensemble.
        bank: position -> operation, where another stage has it, too; made anew if left out.
        trunk: it is the trunk's: there as long as the paths have not parted.
    """

    def __init__(
        self,
        space: SearchSpace,
        layer: Layer,
        paths: int,
        bank: nn.ModuleDict | None = None,
        *,
        trunk: bool = False,
    ) -> None:
        super().__init__(space)
        self.layer, self.paths, self.trunk = layer, paths, trunk
        # To skip has no weights.
        self.bank = bank or nn.ModuleDict(
            {str(at): Operation(each, layer.place) for at, each in enumerate(layer.bank) if each is not None}
        )
        self.depends_on = (OWN, layer.choice) if layer.can_part else (layer.choice,)

    @property
    def closes(self) -> bool:
        """Whether all paths have run this layer behind it."""
        return not self.trunk and self.layer.path == self.paths

    def _at(self, arch: Sequence[int]) -> int:
        return arch[self.space.position[self.layer.choice]]

    def _operation(self, arch: Sequence[int]) -> Operation:
        operation = self.bank[str(self._at(arch))]
        assert isinstance(operation, Operation)
        return operation

    def key(self, arch: Sequence[int]) -> Hashable:
        parted = self.layer.can_part and int(self.option(arch, OWN)) >= self.layer.parts_at
        if parted is self.trunk or self.layer.bank[self._at(arch)] is None:
            return None
        return self._at(arch)

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Flow:
        operation, at = self._operation(arch), self.layer.path - 1
        if isinstance(x, Tensor):
            y: Tensor = operation(x, statistics)
            return y
        return (*x[:at], operation(x[at], statistics), *x[at + 1 :])

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return self._operation(arch).extract(0 if self.trunk else self.layer.path, statistics)

    def cost(self, arch: Sequence[int]) -> StageCost:
        layer, place, count = self.layer, self.layer.place, Count()
        config = self._operation(arch).config
        x = count.given(place.most_in, place.size)
        after = halved(place.size, place.stride)
        others = [
            count.given(place.most_out, after)
            if path < layer.path
            else count.given(place.most_in, place.size)
            for path in range(1, 1 if self.trunk else self.paths + 1)
            if path != layer.path
        ]
        y = count.conv(x, config.expand * place.most_out, config.kernel, place.stride)
        y = count.batch_norm(count.conv(count.over(count.batch_norm(y)), place.most_out, 3))
        if place.stride > 1:
            x = count.pooled(x, place.stride)
        if place.most_out > x.channels:
            x = count.made([x], place.most_out, x.size)
        y = count.over(count.over(y, x))
        return StageCost(
            label=f"layer {layer.number}" + ("" if self.trunk else f", path {layer.path}"),
            group=f"group {layer.group}",
            kind="block",
            output_shape=(place.most_out, *y.size),
            channels=place.most_out,
            counted=count.counted(y, *others),
            detail=("" if self.trunk else f"{layer.path}: ") + layer.labels()[self._at(arch)],
        )


class HeadStage(Stage):
    """A linear layer per path on the mean over its map; the average of the paths' probabilities, as its logarithm."""

    def __init__(
        self, space: SearchSpace, config: PathEnsembleConfig, width: int, size: tuple[int, int]
    ) -> None:
        super().__init__(space)
        self.depends_on = (OWN,)
        self.width, self.size, self.classes, self.paths = width, size, config.classes, config.paths
        self.linears = nn.ModuleList(nn.Linear(width, config.classes) for _ in range(config.paths))

    def key(self, arch: Sequence[int]) -> Hashable:
        return int(self.option(arch, OWN)) > 0

    def _logits(self, x: Flow) -> Iterator[Tensor]:
        for linear, each in zip(self.linears, x if isinstance(x, tuple) else (x,), strict=False):
            yield linear(each.mean((2, 3)))

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        logits = torch.stack(list(self._logits(x)), 1)
        if isinstance(arch, Apart):
            return logits
        if logits.shape[1] == 1:
            return logits[:, 0]
        return logits.log_softmax(2).logsumexp(1) - math.log(self.paths)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        if not self.key(arch):
            single = PoolingHead(self.width, self.classes)
            single.linear.load_state_dict(self.linears[0].state_dict())
            return single
        block = PathsHead(self.width, self.classes, self.paths)
        block.linears.load_state_dict(self.linears.state_dict())
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count = Count()
        maps = [count.given(self.width, self.size) for _ in range(self.paths if self.key(arch) else 1)]
        if len(maps) == 1:
            return StageCost.head(
                self.classes, count.counted(count.linear(count.mean(maps[0]), self.classes))
            )
        said = [count.over(count.linear(count.mean(each), self.classes)) for each in maps]
        together = count.made(said, self.paths * self.classes)
        summed = count.over(count.made([together], self.classes))
        return StageCost.head(self.classes, count.counted(summed))
