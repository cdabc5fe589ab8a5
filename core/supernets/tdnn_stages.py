"""The first stages of EfficientTDNN: log-mel frames, stem, SE-Res2 blocks; `tdnn_tail` has what follows.

What flows between the blocks is a block's output, the sum of everything before the next block, and the outputs
of the blocks before it. Channels are kept by index, not as a prefix, three times: in a block's parts (the first
of each part), in the concatenation (the first of each block's slice), and behind the pooling (the first means
and the first deviations).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.log_mel import LogMel
from core.networks.blocks.se_res2_block import SeRes2Block
from core.networks.blocks.tdnn_stem import TdnnStem
from core.spaces import SearchSpace
from core.supernets.base import BranchContext, Stage
from core.supernets.elastic_conv1d import ElasticConv1d, in_parts
from core.supernets.sliced import copy_linear, linear
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import ElasticBatchNorm, Statistics, stored_bytes
from core.supernets.tdnn_space import ElasticTDNNConfig

Flow = Tensor | tuple[Tensor, ...]
"""The stem's channels (n, width, t); behind a block (its output, sum so far, outputs of the blocks before it)."""


def reorder(place: tuple[Tensor, int], order: Tensor) -> None:
    """Put a tensor's entries along an axis into another order, in place."""
    tensor, axis = place
    tensor.copy_(tensor.index_select(axis, order))


class LogMelStage(Stage):
    """From a waveform to log-mel frames; the same for every subnet."""

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig) -> None:
        super().__init__(space)
        self.block = LogMel(config.rate, config.window, config.hop, config.bands)
        self.samples, self.features = config.input_shape[1], config.features

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        found: Tensor = self.block(x)
        return found

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return LogMel(**self.block.arguments)

    def cost(self, arch: Sequence[int]) -> StageCost:
        bands, frames = self.features
        window, bins = self.block.basis.shape[2], self.block.filters.shape[1]
        return StageCost(
            label="log-mel",
            group="log-mel",
            kind="stem",
            output_shape=(bands, frames),
            channels=bands,
            counted=counts(
                macs=frames * (2 * bins * window + bands * bins),
                params=0,
                held_bytes=4
                * (self.samples + max(frames * max(3 * bins, bins + bands), 2 * bands * frames + 1)),
            ),
            detail=f"{bands} bands",
        )


class StemStage(Stage):
    """Convolution over time, ReLU, BatchNorm."""

    depends_on = ("width", "kernel0")

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig, frames: int) -> None:
        super().__init__(space)
        self.features, self.frames, self.stride = config.features, frames, config.stem_stride
        self.conv = ElasticConv1d(
            self.features[0],
            config.channels,
            config.kernels,
            stride=self.stride,
            transform=config.kernel_transform,
        )
        self.norm = ElasticBatchNorm(config.channels)

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int]:
        """(width, kernel)."""
        return int(self.option(arch, "width")), int(self.option(arch, "kernel0"))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return self.norm(F.relu(self.conv(x, *self._sizes(arch))), statistics)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, kernel = self._sizes(arch)
        block = TdnnStem(self.features[0], width, kernel, self.stride)
        self.conv.copy_to(block.conv)
        self.norm.copy_to(block.norm, statistics, slice(width))
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, kernel = self._sizes(arch)
        channels, length = self.features
        weights = channels * width * kernel
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            output_shape=(width, self.frames),
            channels=width,
            counted=counts(
                macs=weights * self.frames,
                params=weights + 2 * width,
                held_bytes=4 * (channels * length + width * self.frames),
                buffer_bytes=stored_bytes(width),
            ),
            detail=f"k{kernel}",
        )


