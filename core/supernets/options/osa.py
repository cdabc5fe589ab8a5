"""The one-shot aggregation block of VoVNet."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.osa_block import OsaBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import share
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class OsaConfig(BaseConfig):
    """A one-shot aggregation block."""

    layers: int = Field(3, ge=1, le=6, description="Convolutions in a row.")
    inner: float = Field(0.5, gt=0, le=2, description="Channels of each of them, as a share of the output's.")


@OPTIONS.register("osa")
class OsaOption(Option):
    """3x3 convolutions in a row, joined once with the input, and effective squeeze-and-excite."""

    label = "One-shot aggregation"
    source = "Lee et al., VoVNet, CVPRW 2019; Lee and Park, VoVNetV2, CVPR 2020"
    drawn = "osa"
    Config = OsaConfig
    kinds = {"layers": "depth", "inner": "ratio"}

    def __init__(self, config: OsaConfig, place: Place) -> None:
        super().__init__(config, place)
        inner = share(place.most_out, config.inner)
        widths = [place.most_in, *[inner] * config.layers]
        self.convs = nn.ModuleList(fresh_conv(width, inner, 3) for width in widths[:-1])
        self.norms = nn.ModuleList(ElasticBatchNorm(inner) for _ in range(config.layers))
        self.sources = nn.ModuleList(fresh_conv(width, place.most_out, 1) for width in widths)
        self.norm = ElasticBatchNorm(place.most_out)
        self.gate = fresh_conv(place.most_out, place.most_out, 1, bias=True)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        inner = share(width, self.config.inner)
        if self.place.stride > 1:
            x = F.max_pool2d(x, 3, self.place.stride, 1)
        sources = [conv for conv in self.sources if isinstance(conv, nn.Conv2d)]
        y, total = x, convolved(sources[0], x, width)
        for conv, norm, source in zip(self.convs, self.norms, sources[1:], strict=True):
            assert isinstance(conv, nn.Conv2d)
            y = F.relu(norm(convolved(conv, y, inner), statistics))
            total = total + convolved(source, y, width)
        joined = F.relu(self.norm(total, statistics))
        gate = convolved(self.gate, joined.mean((2, 3), keepdim=True), width)
        joined = joined * ((gate + 3).clamp(0, 6) / 6)
        return joined + x if self.keeps(x.shape[1], width) else joined

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        inner = share(width, self.config.inner)
        shortcut = "identity" if self.keeps(in_width, width) else "none"
        block = OsaBlock(in_width, width, [inner] * self.config.layers, self.place.stride, shortcut)
        pairs = [*zip(self.convs, block.convs, strict=True), *zip(self.sources, block.sources, strict=True)]
        for source, target in [*pairs, (self.gate, block.gate)]:
            assert isinstance(source, nn.Conv2d)
            assert isinstance(target, nn.Conv2d)
            copy_conv(source, target)
        for at, norm in enumerate(self.norms):
            assert isinstance(norm, ElasticBatchNorm)
            block.norms[at] = norm.extract(inner, statistics)
        block.norm = self.norm.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        inner = share(width, self.config.inner)
        if self.place.stride > 1:
            x = count.pooled(x, self.place.stride)
        y, total = x, count.conv(x, width, 1)
        for _ in range(self.config.layers):
            y = count.over(count.batch_norm(count.conv(y, inner, 3)))
            total = count.over(total, count.conv(y, width, 1))
        joined = count.over(count.batch_norm(total))
        gate = count.conv(count.made([joined], width, (1, 1)), width, 1, bias=True)
        joined = count.over(joined, count.over(gate))
        return count.over(joined, x) if self.keeps(x.channels, width) else joined
