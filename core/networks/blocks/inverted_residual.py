"""The block of MobileNetV2."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class InvertedResidual(nn.Module):
    """1x1 convolution to more channels, depthwise convolution, 1x1 convolution back; a shortcut where sizes agree."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "hidden": hidden,
            "kernel": kernel,
            "stride": stride,
        }
        self.shortcut = stride == 1 and in_channels == out_channels
        self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.depthwise(y)))
        y = self.norm3(self.conv2(y))
        return y + x if self.shortcut else y


@BLOCKS.register("inverted_residual")
class InvertedResidualKind(BlockKind):
    """Expanding, depthwise and projecting convolution, beside a shortcut where sizes agree."""

    label = "Inverted residual"
    source = "Sandler et al., MobileNetV2, CVPR 2018 (ReLU)"
    module = InvertedResidual
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "hidden": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
    }
    sizes = {
        "in_channels": ("conv1.weight", 1),
        "out_channels": ("conv2.weight", 0),
        "hidden": ("conv1.weight", 0),
    }
    foldable = (("conv1", "norm1"), ("depthwise", "norm2"), ("conv2", "norm3"))
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "InvertedResidual",
                {"in_channels": 4, "out_channels": 4, "hidden": 8, "kernel": 3, "stride": 1},
            ),
            (
                "InvertedResidual",
                {"in_channels": 4, "out_channels": 6, "hidden": 6, "kernel": 5, "stride": 2},
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: InvertedResidual, walk: UnitWalk) -> None:
        width = block.conv2.out_channels
        walk.reads("conv1.weight", block.conv1.in_channels)
        walk.inner(
            "hidden",
            block.conv1.out_channels,
            made=["conv1.weight"],
            scaled=[*batch_norm("norm1"), "depthwise.weight", *batch_norm("norm2")],
            read=["conv2.weight"],
            shown="norm2",
        )
        if not block.shortcut:
            walk.new_stream()
        walk.makes("conv2.weight", width)
        walk.scales(batch_norm("norm3"), width)
        walk.shows(width)

    def droppable(self, block: InvertedResidual) -> bool:
        return block.shortcut
