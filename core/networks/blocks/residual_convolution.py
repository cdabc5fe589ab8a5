"""One convolution beside an unchanged shortcut."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class ResidualConvolution(nn.Module):
    """3x3 convolution, BatchNorm and ReLU, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels}
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x))) + x


@BLOCKS.register("residual_convolution")
class ResidualConvolutionKind(BlockKind):
    """A convolution with BatchNorm and ReLU beside a shortcut that changes nothing."""

    label = "Residual convolution"
    source = "Cai et al., Once-for-All, ICLR 2020 (the stem of its ResNet-50)"
    module = ResidualConvolution
    arguments = {"channels": Count()}
    sizes = {"channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("ResidualConvolution", {"channels": 6}),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: ResidualConvolution, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.reads("conv.weight", width)
        walk.ends("conv", "norm", width)

    def droppable(self, block: ResidualConvolution) -> bool:
        return True
