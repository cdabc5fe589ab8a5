"""The residual block of convolutional networks, with a shortcut that has no weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk


class ResidualBlock(nn.Module):
    """Two dense convolutions and a shortcut without weights.

    Where the width grows the shortcut is padded with zeros, where it shrinks it is cut; where the
    resolution halves it is average-pooled.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, inner: int = 0) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
        }
        if inner:
            self.arguments["inner"] = (
                inner  # channels between the convolutions, where they are not the output's
            )
        inner = inner or out_channels
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.conv1 = nn.Conv2d(in_channels, inner, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, out_channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if self.out_channels > self.in_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.out_channels - self.in_channels))
        return F.relu(y + x[:, : self.out_channels])


@BLOCKS.register("residual_block")
class ResidualBlockKind(BlockKind):
    """Two dense convolutions and a shortcut that is padded or cut to the width."""

    label = "Residual block"
    source = "He et al., ResNet, CVPR 2016 (option A, pooled)"
    module = ResidualBlock
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "inner": Count(),
    }
    sizes = {"in_channels": ("conv1.weight", 1), "out_channels": ("conv2.weight", 0)}
    foldable = (("conv1", "norm1"), ("conv2", "norm2"))
    example = Example(
        (1, 8, 8),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("ResidualBlock", {"in_channels": 6, "out_channels": 6, "kernel": 5, "stride": 1}),
            ("ResidualBlock", {"in_channels": 6, "out_channels": 4, "kernel": 1, "stride": 1, "inner": 5}),
            ("ResidualBlock", {"in_channels": 4, "out_channels": 7, "kernel": 3, "stride": 2}),
            ("PoolingHead", {"in_channels": 7, "classes": 3}),
        ),
    )

    def units(self, block: ResidualBlock, walk: UnitWalk) -> None:
        width = block.out_channels
        walk.reads("conv1.weight", block.in_channels)
        walk.between("inner", block.conv1.out_channels, "conv1", "norm1", "conv2")
        walk.ends("conv2", "norm2", width)

    def fitting(self, block: ResidualBlock, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        found.pop("inner", None)
        inner = int(shapes["conv1.weight"][0])
        return found if inner == found["out_channels"] else found | {"inner": inner}

    def droppable(self, block: ResidualBlock) -> bool:
        return block.stride == 1 and block.in_channels == block.out_channels
