"""The block of LowFormer."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.lowformer_block import LowformerBlock
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.fields import Expand, Kernel, share
from core.supernets.options.fused_conv import FusedConvConfig, FusedConvOption
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


class LowformerConfig(BaseConfig):
    """A LowFormer block."""

    expand: Expand = Field(4)
    head_size: int = Field(8, ge=1, le=64, description="Channels of an attention head.")
    reduction: int = Field(2, ge=1, le=4, description="Attention sees a map smaller by this factor.")
    kernel: Kernel = Field(
        5, description="Side of the depthwise convolution that makes the smaller map; odd."
    )
    mlp: float = Field(4, ge=0.25, le=8, description="Hidden units of the MLP, as a multiple of the width.")


@OPTIONS.register("lowformer")
class LowformerOption(Option):
    """Attention on a reduced map, an MLP and a fused convolution; where sizes change, the fused convolution alone."""

    label = "LowFormer block"
    source = "Nottebaum et al., LowFormer, WACV 2025"
    drawn = "attn"
    Config = LowformerConfig
    kinds = {"reduction": "ratio", "expand": "ratio", "mlp": "ratio", "kernel": "kernel"}

    def __init__(self, config: LowformerConfig, place: Place) -> None:
        super().__init__(config, place)
        self.attends = place.keeps
        self.local = FusedConvOption(FusedConvConfig(expand=config.expand), place)
        if not self.attends:
            return
        most, hidden = place.most_in, share(place.most_in, config.mlp)
        inner = self._heads(most) * config.head_size
        self.norm1, self.norm2 = nn.GroupNorm(1, most), nn.GroupNorm(1, most)
        self.reduce = fresh_conv(most, most, config.kernel, config.reduction, groups=most)
        self.reduce_norm = ElasticBatchNorm(most)
        self.query, self.key, self.value = (fresh_conv(most, inner, 1) for _ in range(3))
        self.project = fresh_conv(inner, most, 3, bias=True)
        self.expand = fresh_conv(most, hidden, 1, bias=True)
        self.contract = fresh_conv(hidden, most, 1, bias=True)

    def _heads(self, width: int) -> int:
        return max(1, width // int(self.config.head_size))

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        if self.attends:
            x = self._attention(x, statistics) + x
            hidden = convolved(self.expand, _normalized(self.norm2, x), share(width, self.config.mlp))
            x = convolved(self.contract, F.gelu(hidden), width) + x
        y: Tensor = self.local(x, width, statistics)
        return y

    def _attention(self, x: Tensor, statistics: Statistics | None) -> Tensor:
        width, size = x.shape[1], self.config.head_size
        heads = self._heads(width)
        y = convolved(self.reduce, _normalized(self.norm1, x), width)
        y = self.reduce_norm(y, statistics)
        shape = (y.shape[0], heads, size, y.shape[2] * y.shape[3])
        query, key, value = (
            convolved(part, y, heads * size).view(shape) for part in (self.query, self.key, self.value)
        )
        scores = query.transpose(2, 3) @ key / size**0.5
        attended = (scores.softmax(3) @ value.transpose(2, 3)).transpose(2, 3)
        attended = attended.reshape(y.shape[0], -1, y.shape[2], y.shape[3])
        if y.shape[2:] != x.shape[2:]:
            attended = F.interpolate(attended, size=x.shape[2:], mode="nearest")
        return convolved(self.project, attended, width)

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        local = self.local.extract(in_width, width, statistics)
        if not self.attends:
            return local
        config = self.config
        block = LowformerBlock(
            channels=width,
            heads=self._heads(width),
            head_size=config.head_size,
            reduction=config.reduction,
            kernel=config.kernel,
            mlp_hidden=share(width, config.mlp),
            hidden=share(width, config.expand),
        )
        for name in ("reduce", "query", "key", "value", "project", "expand", "contract"):
            copy_conv(getattr(self, name), getattr(block, name))
        for name in ("norm1", "norm2"):
            source, target = getattr(self, name), getattr(block, name)
            target.weight.copy_(source.weight[:width])
            target.bias.copy_(source.bias[:width])
        block.reduce_norm = self.reduce_norm.extract(width, statistics)
        parts = dict(local.named_children())
        for name, of in (
            ("conv1", "conv1"),
            ("conv_norm1", "norm1"),
            ("conv2", "conv2"),
            ("conv_norm2", "norm2"),
        ):
            setattr(block, name, parts[of])
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        if self.attends:
            x = count.over(self._count_attention(count, x), x)
            y = count.over(count.conv(count.scaled(x), share(width, self.config.mlp), 1, bias=True))
            x = count.over(count.conv(y, width, 1, bias=True), x)
        return self.local.count(count, x, width)

    def _count_attention(self, count: Count, x: Value) -> Value:
        width, config = x.channels, self.config
        heads = self._heads(width)
        inner = heads * config.head_size
        y = count.conv(count.scaled(x), width, config.kernel, config.reduction, groups=width)
        y = count.batch_norm(y)
        query, key, value = (count.conv(y, inner, 1) for _ in range(3))
        positions = y.size[0] * y.size[1]
        count.macs += 2 * heads * positions**2 * config.head_size
        scores = count.made([query, key], heads, (positions, positions))
        weights = count.over(count.over(scores))
        attended = count.made([weights, value], inner, y.size)
        if y.size != x.size:
            attended = count.made([attended], inner, x.size)
        return count.conv(attended, width, 3, bias=True)


def _normalized(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """All channels of x normalized together, and no others."""
    width = x.shape[1]
    return F.group_norm(x, 1, norm.weight[:width], norm.bias[:width], norm.eps)
