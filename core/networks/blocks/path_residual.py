"""The residual block of one path of an ensemble."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class PathResidual(nn.Module):
    """Two dense convolutions beside a shortcut without weights, on one of several maps; the others pass unchanged.

    Where the width grows the shortcut is padded with zeros, where it shrinks it is cut; where the
    resolution halves it is average-pooled.
    """

    def __init__(
        self, path: int, in_channels: int, out_channels: int, kernel: int, stride: int, inner: int
    ) -> None:
        super().__init__()
        self.arguments = {
            "path": path,
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
            "inner": inner,
        }
        self.path = path
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.conv1 = nn.Conv2d(in_channels, inner, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, out_channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        at = self.path - 1
        x = inputs[at]
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if self.out_channels > self.in_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.out_channels - self.in_channels))
        return (*inputs[:at], F.relu(y + x[:, : self.out_channels]), *inputs[at + 1 :])


@BLOCKS.register("path_residual")
class PathResidualKind(BlockKind):
    """A residual block on one path of an ensemble; all paths continue the trunk's residual stream."""

    label = "Residual block of a path"
    source = "He et al., ResNet, CVPR 2016 (option A, pooled); paths: Chen et al., NEAS, CVPR 2021"
    module = PathResidual
    arguments = {
        "path": Count(16),
        "in_channels": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "inner": Count(),
    }
    sizes = {
        "in_channels": ("conv1.weight", 1),
        "out_channels": ("conv2.weight", 0),
        "inner": ("conv1.weight", 0),
    }
    foldable = (("conv1", "norm1"), ("conv2", "norm2"))
    example = Example(
        (1, 8, 8),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("PathSplit", {"paths": 2}),
            (
                "PathResidual",
                {"path": 1, "in_channels": 4, "out_channels": 4, "kernel": 3, "stride": 1, "inner": 6},
            ),
            (
                "PathResidual",
                {"path": 1, "in_channels": 4, "out_channels": 7, "kernel": 3, "stride": 2, "inner": 7},
            ),
            (
                "PathResidual",
                {"path": 2, "in_channels": 4, "out_channels": 7, "kernel": 5, "stride": 2, "inner": 5},
            ),
            ("PathsHead", {"in_channels": 7, "classes": 3, "paths": 2}),
        ),
    )

    def units(self, block: PathResidual, walk: UnitWalk) -> None:
        walk.reads("conv1.weight", block.in_channels)
        walk.between("inner", block.conv1.out_channels, "conv1", "norm1", "conv2")
        walk.makes("conv2.weight", block.out_channels)
        walk.scales(batch_norm("norm2"), block.out_channels)
        # The first of what it hands on is the first path's map.
        if block.path == 1:
            walk.shows(block.out_channels)

    def droppable(self, block: PathResidual) -> bool:
        return block.stride == 1 and block.in_channels == block.out_channels
