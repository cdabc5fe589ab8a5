"""The space of EfficientTDNN: its configuration, and the choices that follow from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.mobile import make_divisible
from core.tasks.series import SeriesConfig

_DIVISOR = 8
_LEAST_WINDOW, _MOST_WINDOW = 8, 2048


class ElasticTDNNConfig(SeriesConfig):
    """An EfficientTDNN supernet."""

    front: Literal["log_mel", "none"] = Field(
        "log_mel",
        description="log_mel: a sound's mel filters are the first block; none: the series as it is.",
    )
    window_ms: int = Field(32, ge=1, le=1000, description="Milliseconds of a frame, for log_mel.")
    hop_ms: int = Field(
        16, ge=1, le=1000, description="Milliseconds from one frame to the next, for log_mel."
    )
    bands: int = Field(20, ge=2, le=128, description="Mel bands, for log_mel.")
    stem_stride: int = Field(1, ge=1, le=16, description="Stride of the first convolution.")
    channels: int = Field(32, ge=8, le=2048, multiple_of=8, description="Most channels of stem and blocks.")
    concat_channels: int = Field(
        32,
        ge=8,
        le=4096,
        multiple_of=8,
        description="Most channels of the convolution that mixes the blocks.",
    )
    width_ratios: tuple[float, ...] = Field(
        (0.25, 0.5, 1.0),
        description="Widths of every layer, as shares of the most (rounded to multiples of 8).",
    )
    kernels: tuple[int, ...] = Field(
        (1, 3, 5), description="Kernels of the stem and of each block, in frames."
    )
    depths: tuple[int, ...] = Field((1, 2, 3), description="Number of blocks.")
    dilations: tuple[int, ...] = Field((2, 3, 4), description="Dilation of each block, first to last.")
    scale: Literal[2, 4, 8] = Field(4, description="Parts of a block's inner channels (Res2 scale).")
    squeeze: int = Field(4, ge=1, le=64, description="Reduction of the squeeze-excitation gates.")
    bottleneck: int = Field(16, ge=1, le=1024, description="Channels of the attention over time.")
    embedding: int = Field(32, ge=1, le=1024, description="Size of the embedding.")
    kernel_transform: bool = Field(
        True, description="Learn a matrix from each kernel to the next smaller one."
    )

    @model_validator(mode="after")
    def _fits(self) -> ElasticTDNNConfig:
        require_ascending({"kernels": self.kernels, "depths": self.depths})
        ratios = self.width_ratios
        if not ratios or list(ratios) != sorted(set(ratios)) or not 0 < ratios[0] <= ratios[-1] == 1:
            raise ValueError("width_ratios must ascend to 1")
        if any(k % 2 == 0 for k in self.kernels) or self.kernels[-1] > 11:
            raise ValueError("kernels must be odd and at most 11")
        if self.depths[-1] > 8 or len(self.dilations) != self.depths[-1]:
            raise ValueError("there are at most 8 blocks, and a dilation for each")
        if not all(1 <= d <= 64 for d in self.dilations):
            raise ValueError("dilations lie between 1 and 64")
        if self.front == "log_mel":
            channels, length = self.input_shape
            if channels != 1 or not self.rate:
                raise ValueError("log_mel needs a sound: one channel, and a rate")
            if not _LEAST_WINDOW <= self.window <= min(length, _MOST_WINDOW):
                raise ValueError(
                    f"a window has {_LEAST_WINDOW} to {_MOST_WINDOW:,} samples, and no more than a clip"
                )
        return self

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return round(self.rate * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return max(1, round(self.rate * self.hop_ms / 1000))

    @property
    def features(self) -> tuple[int, int]:
        """Channels and length of what the stem takes."""
        if self.front == "none":
            return self.input_shape
        return self.bands, 1 + (self.input_shape[1] - self.window) // self.hop

    def widths(self, most: int) -> tuple[int, ...]:
        """The options of a layer of so many channels."""
        return tuple(sorted({make_divisible(ratio * most, _DIVISOR) for ratio in self.width_ratios}))


def tdnn_space(config: ElasticTDNNConfig) -> SearchSpace:
    """Width of the trunk, kernel of the stem, depth, then each block's inner width and kernel, and the last width."""
    widths = config.widths(config.channels)
    choices = [
        Choice("width", widths, "width", unit="channels"),
        Choice("kernel0", config.kernels, "kernel", unit="frames"),
        Choice("depth", config.depths, "depth", unit="blocks"),
    ]
    for b in range(1, config.depths[-1] + 1):
        requires = within_depth("depth", config.depths, b)
        choices.append(Choice(f"inner{b}", widths, "width", unit="channels", requires=requires))
        choices.append(Choice(f"kernel{b}", config.kernels, "kernel", unit="frames", requires=requires))
    choices.append(Choice("concat", config.widths(config.concat_channels), "width", unit="channels"))
    return SearchSpace(choices)
