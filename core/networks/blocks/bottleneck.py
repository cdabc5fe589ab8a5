"""The bottleneck block of deep residual networks, with a shortcut that changes nothing."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, the first two to fewer channels, added to the input; ReLU of the sum."""

    def __init__(self, channels: int, inner1: int, inner2: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "inner1": inner1, "inner2": inner2}
        self.conv1 = nn.Conv2d(channels, inner1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner1)
        self.conv2 = nn.Conv2d(inner1, inner2, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner2)
        self.conv3 = nn.Conv2d(inner2, channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + x)


@BLOCKS.register("bottleneck")
class BottleneckKind(BlockKind):
    """Three convolutions through fewer channels, beside a shortcut without weights."""

    label = "Bottleneck"
    source = "He et al., ResNet, CVPR 2016"
    module = Bottleneck
    arguments = {"channels": Count(), "inner1": Count(), "inner2": Count()}
    sizes = {
        "channels": ("conv1.weight", 1),
        "inner1": ("conv1.weight", 0),
        "inner2": ("conv2.weight", 0),
    }
    foldable = (("conv1", "norm1"), ("conv2", "norm2"), ("conv3", "norm3"))
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("Bottleneck", {"channels": 6, "inner1": 3, "inner2": 4}),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: Bottleneck, walk: UnitWalk) -> None:
        width = block.conv1.in_channels
        walk.reads("conv1.weight", width)
        for at, conv in ((1, block.conv1), (2, block.conv2)):
            walk.between(f"inner{at}", conv.out_channels, f"conv{at}", f"norm{at}", f"conv{at + 1}")
        walk.ends("conv3", "norm3", width)

    def droppable(self, block: Bottleneck) -> bool:
        return True
