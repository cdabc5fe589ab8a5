"""Nothing, where that is possible."""

from __future__ import annotations

from torch import Tensor, nn

from core.config import BaseConfig
from core.networks.blocks.projection import Projection
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


@OPTIONS.register("identity")
class IdentityOption(Option):
    """Hands on what it gets; where width or resolution change, a 1x1 convolution with BatchNorm."""

    label = "Identity"
    source = "Su et al., NAS-Bench-Macro, CVPR 2021"
    drawn = "skip"

    def __init__(self, config: BaseConfig, place: Place) -> None:
        super().__init__(config, place)
        if not place.keeps:
            self.conv = fresh_conv(place.most_in, place.most_out, 1, place.stride)
            self.norm = ElasticBatchNorm(place.most_out)

    def does_nothing(self, in_width: int, width: int) -> bool:
        return self.keeps(in_width, width)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        if self.keeps(x.shape[1], width):
            return x
        y: Tensor = self.norm(convolved(self.conv, x, width), statistics)
        return y

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        block = Projection(in_width, width, self.place.stride)
        copy_conv(self.conv, block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        if self.keeps(x.channels, width):
            return x
        return count.batch_norm(count.conv(x, width, 1, self.place.stride))
