"""The plain residual block."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.residual_block import ResidualBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import Kernel
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class ResidualConfig(BaseConfig):
    """A plain residual block."""

    kernel: Kernel = 3


@OPTIONS.register("residual")
class ResidualOption(Option):
    """Two dense convolutions beside a shortcut without weights, pooled and padded or cut where sizes change."""

    label = "Residual block"
    source = "He et al., ResNet, CVPR 2016 (option A, pooled)"
    drawn = "res"
    Config = ResidualConfig
    kinds = {"kernel": "kernel"}

    def __init__(self, config: ResidualConfig, place: Place) -> None:
        super().__init__(config, place)
        self.conv1 = fresh_conv(place.most_in, place.most_out, config.kernel, place.stride)
        self.norm1 = ElasticBatchNorm(place.most_out)
        self.conv2 = fresh_conv(place.most_out, place.most_out, 3)
        self.norm2 = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        y = F.relu(self.norm1(convolved(self.conv1, x, width), statistics))
        y = self.norm2(convolved(self.conv2, y, width), statistics)
        if self.place.stride > 1:
            x = F.avg_pool2d(x, self.place.stride, ceil_mode=True)
        if width > x.shape[1]:
            x = F.pad(x, (0, 0, 0, 0, 0, width - x.shape[1]))
        return F.relu(y + x[:, :width])

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        block = ResidualBlock(in_width, width, self.config.kernel, self.place.stride)
        copy_conv(self.conv1, block.conv1)
        copy_conv(self.conv2, block.conv2)
        block.norm1 = self.norm1.extract(width, statistics)
        block.norm2 = self.norm2.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        y = count.over(count.batch_norm(count.conv(x, width, self.config.kernel, self.place.stride)))
        y = count.batch_norm(count.conv(y, width, 3))
        if self.place.stride > 1:
            x = count.pooled(x, self.place.stride)
        if width > x.channels:
            x = count.made([x], width, x.size)
        return count.over(count.over(y, x))
