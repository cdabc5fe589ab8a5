"""The stage that once-for-all's mobile families are made of: an inverted bottleneck with elastic kernel and expansion.

Widths between blocks are fixed; what is elastic lies within a block (its kernel and how far it expands), in the
number of blocks, and in the resolution. Each stage knows by how much its maps are smaller than the resized image.

Source: Cai et al., "Once-for-All", ICLR 2020; structure as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.inverted_bottleneck import InvertedBottleneck
from core.spaces import SearchSpace
from core.supernets import samples_last_mobile
from core.supernets.base import BranchContext, Stage
from core.supernets.drop_path import thinned
from core.supernets.elastic_conv import ElasticConv
from core.supernets.elastic_depthwise import ElasticDepthwise
from core.supernets.mobile_layer import Layer
from core.supernets.resizing import RESOLUTION
from core.supernets.sliced import copy_linear, linear
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes


class MobileStage(Stage):
    """A stage whose maps follow the resolution."""

    depends_on: tuple[str, ...] = (RESOLUTION,)

    def __init__(self, space: SearchSpace, layer: Layer) -> None:
        super().__init__(space)
        self.layer = layer

    def side(self, arch: Sequence[int], reduction: int) -> int:
        """Side of a map that is so much smaller than the resized image."""
        return -(-int(self.option(arch, RESOLUTION)) // reduction)

    def areas(self, arch: Sequence[int]) -> tuple[int, int]:
        """Positions of its input map and of its output map."""
        return self.side(arch, self.layer.before) ** 2, self.side(arch, self.layer.after) ** 2


class BottleneckStage(MobileStage):
    """One inverted bottleneck with elastic kernel and expansion; beyond the chosen depth it is the identity.

    Args:
        space: has its choices.
        layer: its place.
        place: numbers of its group and within the group, from 1.
        kernels: ascending.
        hidden: expansion ratio -> channels between its convolutions.
        squeezed: the same expansion ratio -> units of squeeze-and-excite; empty without it.
        transform: learn matrices between kernels.
    """

    def __init__(
        self,
        space: SearchSpace,
        layer: Layer,
        *,
        place: tuple[int, int],
        kernels: Sequence[int],
        hidden: dict[int, int],
        squeezed: dict[int, int],
        transform: bool,
    ) -> None:
        super().__init__(space, layer)
        (self.group, self.index), self.hidden, self.squeezed = place, hidden, squeezed
        self._names = tuple(
            f"{what}{self.group}{at}"
            for what, at in (("depth", ""), ("kernel", f"_{self.index}"), ("expand", f"_{self.index}"))
        )
        self.depends_on = (RESOLUTION, *self._names)
        most = max(hidden.values())
        self.expand = ElasticConv(layer.in_channels, most, (1,))
        self.norm1 = ElasticBatchNorm(most, layer.epsilon)
        self.depthwise = ElasticDepthwise(most, kernels, layer.stride, transform=transform)
        self.norm2 = ElasticBatchNorm(most, layer.epsilon)
        self.squeeze = nn.Linear(most, max(squeezed.values())) if squeezed else None
        self.excite = nn.Linear(max(squeezed.values()), most) if squeezed else None
        self.project = ElasticConv(most, layer.out_channels, (1,))
        self.norm3 = ElasticBatchNorm(layer.out_channels, layer.epsilon)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, self._names[0])) < self.index:
            return None
        return int(self.option(arch, RESOLUTION)), *self.setting(arch)

    def setting(self, arch: Sequence[int]) -> tuple[int, int]:
        """(kernel, expansion ratio)."""
        return int(self.option(arch, self._names[1])), int(self.option(arch, self._names[2]))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        kernel, ratio = self.setting(arch)
        activate = self.layer.activate
        y = activate(self.norm1(self.expand(x, self.hidden[ratio], 1), statistics))
        y = activate(self.norm2(self.depthwise(y, kernel), statistics))
        if self.squeeze is not None and self.excite is not None:
            gate = F.relu(linear(self.squeeze, y.mean((2, 3)), self.squeezed[ratio]))
            gate = linear(self.excite, gate, self.hidden[ratio])
            # Written out: the derivative of hardsigmoid has none of its own in torch.
            y = y * ((gate + 3).clamp(0, 6) / 6)[:, :, None, None]
        y = self.norm3(self.project(y, self.layer.out_channels, 1), statistics)
        return thinned(y, arch, self.depth_share) + x if self.layer.shortcut else y

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        settings = [self.setting(arch) for arch in archs]
        return samples_last_mobile.bottleneck_siblings(self, x, settings, context)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        (kernel, ratio), layer = self.setting(arch), self.layer
        hidden = self.hidden[ratio]
        block = InvertedBottleneck(
            in_channels=layer.in_channels,
            hidden=hidden,
            out_channels=layer.out_channels,
            kernel=kernel,
            stride=layer.stride,
            activation=layer.activation,
            shortcut=layer.shortcut_name,
            epsilon=layer.epsilon,
            squeezed=self.squeezed[ratio] if self.squeezed else 0,
        )
        self.expand.copy_to(block.expand)
        self.depthwise.copy_to(block.depthwise)
        self.project.copy_to(block.project)
        if self.squeeze is not None and self.excite is not None:
            copy_linear(self.squeeze, block.squeeze)  # type: ignore[arg-type]
            copy_linear(self.excite, block.excite)  # type: ignore[arg-type]
        block.norm1 = self.norm1.extract(hidden, statistics)
        block.norm2 = self.norm2.extract(hidden, statistics)
        block.norm3 = self.norm3.extract(layer.out_channels, statistics)
        return block

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Permute the channels within the block so that the most important come first.

        Importance is the L1 norm of the projection's weights per input channel; units of squeeze-and-excite
        go by those of the excitation. The block's outer channels stay.
        """
        order = self.project.weight.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        self.project.weight.copy_(self.project.weight[:, order])
        by_row: list[Tensor] = [self.expand.weight, self.depthwise.weight]
        by_row += [p for norm in (self.norm1, self.norm2) for p in (norm.weight, norm.bias)]
        if self.squeeze is not None and self.excite is not None:
            by_row += [self.excite.weight, self.excite.bias]
            self.squeeze.weight.copy_(self.squeeze.weight[:, order])
        for parameter in by_row:
            parameter.copy_(parameter[order])
        if self.squeeze is not None and self.excite is not None:
            units = self.excite.weight.abs().sum(0).argsort(descending=True, stable=True)
            self.excite.weight.copy_(self.excite.weight[:, units])
            self.squeeze.weight.copy_(self.squeeze.weight[units])
            self.squeeze.bias.copy_(self.squeeze.bias[units])

    def cost(self, arch: Sequence[int]) -> StageCost:
        (kernel, ratio), layer, (area_in, area) = self.setting(arch), self.layer, self.areas(arch)
        hidden, narrow, wide = self.hidden[ratio], layer.in_channels, layer.out_channels
        squeezed = self.squeezed[ratio] if self.squeezed else 0
        gate = 2 * hidden * squeezed
        side = self.side(arch, layer.after)
        return StageCost(
            label=f"block {self.group}.{self.index}",
            group=f"group {self.group}",
            kind="block",
            output_shape=(wide, side, side),
            channels=wide,
            counted=counts(
                macs=narrow * hidden * area_in + (kernel**2 * hidden + hidden * wide) * area + gate,
                params=(narrow + kernel**2 + wide + 4) * hidden
                + 2 * wide
                + (gate + hidden + squeezed if squeezed else 0),
                held_bytes=4 * self._held(hidden, squeezed, area_in, area),
                buffer_bytes=2 * stored_bytes(hidden) + stored_bytes(wide),
            ),
            detail=f"k{kernel} e{ratio}",
        )

    def _held(self, hidden: int, squeezed: int, area_in: int, area: int) -> int:
        """Numbers alive at once: the input, which waits for the shortcut, beside two maps."""
        given, filtered = self.layer.in_channels * area_in, hidden * area
        projected = self.layer.out_channels * area
        gating = hidden + squeezed if squeezed else 0
        return given + filtered + max(hidden * area_in, projected, gating)
