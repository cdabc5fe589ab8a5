"""The first bottleneck of a group: another width, mostly half the resolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class BottleneckReduction(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut that is average-pooled by the stride and convolved.

    The stride is the 3x3 convolution's; maps of an odd side are pooled to the next whole number.
    """

    def __init__(self, in_channels: int, inner1: int, inner2: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "inner1": inner1,
            "inner2": inner2,
            "out_channels": out_channels,
            "stride": stride,
        }
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, inner1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner1)
        self.conv2 = nn.Conv2d(inner1, inner2, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner2)
        self.conv3 = nn.Conv2d(inner2, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return F.relu(y + self.shortcut_norm(self.shortcut(x)))


@BLOCKS.register("bottleneck_reduction")
class BottleneckReductionKind(BlockKind):
    """Three convolutions through fewer channels, beside a shortcut that is pooled and has weights of its own."""

    label = "Bottleneck reduction"
    source = "He et al., 'Bag of tricks', CVPR 2019 (ResNet-D)"
    module = BottleneckReduction
    arguments = {
        "in_channels": Count(),
        "inner1": Count(),
        "inner2": Count(),
        "out_channels": Count(),
        "stride": STRIDE,
    }
    sizes = {
        "in_channels": ("conv1.weight", 1),
        "inner1": ("conv1.weight", 0),
        "inner2": ("conv2.weight", 0),
        "out_channels": ("conv3.weight", 0),
    }
    foldable = (
        ("conv1", "norm1"),
        ("conv2", "norm2"),
        ("conv3", "norm3"),
        ("shortcut", "shortcut_norm"),
    )
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "BottleneckReduction",
                {"in_channels": 4, "inner1": 3, "inner2": 2, "out_channels": 5, "stride": 1},
            ),
            (
                "BottleneckReduction",
                {"in_channels": 5, "inner1": 3, "inner2": 4, "out_channels": 6, "stride": 2},
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: BottleneckReduction, walk: UnitWalk) -> None:
        before, width = block.conv1.in_channels, block.conv3.out_channels
        walk.reads("conv1.weight", before)
        walk.reads("shortcut.weight", before)
        for at, conv in ((1, block.conv1), (2, block.conv2)):
            walk.between(f"inner{at}", conv.out_channels, f"conv{at}", f"norm{at}", f"conv{at + 1}")
        walk.new_stream()
        walk.makes("conv3.weight", width)
        walk.makes("shortcut.weight", width)
        walk.scales([*batch_norm("norm3"), *batch_norm("shortcut_norm")], width)
        walk.shows(width)