class BlockStage(Stage):
    """One SE-Res2 block; beyond the chosen depth it is the identity."""

    def __init__(self, space: SearchSpace, config: ElasticTDNNConfig, frames: int, index: int) -> None:
        super().__init__(space)
        self.index, self.frames, self.scale, self.squeeze = index, frames, config.scale, config.squeeze
        self._names = (f"inner{index}", f"kernel{index}")
        self.depends_on = ("width", "depth", *self._names)
        most, self.dilation = config.channels, config.dilations[index - 1]
        part, hidden = most // self.scale, max(1, most // self.squeeze)
        self.first, self.norm1 = ElasticConv1d(most, most), ElasticBatchNorm(most)
        self.convs = nn.ModuleList(
            ElasticConv1d(
                part, part, config.kernels, dilation=self.dilation, transform=config.kernel_transform
            )
            for _ in range(self.scale - 1)
        )
        self.norms = nn.ModuleList(ElasticBatchNorm(part) for _ in range(self.scale - 1))
        self.last, self.norm2 = ElasticConv1d(most, most), ElasticBatchNorm(most)
        self.reduce, self.expand = nn.Linear(most, hidden), nn.Linear(hidden, most)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, "depth")) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, inner channels, kernel)."""
        inner, kernel = self._names
        return int(self.option(arch, "width")), int(self.option(arch, inner)), int(self.option(arch, kernel))

    def _hidden(self, width: int) -> int:
        """Units of the gate."""
        return max(1, width // self.squeeze)

    def _kept(self, inner: int) -> Tensor:
        """Which of the most inner channels are those of a block with so many: the first of each part."""
        return in_parts(self.first.weight.shape[0], self.scale, inner // self.scale, beside=self.first.weight)

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Flow:
        width, inner, kernel = self._sizes(arch)
        last = x if isinstance(x, Tensor) else x[0]
        kept = self._kept(inner)
        parts = self.norm1(F.relu(self.first(last, kept)), statistics, kept).chunk(self.scale, 1)
        return self._rest(x, parts, (width, inner, kernel), statistics)

    def _rest(
        self, x: Flow, parts: Sequence[Tensor], sizes: tuple[int, int, int], statistics: Statistics | None
    ) -> Flow:
        """What comes after the first convolution."""
        (width, inner, kernel), part = sizes, parts[0].shape[1]
        last, total, *earlier = (x, x) if isinstance(x, Tensor) else x
        made: list[Tensor] = []
        for piece, conv, norm in zip(parts[:-1], self.convs, self.norms, strict=True):
            entering = piece + made[-1] if made else piece
            made.append(norm(F.relu(conv(entering, part, kernel)), statistics))
        joined = torch.cat([*made, parts[-1]], 1)
        y = self.norm2(F.relu(self.last(joined, width, inputs=self._kept(inner))), statistics)
        gate = F.relu(linear(self.reduce, y.mean(2), self._hidden(width)))
        y = y * torch.sigmoid(linear(self.expand, gate, width)).unsqueeze(2) + total
        before = () if isinstance(x, Tensor) else (*earlier, last)
        return (y, total + y, *before)

    def branch(self, x: Flow, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Flow]:
        # Inner channels are nested part by part and normalized each by itself: one pass of the first
        # convolution serves every width and kernel.
        last = x if isinstance(x, Tensor) else x[0]
        recorded = Statistics(recording=True, rows=context.calibration_rows)
        most = self.first.weight.shape[0]
        full = self.norm1(F.relu(self.first(last, most)), recorded).chunk(self.scale, 1)
        found = []
        for arch in archs:
            sizes = self._sizes(arch)
            parts = [piece[:, : sizes[1] // self.scale] for piece in full]
            found.append(
                self._rest(x, parts, sizes, Statistics(recording=True, rows=context.calibration_rows))
            )
        return found

    @torch.no_grad()
    def sort_inner(self) -> None:
        """Permute the places within the parts, alike in all parts, so that the most important come first.

        Importance is the L1 norm of the last convolution's weights, over a place in all parts.
        """
        part = self.first.weight.shape[0] // self.scale
        order = self.last.weight.abs().sum((0, 2)).view(self.scale, part).sum(0)
        order = order.argsort(descending=True, stable=True)
        everywhere = (order + part * torch.arange(self.scale, device=order.device)[:, None]).flatten()
        reorder((self.first.weight, 0), everywhere)
        reorder((self.last.weight, 1), everywhere)
        for vector in (self.norm1.weight, self.norm1.bias):
            reorder((vector, 0), everywhere)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            assert isinstance(conv, ElasticConv1d)
            assert isinstance(norm, ElasticBatchNorm)
            for place in ((conv.weight, 0), (conv.weight, 1), (norm.weight, 0), (norm.bias, 0)):
                reorder(place, order)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, inner, kernel = self._sizes(arch)
        part, kept = inner // self.scale, self._kept(inner)
        block = SeRes2Block(width, inner, self.scale, kernel, self.dilation, self._hidden(width))
        self.first.copy_to(block.first, outputs=kept)
        self.norm1.copy_to(block.norm1, statistics, kept)
        for source, layer in zip(self.convs, block.convs, strict=True):
            assert isinstance(source, ElasticConv1d)
            assert isinstance(layer, nn.Conv1d)
            source.copy_to(layer)
        for own, norm in zip(self.norms, block.norms, strict=True):
            assert isinstance(own, ElasticBatchNorm)
            assert isinstance(norm, nn.BatchNorm1d)
            own.copy_to(norm, statistics, slice(part))
        self.last.copy_to(block.last, inputs=kept)
        self.norm2.copy_to(block.norm2, statistics, slice(width))
        copy_linear(self.reduce, block.reduce)
        copy_linear(self.expand, block.expand)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, inner, kernel = self._sizes(arch)
        part, hidden = inner // self.scale, self._hidden(width)
        weights = 2 * width * inner + (self.scale - 1) * part * part * kernel
        normed = inner + (self.scale - 1) * part + width
        # The stem's map comes alone; later blocks bring their output, the sum, and every output before.
        given = width * self.frames * (1 if self.index == 1 else self.index)
        held = max(
            (3 * inner - part) * self.frames,  # the parts as they came, as they were made, and joined
            (inner + width) * self.frames,
            width * (self.frames + 1) + hidden,
            2 * width * self.frames,
        )
        return StageCost(
            label=f"block {self.index}",
            group="blocks",
            kind="block",
            output_shape=(width, self.frames),
            channels=width,
            counted=counts(
                macs=weights * self.frames + 2 * width * hidden,
                params=weights + 2 * normed + 2 * width * hidden + hidden + width,
                held_bytes=4 * (given + held),
                buffer_bytes=stored_bytes(inner)
                + (self.scale - 1) * stored_bytes(part)
                + stored_bytes(width),
            ),
            detail=f"k{kernel}",
        )
