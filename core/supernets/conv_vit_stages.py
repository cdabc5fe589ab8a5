"""The stages of ElasticViT that convolve: stem, blocks that expand nothing, pooled bottlenecks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.depthwise_separable import DepthwiseSeparable
from core.networks.blocks.mobile_stem import MobileStem
from core.networks.blocks.pooled_bottleneck import PooledBottleneck
from core.spaces import SearchSpace
from core.supernets.base import Stage
from core.supernets.counting import Count, Value
from core.supernets.drop_path import thinned
from core.supernets.elastic_conv import ElasticConv
from core.supernets.elastic_depthwise import ElasticDepthwise
from core.supernets.resizing import RESOLUTION
from core.supernets.sliced import copy_linear, linear
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import EPSILON, ElasticBatchNorm, Statistics


@dataclass(frozen=True)
class Place:
    """Where a block stands.

    Attributes:
        stage: its number; 0 is the stem.
        index: of the block in its stage, from 1.
        before, after: the resized image's side over that of its input and output maps, rounded up.
        most_in, most: channels of the widest input and output.
        enters: whether it reads what the stage before has made.
    """

    stage: int
    index: int
    before: int
    after: int
    most_in: int
    most: int
    enters: bool = False

    @property
    def stride(self) -> int:
        return self.after // self.before

    @property
    def source(self) -> str:
        """The choice of its input's width."""
        return f"width{self.stage - 1 if self.enters and self.stage else self.stage}"


