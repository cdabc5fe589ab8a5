"""The last block of networks that widen once more before the mean."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class PointwiseHead(nn.Module):
    """1x1 convolution, BatchNorm, ReLU, mean over all positions, linear layer."""

    def __init__(self, in_channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "hidden": hidden, "classes": classes}
        self.conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm = nn.BatchNorm2d(hidden)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.relu(self.norm(self.conv(x))).mean((2, 3)))


@BLOCKS.register("pointwise_head")
class PointwiseHeadKind(BlockKind):
    """1x1 convolution, BatchNorm, ReLU, mean over all positions, linear layer."""

    label = "Pointwise head"
    source = "Sandler et al., MobileNetV2, CVPR 2018 (ReLU)"
    module = PointwiseHead
    arguments = {"in_channels": Count(), "hidden": Count(), "classes": Count()}
    sizes = {"in_channels": ("conv.weight", 1), "hidden": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    example = Example(
        (1, 4, 4),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("PointwiseHead", {"in_channels": 4, "hidden": 6, "classes": 4}),
        ),
    )

    def units(self, block: PointwiseHead, walk: UnitWalk) -> None:
        walk.reads("conv.weight", block.conv.in_channels)
        walk.between("hidden", block.conv.out_channels, "conv", "norm", "linear")
