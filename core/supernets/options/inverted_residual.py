"""The block of MobileNetV2."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.inverted_bottleneck import InvertedBottleneck
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import Expand, Kernel, share
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import EPSILON, ElasticBatchNorm, Statistics


class InvertedResidualConfig(BaseConfig):
    """An inverted residual block."""

    expand: Expand = Field(3)
    kernel: Kernel = 3


@OPTIONS.register("inverted_residual")
class InvertedResidualOption(Option):
    """1x1 convolution to more channels, depthwise convolution, 1x1 convolution back."""

    label = "Inverted residual"
    source = "Sandler et al., MobileNetV2, CVPR 2018 (ReLU)"
    drawn = "mb"
    Config = InvertedResidualConfig
    kinds = {"kernel": "kernel", "expand": "ratio"}

    def __init__(self, config: InvertedResidualConfig, place: Place) -> None:
        super().__init__(config, place)
        hidden = share(place.most_in, config.expand)
        self.conv1 = fresh_conv(place.most_in, hidden, 1)
        self.norm1 = ElasticBatchNorm(hidden)
        self.depthwise = fresh_conv(hidden, hidden, config.kernel, place.stride, groups=hidden)
        self.norm2 = ElasticBatchNorm(hidden)
        self.conv2 = fresh_conv(hidden, place.most_out, 1)
        self.norm3 = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        hidden = share(x.shape[1], self.config.expand)
        y = F.relu(self.norm1(convolved(self.conv1, x, hidden), statistics))
        y = F.relu(self.norm2(convolved(self.depthwise, y, hidden), statistics))
        y = self.norm3(convolved(self.conv2, y, width), statistics)
        return y + x if self.keeps(x.shape[1], width) else y

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        hidden = share(in_width, self.config.expand)
        block = InvertedBottleneck(
            in_channels=in_width,
            hidden=hidden,
            out_channels=width,
            kernel=self.config.kernel,
            stride=self.place.stride,
            activation="relu",
            shortcut="identity" if self.keeps(in_width, width) else "none",
            epsilon=EPSILON,
        )
        for source, target in (("conv1", "expand"), ("depthwise", "depthwise"), ("conv2", "project")):
            copy_conv(getattr(self, source), getattr(block, target))
        for name, channels in (("norm1", hidden), ("norm2", hidden), ("norm3", width)):
            setattr(block, name, getattr(self, name).extract(channels, statistics))
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        hidden = share(x.channels, self.config.expand)
        y = count.over(count.batch_norm(count.conv(x, hidden, 1)))
        y = count.conv(y, hidden, self.config.kernel, self.place.stride, groups=hidden)
        y = count.batch_norm(count.conv(count.over(count.batch_norm(y)), width, 1))
        return count.over(y, x) if self.keeps(x.channels, width) else y
