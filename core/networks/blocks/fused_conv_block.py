"""The fused inverted bottleneck of LowFormer and EfficientNetV2."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, SHORTCUT, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class FusedConvBlock(nn.Module):
    """Dense convolution to more channels, 1x1 convolution back; the shortcut is "identity" or "none"."""

    def __init__(
        self, in_channels: int, out_channels: int, hidden: int, kernel: int, stride: int, shortcut: str
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "hidden": hidden,
            "kernel": kernel,
            "stride": stride,
            "shortcut": shortcut,
        }
        self.shortcut = shortcut == "identity"
        self.conv1 = nn.Conv2d(in_channels, hidden, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.hardswish(self.norm1(self.conv1(x)))))
        return y + x if self.shortcut else y


@BLOCKS.register("fused_conv_block")
class FusedConvBlockKind(BlockKind):
    """Dense expanding and projecting convolution, beside a shortcut where sizes agree."""

    label = "Fused convolution"
    source = "Nottebaum et al., LowFormer, WACV 2025; Tan and Le, EfficientNetV2, ICML 2021"
    module = FusedConvBlock
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "hidden": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "shortcut": SHORTCUT,
    }
    sizes = {
        "in_channels": ("conv1.weight", 1),
        "out_channels": ("conv2.weight", 0),
        "hidden": ("conv1.weight", 0),
    }
    foldable = (("conv2", "norm2"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "FusedConvBlock",
                {
                    "in_channels": 4,
                    "out_channels": 4,
                    "hidden": 6,
                    "kernel": 3,
                    "stride": 1,
                    "shortcut": "identity",
                },
            ),
            (
                "FusedConvBlock",
                {
                    "in_channels": 4,
                    "out_channels": 6,
                    "hidden": 8,
                    "kernel": 3,
                    "stride": 2,
                    "shortcut": "none",
                },
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: FusedConvBlock, walk: UnitWalk) -> None:
        width = block.conv2.out_channels
        walk.reads("conv1.weight", block.conv1.in_channels)
        walk.between("hidden", block.conv1.out_channels, "conv1", "norm1", "conv2")
        if not block.shortcut:
            walk.new_stream()
        walk.ends("conv2", "norm2", width)

    def droppable(self, block: FusedConvBlock) -> bool:
        return block.shortcut
