"""The end of a deep stem: one convolution, then max pooling."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class PooledConvolution(nn.Module):
    """3x3 convolution, BatchNorm, ReLU, and max pooling over 3x3 positions at a stride (1: none)."""

    def __init__(self, in_channels: int, out_channels: int, pool: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, "pool": pool}
        self.pool = pool
        self.conv = nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return F.max_pool2d(x, 3, self.pool, 1) if self.pool > 1 else x


@BLOCKS.register("pooled_convolution")
class PooledConvolutionKind(BlockKind):
    """A convolution with BatchNorm and ReLU, max-pooled."""

    label = "Pooled convolution"
    source = "He et al., ResNet, CVPR 2016 (its stem), and 'Bag of tricks', CVPR 2019 (split in three)"
    module = PooledConvolution
    arguments = {"in_channels": Count(), "out_channels": Count(), "pool": STRIDE}
    sizes = {"in_channels": ("conv.weight", 1), "out_channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    example = Example(
        (1, 7, 7),
        (
            ("Stem", {"in_channels": 1, "out_channels": 3, "kernel": 3, "stride": 1}),
            ("PooledConvolution", {"in_channels": 3, "out_channels": 4, "pool": 1}),
            ("PooledConvolution", {"in_channels": 4, "out_channels": 5, "pool": 2}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: PooledConvolution, walk: UnitWalk) -> None:
        before, width = block.conv.in_channels, block.conv.out_channels
        walk.reads("conv.weight", before)
        walk.new_stream()
        walk.ends("conv", "norm", width)
