"""The first block of a network for sounds: from a waveform to the loudness of frequency bands over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_BANDS, MOST_LENGTH


class LogMel(nn.Module):
    """A sound (n, 1, t) to log-mel frames (n, bands, frames), each clip brought to mean 0 and deviation 1.

    Frames of `window` samples every `hop` samples, under a Hann window; the Fourier transform and the triangular
    mel filters are fixed matrices, computed here and stored nowhere.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, rate: int, window: int, hop: int, bands: int) -> None:
        super().__init__()
        self.arguments = {"rate": rate, "window": window, "hop": hop, "bands": bands}
        self.hop = hop
        # On the processor, also where a network is built without memory.
        here = torch.empty(0).device
        with torch.device("cpu"):
            basis, filters = self._matrices(rate, window, bands)
        self.register_buffer("basis", basis.float().unsqueeze(1).to(here), persistent=False)
        self.register_buffer("filters", filters.float().unsqueeze(2).to(here), persistent=False)

    @staticmethod
    def _matrices(rate: int, window: int, bands: int) -> tuple[Tensor, Tensor]:
        """The Fourier transform of a window, cosines above sines, and the mel filters."""
        bins = window // 2 + 1
        t = torch.arange(window, dtype=torch.float64)
        hann = 0.5 - 0.5 * torch.cos(2 * math.pi * (t + 0.5) / window)
        angle = 2 * math.pi / window * torch.arange(bins, dtype=torch.float64)[:, None] * t
        basis = torch.cat([torch.cos(angle), torch.sin(angle)]) * hann * (2 / window)
        top = 2595 * math.log10(1 + rate / 2 / 700)
        mel = torch.arange(bands + 2, dtype=torch.float64) * (top / (bands + 1))
        edges = 700 * (10 ** (mel / 2595) - 1)
        frequency = torch.arange(bins, dtype=torch.float64) * (rate / window)
        low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        # No filter is narrower than the transform can tell apart: each sees a frequency.
        reach = rate / window
        up = (frequency - torch.minimum(low, middle - reach)) / (middle - torch.minimum(low, middle - reach))
        down = (torch.maximum(high, middle + reach) - frequency) / (
            torch.maximum(high, middle + reach) - middle
        )
        filters = torch.minimum(up, down).clamp(min=0)
        return basis, filters

    def forward(self, x: Tensor) -> Tensor:
        real, imaginary = F.conv1d(x, self.basis, stride=self.hop).square().chunk(2, 1)
        loudness = torch.log(F.conv1d(real + imaginary, self.filters) + 1e-7)
        centered = loudness - loudness.mean((1, 2), keepdim=True)
        return centered / (centered.square().mean((1, 2), keepdim=True) + 1e-3).sqrt()


@BLOCKS.register("log_mel")
class LogMelKind(BlockKind):
    """Fixed Fourier transform of windows, mel filters, logarithm."""

    label = "Log-mel filters"
    source = "Davis and Mermelstein, IEEE ASSP 1980 (mel filters, without the cepstrum)"
    module = LogMel
    arguments = {
        "rate": Count(192_000),
        "window": Count(2048),
        "hop": Count(2048),
        "bands": Count(MOST_BANDS),
    }
    input_limits = (1, MOST_LENGTH)
    over_time = True
    example = Example(
        (1, 96),
        (
            ("LogMel", {"rate": 800, "window": 16, "hop": 8, "bands": 4}),
            ("TdnnStem", {"in_channels": 4, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("AttentiveStatistics", {"channels": 6, "bottleneck": 3}),
            ("EmbeddingHead", {"in_features": 12, "embedding": 5, "classes": 3}),
        ),
    )

    def units(self, block: LogMel, walk: UnitWalk) -> None:
        """None: the filters are fixed, and keep their places as the channels of an input do."""

    def input_shape(self, block: LogMel) -> tuple[int, ...]:
        return (1, block.basis.shape[2] + 31 * block.hop)

    def takes(self, shape: Sequence[int]) -> str:
        return f"sounds (n, 1, {shape[1]}), samples from -1 to 1"