class MapStage(Stage):
    """A stage whose maps follow the resolution and the widths."""

    def __init__(self, space: SearchSpace, place: Place, own: Sequence[str] = ()) -> None:
        super().__init__(space)
        self.place = place
        self.width_choice, self._own = f"width{place.stage}", tuple(own)
        depth = (f"depth{place.stage}",) if place.index else ()
        names = (RESOLUTION, place.source, self.width_choice, *depth, *self._own)
        self.depends_on = tuple(dict.fromkeys(names))

    def key(self, arch: Sequence[int]) -> Hashable:
        if self.place.index and int(self.option(arch, f"depth{self.place.stage}")) < self.place.index:
            return None
        # What came before has fixed the width of all blocks but a stage's first.
        names = (self.width_choice, *self._own) if self.place.enters else self._own
        return tuple(int(self.option(arch, name)) for name in names)

    def widths(self, arch: Sequence[int]) -> tuple[int, int]:
        """Channels of the input and of the output."""
        return int(self.option(arch, self.place.source)), int(self.option(arch, self.width_choice))

    def side(self, arch: Sequence[int], reduction: int) -> int:
        """Side of a map that is so much smaller than the resized image."""
        return -(-int(self.option(arch, RESOLUTION)) // reduction)

    def described(self, arch: Sequence[int], count: Count, *made: Value, detail: str, kind: str) -> StageCost:
        """The costs that were written down, with the stage's names."""
        width, side, place = self.widths(arch)[1], self.side(arch, self.place.after), self.place
        label = {"stem": "stem", "reduction": f"reduction {place.stage}"}.get(
            kind, f"block {place.stage}.{place.index}"
        )
        return StageCost(
            label=label,
            group="stem" if not place.stage else f"stage {place.stage}",
            kind="stem" if kind == "stem" else "block",
            output_shape=(width, side, side),
            channels=width,
            counted=count.counted(*made),
            detail=detail,
        )


class StemStage(MapStage):
    """Pixel normalization, 3x3 convolution, BatchNorm, hardswish."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, space: SearchSpace, place: Place, pixel_mean: Sequence[float], pixel_std: Sequence[float]
    ) -> None:
        super().__init__(space, place)
        self.register_buffer("mean", torch.tensor(pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = ElasticConv(place.most_in, place.most, (3,), place.stride)
        self.norm = ElasticBatchNorm(place.most)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        y = self.conv((x - self.mean) / self.std, self.widths(arch)[1], 3)
        return F.hardswish(self.norm(y, statistics))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, place = self.widths(arch)[1], self.place
        block = MobileStem(place.most_in, width, 3, place.stride, "hardswish", EPSILON)
        # One constant may stand for every channel.
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        self.conv.copy_to(block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count, side = Count(), self.side(arch, 1)
        x = count.over(count.given(self.place.most_in, (side, side)))
        count.buffer_bytes += 8 * self.place.most_in
        y = count.over(count.batch_norm(count.conv(x, self.widths(arch)[1], 3, self.place.stride)))
        return self.described(arch, count, y, detail="k3", kind="stem")


class SeparableStage(MapStage):
    """A block of the stem: depthwise convolution, then a 1x1 convolution, beside a shortcut."""

    def __init__(self, space: SearchSpace, place: Place, kernels: Sequence[int]) -> None:
        super().__init__(space, place, ("kernel0",))
        self.depthwise = ElasticDepthwise(place.most, kernels, transform=False)
        self.norm1 = ElasticBatchNorm(place.most)
        self.project = ElasticConv(place.most, place.most, (1,))
        self.norm2 = ElasticBatchNorm(place.most)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        kernel = int(self.option(arch, "kernel0"))
        y = F.hardswish(self.norm1(self.depthwise(x, kernel), statistics))
        y = self.norm2(self.project(y, x.shape[1], 1), statistics)
        return thinned(y, arch, self.depth_share) + x

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, kernel = self.widths(arch)[1], int(self.option(arch, "kernel0"))
        block = DepthwiseSeparable(width, width, kernel, 1, "hardswish", "identity", EPSILON)
        self.depthwise.copy_to(block.depthwise)
        self.project.copy_to(block.project)
        block.norm1 = self.norm1.extract(width, statistics)
        block.norm2 = self.norm2.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        count, side = Count(), self.side(arch, self.place.after)
        width, kernel = self.widths(arch)[1], int(self.option(arch, "kernel0"))
        x = count.given(width, (side, side))
        y = count.over(count.batch_norm(count.conv(x, width, kernel, groups=width)))
        y = count.over(count.batch_norm(count.conv(y, width, 1)), x)
        return self.described(arch, count, y, detail=f"k{kernel}", kind="block")


class BottleneckStage(MapStage):
    """One inverted bottleneck beside a pooled shortcut; beyond the chosen depth it is the identity.

    Args:
        space: has the choices.
        place: where it stands; a block that leads to a stage of transformer blocks has index 0.
        kernels, expands: ascending; of several the stage's choices decide.
        squeeze: weigh channels by squeeze-and-excite, a quarter of the hidden channels wide.
    """

    def __init__(
        self,
        space: SearchSpace,
        place: Place,
        *,
        kernels: Sequence[int],
        expands: Sequence[int],
        squeeze: bool,
    ) -> None:
        s = place.stage
        super().__init__(space, place, (f"kernel{s}", f"expand{s}") if place.index else ())
        self.kernels, self.expands = tuple(kernels), tuple(expands)
        most = place.most_in * self.expands[-1]
        self.expand, self.norm1 = ElasticConv(place.most_in, most, (1,)), ElasticBatchNorm(most)
        self.depthwise = ElasticDepthwise(most, kernels, place.stride, transform=False)
        self.norm2 = ElasticBatchNorm(most)
        self.squeeze = nn.Linear(most, max(1, most // 4)) if squeeze else None
        self.excite = nn.Linear(max(1, most // 4), most) if squeeze else None
        self.project, self.norm3 = ElasticConv(most, place.most, (1,)), ElasticBatchNorm(place.most)
        # Beyond a stage's first block widths agree: no projection can be needed there.
        self.bypass = ElasticConv(place.most_in, place.most, (1,)) if place.enters else None
        if not place.enters:
            nn.init.zeros_(self.norm3.weight)

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int, int, int]:
        """(input's width, hidden channels, width, kernel, units of squeeze-and-excite)."""
        before, width = self.widths(arch)
        s = self.place.stage
        fixed = not self.place.index
        hidden = before * (self.expands[0] if fixed else int(self.option(arch, f"expand{s}")))
        kernel = self.kernels[0] if fixed else int(self.option(arch, f"kernel{s}"))
        return before, hidden, width, kernel, max(1, hidden // 4) if self.squeeze is not None else 0

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        before, hidden, width, kernel, squeezed = self._sizes(arch)
        y = F.hardswish(self.norm1(self.expand(x, hidden, 1), statistics))
        y = F.hardswish(self.norm2(self.depthwise(y, kernel), statistics))
        if self.squeeze is not None and self.excite is not None:
            gate = linear(self.excite, F.relu(linear(self.squeeze, y.mean((2, 3)), squeezed)), hidden)
            y = y * ((gate + 3).clamp(0, 6) / 6)[:, :, None, None]
        y = self.norm3(self.project(y, width, 1), statistics)
        if self.place.stride > 1:
            x = F.avg_pool2d(x, self.place.stride, ceil_mode=True)
        if before != width:
            assert self.bypass is not None
            x = self.bypass(x, width, 1)
        return thinned(y, arch, self.depth_share) + x

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        before, hidden, width, kernel, squeezed = self._sizes(arch)
        shortcut = "identity" if before == width else "projection"
        block = PooledBottleneck(before, hidden, width, kernel, self.place.stride, shortcut, squeezed)
        self.expand.copy_to(block.expand)
        self.depthwise.copy_to(block.depthwise)
        self.project.copy_to(block.project)
        if self.squeeze is not None and self.excite is not None:
            copy_linear(self.squeeze, block.squeeze)  # type: ignore[arg-type]
            copy_linear(self.excite, block.excite)  # type: ignore[arg-type]
        if self.bypass is not None and block.bypass is not None:
            self.bypass.copy_to(block.bypass)
        block.norm1 = self.norm1.extract(hidden, statistics)
        block.norm2 = self.norm2.extract(hidden, statistics)
        block.norm3 = self.norm3.extract(width, statistics)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        before, hidden, width, kernel, squeezed = self._sizes(arch)
        count, side, stride = Count(), self.side(arch, self.place.before), self.place.stride
        x = count.given(before, (side, side))
        y = count.over(count.batch_norm(count.conv(x, hidden, 1)))
        y = count.over(count.batch_norm(count.conv(y, hidden, kernel, stride, groups=hidden)))
        if squeezed:
            gate = count.over(count.linear(count.mean(y), squeezed))
            y = count.over(y, count.over(count.linear(gate, hidden)))
        y = count.batch_norm(count.conv(y, width, 1))
        shortcut = count.pooled(x, stride) if stride > 1 else x
        if before != width:
            shortcut = count.conv(shortcut, width, 1)
        y = count.over(y, shortcut)
        detail = f"k{kernel} e{hidden // before}"
        return self.described(
            arch, count, y, detail=detail, kind="block" if self.place.index else "reduction"
        )
