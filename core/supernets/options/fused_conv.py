"""The fused inverted bottleneck of LowFormer."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.fused_conv_block import FusedConvBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import Expand, Kernel, share
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class FusedConvConfig(BaseConfig):
    """A fused convolution block."""

    expand: Expand = Field(4)
    kernel: Kernel = 3


@OPTIONS.register("fused_conv")
class FusedConvOption(Option):
    """Dense convolution to more channels, hard swish, 1x1 convolution back."""

    label = "Fused convolution"
    source = "Nottebaum et al., LowFormer, WACV 2025; Tan and Le, EfficientNetV2, ICML 2021"
    drawn = "fused"
    Config = FusedConvConfig
    kinds = {"kernel": "kernel", "expand": "ratio"}

    def __init__(self, config: FusedConvConfig, place: Place) -> None:
        super().__init__(config, place)
        hidden = share(place.most_in, config.expand)
        self.conv1 = fresh_conv(place.most_in, hidden, config.kernel, place.stride)
        self.norm1 = ElasticBatchNorm(hidden)
        self.conv2 = fresh_conv(hidden, place.most_out, 1)
        self.norm2 = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        hidden = share(x.shape[1], self.config.expand)
        y = F.hardswish(self.norm1(convolved(self.conv1, x, hidden), statistics))
        y = self.norm2(convolved(self.conv2, y, width), statistics)
        return y + x if self.keeps(x.shape[1], width) else y

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        hidden = share(in_width, self.config.expand)
        block = FusedConvBlock(
            in_channels=in_width,
            out_channels=width,
            hidden=hidden,
            kernel=self.config.kernel,
            stride=self.place.stride,
            shortcut="identity" if self.keeps(in_width, width) else "none",
        )
        copy_conv(self.conv1, block.conv1)
        copy_conv(self.conv2, block.conv2)
        block.norm1 = self.norm1.extract(hidden, statistics)
        block.norm2 = self.norm2.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        hidden = share(x.channels, self.config.expand)
        y = count.conv(x, hidden, self.config.kernel, self.place.stride)
        y = count.batch_norm(count.conv(count.over(count.batch_norm(y)), width, 1))
        return count.over(y, x) if self.keeps(x.channels, width) else y
