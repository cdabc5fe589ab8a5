"""The block of mobile networks: narrow between blocks, wide within."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
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
    Shapes,
)
from core.networks.groups import UnitWalk


class InvertedBottleneck(nn.Module):
    """Expand by a 1x1 convolution, filter each channel by itself, weigh channels (if asked), project; BatchNorm after each.

    The activation is named as in torch.nn.functional, the shortcut is "identity" or "none".
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        shortcut: str,
        epsilon: float,
        squeezed: int = 0,
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "hidden": hidden,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
            "activation": activation,
            "shortcut": shortcut,
            "epsilon": epsilon,
        }
        if squeezed:
            self.arguments["squeezed"] = squeezed
        self.activation, self.shortcut, self.stride = activation, shortcut, stride
        self.expand = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden, eps=epsilon)
        self.depthwise = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden, eps=epsilon)
        self.squeeze = nn.Linear(hidden, squeezed) if squeezed else None
        self.excite = nn.Linear(squeezed, hidden) if squeezed else None
        self.project = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        activate = getattr(F, self.activation)
        y = activate(self.norm1(self.expand(x)))
        y = activate(self.norm2(self.depthwise(y)))
        if self.squeeze is not None and self.excite is not None:
            gate = self.excite(F.relu(self.squeeze(y.mean((2, 3)))))
            # Written out: the derivative of hardsigmoid has none of its own in torch.
            y = y * ((gate + 3).clamp(0, 6) / 6)[:, :, None, None]
        y = self.norm3(self.project(y))
        return y + x if self.shortcut == "identity" else y


@BLOCKS.register("inverted_bottleneck")
class InvertedBottleneckKind(BlockKind):
    """Expansion, depthwise convolution, squeeze-and-excite where asked for, projection."""

    label = "Inverted bottleneck"
    source = "Sandler et al., MobileNetV2, CVPR 2018; Howard et al., MobileNetV3, ICCV 2019"
    module = InvertedBottleneck
    arguments = {
        "in_channels": Count(),
        "hidden": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "activation": ACTIVATION,
        "shortcut": SHORTCUT,
        "epsilon": Epsilon(),
        "squeezed": Count(),
    }
    sizes = {
        "in_channels": ("expand.weight", 1),
        "hidden": ("expand.weight", 0),
        "out_channels": ("project.weight", 0),
    }
    foldable = (("expand", "norm1"), ("depthwise", "norm2"), ("project", "norm3"))
    example = Example(
        (1, 8, 8),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "InvertedBottleneck",
                {
                    "in_channels": 4,
                    "hidden": 7,
                    "out_channels": 5,
                    "kernel": 5,
                    "stride": 2,
                    "activation": "relu6",
                    "shortcut": "none",
                    "epsilon": 1e-3,
                },
            ),
            (
                "InvertedBottleneck",
                {
                    "in_channels": 5,
                    "hidden": 6,
                    "out_channels": 5,
                    "kernel": 3,
                    "stride": 1,
                    "activation": "hardswish",
                    "shortcut": "identity",
                    "epsilon": 1e-5,
                    "squeezed": 3,
                },
            ),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: InvertedBottleneck, walk: UnitWalk) -> None:
        hidden, width = block.expand.out_channels, block.project.out_channels
        squeezed = 0 if block.squeeze is None else block.squeeze.out_features
        walk.reads("expand.weight", block.expand.in_channels)
        walk.widened(hidden, squeezed)
        if block.shortcut == "none":
            walk.new_stream()
        walk.ends("project", "norm3", width)

    def fitting(self, block: InvertedBottleneck, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        return found | {"squeezed": int(shapes["squeeze.weight"][0])} if block.squeeze is not None else found

    def droppable(self, block: InvertedBottleneck) -> bool:
        return block.shortcut == "identity"
