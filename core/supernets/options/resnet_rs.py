"""The block of ResNet-RS."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.resnet_rs_block import ResnetRsBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import share
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class ResnetRsConfig(BaseConfig):
    """A ResNet-RS block."""

    bottleneck: int = Field(
        1,
        ge=1,
        le=8,
        description="Output channels per channel inside; 1 is the basic block without a bottleneck.",
    )
    squeeze: float = Field(
        0.25, gt=0, le=1, description="Channels of squeeze-and-excite, as a share of the output's."
    )


@OPTIONS.register("resnet_rs")
class ResnetRsOption(Option):
    """Basic or bottleneck block with squeeze-and-excite; the shortcut is pooled before its 1x1 convolution."""

    label = "ResNet-RS block"
    source = "Bello et al., 'Revisiting ResNets', NeurIPS 2021"
    drawn = "rs"
    Config = ResnetRsConfig
    kinds = {"bottleneck": "ratio", "squeeze": "ratio"}

    def __init__(self, config: ResnetRsConfig, place: Place) -> None:
        super().__init__(config, place)
        inner, squeezed = self._sizes(place.most_out)
        self.narrow = config.bottleneck > 1
        if self.narrow:
            self.reduce = fresh_conv(place.most_in, inner, 1)
            self.reduce_norm = ElasticBatchNorm(inner)
        self.conv1 = fresh_conv(inner if self.narrow else place.most_in, inner, 3, place.stride)
        self.norm1 = ElasticBatchNorm(inner)
        self.conv2 = fresh_conv(inner, place.most_out, 1 if self.narrow else 3)
        self.norm2 = ElasticBatchNorm(place.most_out)
        self.squeeze = fresh_conv(place.most_out, squeezed, 1, bias=True)
        self.excite = fresh_conv(squeezed, place.most_out, 1, bias=True)
        if not place.keeps:
            self.shortcut = fresh_conv(place.most_in, place.most_out, 1)
            self.shortcut_norm = ElasticBatchNorm(place.most_out)

    def _sizes(self, width: int) -> tuple[int, int]:
        return max(1, width // self.config.bottleneck), share(width, self.config.squeeze)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        inner, squeezed = self._sizes(width)
        y = x
        if self.narrow:
            y = F.relu(self.reduce_norm(convolved(self.reduce, x, inner), statistics))
        y = F.relu(self.norm1(convolved(self.conv1, y, inner), statistics))
        y = self.norm2(convolved(self.conv2, y, width), statistics)
        gate = F.relu(convolved(self.squeeze, y.mean((2, 3), keepdim=True), squeezed))
        y = y * convolved(self.excite, gate, width).sigmoid()
        if not self.keeps(x.shape[1], width):
            if self.place.stride > 1:
                x = F.avg_pool2d(x, self.place.stride, ceil_mode=True)
            x = self.shortcut_norm(convolved(self.shortcut, x, width), statistics)
        return F.relu(y + x)

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        inner, squeezed = self._sizes(width)
        block = ResnetRsBlock(
            in_channels=in_width,
            out_channels=width,
            inner=inner,
            squeezed=squeezed,
            stride=self.place.stride,
            shortcut="identity" if self.keeps(in_width, width) else "projection",
            reduced=inner if self.narrow else 0,
        )
        convs = ["conv1", "conv2", "squeeze", "excite"]
        norms = {"norm1": inner, "norm2": width}
        if self.narrow:
            convs, norms = [*convs, "reduce"], norms | {"reduce_norm": inner}
        if not self.keeps(in_width, width):
            convs, norms = [*convs, "shortcut"], norms | {"shortcut_norm": width}
        for name in convs:
            copy_conv(getattr(self, name), getattr(block, name))
        for name, channels in norms.items():
            setattr(block, name, getattr(self, name).extract(channels, statistics))
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        inner, squeezed = self._sizes(width)
        y = count.over(count.batch_norm(count.conv(x, inner, 1))) if self.narrow else x
        y = count.over(count.batch_norm(count.conv(y, inner, 3, self.place.stride)))
        y = count.batch_norm(count.conv(y, width, 1 if self.narrow else 3))
        mean = count.made([y], width, (1, 1))
        gate = count.over(count.conv(mean, squeezed, 1, bias=True))
        y = count.over(y, count.over(count.conv(gate, width, 1, bias=True)))
        if not self.keeps(x.channels, width):
            if self.place.stride > 1:
                x = count.pooled(x, self.place.stride)
            x = count.batch_norm(count.conv(x, width, 1))
        return count.over(count.over(y, x))
