"""The block of SimpleNet."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.conv_block import ConvBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import Kernel
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class PlainConvConfig(BaseConfig):
    """A plain convolution."""

    kernel: Kernel = 3


@OPTIONS.register("plain_conv")
class PlainConvOption(Option):
    """Convolution, BatchNorm, ReLU; where the resolution changes, the maximum of windows follows."""

    label = "Plain convolution"
    source = "Hasanpour et al., SimpleNet, 2016"
    drawn = "conv"
    Config = PlainConvConfig
    kinds = {"kernel": "kernel"}

    def __init__(self, config: PlainConvConfig, place: Place) -> None:
        super().__init__(config, place)
        self.conv = fresh_conv(place.most_in, place.most_out, config.kernel)
        self.norm = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        y = F.relu(self.norm(convolved(self.conv, x, width), statistics))
        return F.max_pool2d(y, self.place.stride, ceil_mode=True) if self.place.stride > 1 else y

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        block = ConvBlock(in_width, width, self.config.kernel, self.place.stride)
        copy_conv(self.conv, block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        y = count.over(count.batch_norm(count.conv(x, width, self.config.kernel)))
        return count.pooled(y, self.place.stride) if self.place.stride > 1 else y
