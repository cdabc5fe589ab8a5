"""Pooling in place of a convolution."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.pool_layer import PoolLayer
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class PoolConfig(BaseConfig):
    """A pooling layer."""

    pool: Literal["mean", "max"] = Field("mean", description="What is taken of each window: mean or max.")
    kernel: int = Field(3, ge=3, le=7, description="Side of a window; odd.")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("a kernel is odd: 3, 5 or 7")
        return kernel


@OPTIONS.register("pool")
class PoolOption(Option):
    """Mean or maximum of windows; where the width changes, a 1x1 convolution with BatchNorm follows."""

    label = "Pooling"
    source = "Zoph et al., NASNet, CVPR 2018"
    drawn = "pool"
    Config = PoolConfig
    kinds = {"kernel": "kernel"}

    def __init__(self, config: PoolConfig, place: Place) -> None:
        super().__init__(config, place)
        if not place.keeps:
            self.conv = fresh_conv(place.most_in, place.most_out, 1)
            self.norm = ElasticBatchNorm(place.most_out)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        kernel, stride = self.config.kernel, self.place.stride
        if self.config.pool == "mean":
            y = F.avg_pool2d(x, kernel, stride, kernel // 2, count_include_pad=False)
        else:
            y = F.max_pool2d(x, kernel, stride, kernel // 2)
        if x.shape[1] == width:
            return y
        y = self.norm(convolved(self.conv, y, width), statistics)
        return y

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        pool, kernel, stride = self.config.pool, self.config.kernel, self.place.stride
        if in_width == width:
            return PoolLayer(pool, kernel, stride)
        block = PoolLayer(pool, kernel, stride, in_width, width)
        copy_conv(self.conv, block.conv)
        block.norm = self.norm.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        y = count.pooled(x, self.place.stride)
        return y if x.channels == width else count.batch_norm(count.conv(y, width, 1))
