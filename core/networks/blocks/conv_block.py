"""The block of plain networks without shortcuts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class ConvBlock(nn.Module):
    """Convolution, BatchNorm, ReLU; then, if `pool` is above 1, the maximum of windows of that side."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, pool: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "pool": pool,
        }
        self.pool = pool
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, 1, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x)))
        return F.max_pool2d(y, self.pool, ceil_mode=True) if self.pool > 1 else y


@BLOCKS.register("conv_block")
class ConvBlockKind(BlockKind):
    """Convolution, BatchNorm, ReLU, and pooling where the resolution changes."""

    label = "Plain convolution"
    source = (
        "Hasanpour et al., 'Lets keep it simple', 2016 (SimpleNet; no bias, which BatchNorm would take away)"
    )
    module = ConvBlock
    arguments = {"in_channels": Count(), "out_channels": Count(), "kernel": KERNEL, "pool": STRIDE}
    sizes = {"in_channels": ("conv.weight", 1), "out_channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("ConvBlock", {"in_channels": 4, "out_channels": 6, "kernel": 3, "pool": 2}),
            ("ConvBlock", {"in_channels": 6, "out_channels": 5, "kernel": 1, "pool": 1}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: ConvBlock, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.reads("conv.weight", block.conv.in_channels)
        walk.new_stream()
        walk.ends("conv", "norm", width)
