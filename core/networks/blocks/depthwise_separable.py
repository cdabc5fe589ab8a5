"""The first block of mobile networks, which expands nothing."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import (
    ACTIVATION,
    BLOCKS,
    KERNEL,
    SHORTCUT,
    STRIDE,
    BlockKind,
    Count,
    Epsilon,
    Example,
)
from core.networks.groups import UnitWalk, batch_norm


class DepthwiseSeparable(nn.Module):
    """Filter each channel by itself, BatchNorm, activation, then mix channels by a 1x1 convolution with BatchNorm.

    The activation is named as in torch.nn.functional, the shortcut is "identity" or "none".
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        shortcut: str,
        epsilon: float,
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
            "activation": activation,
            "shortcut": shortcut,
            "epsilon": epsilon,
        }
        self.activation, self.shortcut = activation, shortcut
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel, stride, kernel // 2, groups=in_channels, bias=False
        )
        self.norm1 = nn.BatchNorm2d(in_channels, eps=epsilon)
        self.project = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        y = getattr(F, self.activation)(self.norm1(self.depthwise(x)))
        y = self.norm2(self.project(y))
        return y + x if self.shortcut == "identity" else y


@BLOCKS.register("depthwise_separable")
class DepthwiseSeparableKind(BlockKind):
    """Depthwise convolution, then a 1x1 convolution; BatchNorm after each."""

    label = "Depthwise separable convolution"
    source = (
        "Howard et al., MobileNets, 2017 (linear after the second convolution, as MobileNetV2's first block)"
    )
    module = DepthwiseSeparable
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "activation": ACTIVATION,
        "shortcut": SHORTCUT,
        "epsilon": Epsilon(),
    }
    sizes = {"in_channels": ("project.weight", 1), "out_channels": ("project.weight", 0)}
    foldable = (("depthwise", "norm1"), ("project", "norm2"))
    example = Example(
        (1, 7, 7),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "DepthwiseSeparable",
                {
                    "in_channels": 4,
                    "out_channels": 4,
                    "kernel": 3,
                    "stride": 1,
                    "activation": "relu",
                    "shortcut": "identity",
                    "epsilon": 1e-5,
                },
            ),
            (
                "DepthwiseSeparable",
                {
                    "in_channels": 4,
                    "out_channels": 6,
                    "kernel": 5,
                    "stride": 2,
                    "activation": "relu6",
                    "shortcut": "none",
                    "epsilon": 1e-3,
                },
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: DepthwiseSeparable, walk: UnitWalk) -> None:
        in_width, width = block.project.in_channels, block.project.out_channels
        walk.scales(["depthwise.weight", *batch_norm("norm1")], in_width)
        walk.reads("project.weight", in_width)
        if block.shortcut == "none":
            walk.new_stream()
        walk.ends("project", "norm2", width)

    def droppable(self, block: DepthwiseSeparable) -> bool:
        return block.shortcut == "identity"
