"""An inverted bottleneck whose shortcut follows where size or width change."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example, Name, Shapes
from core.networks.groups import UnitWalk


class PooledBottleneck(nn.Module):
    """Inverted bottleneck with hardswish, beside a shortcut that is average-pooled by the stride.

    The shortcut is "identity", or "projection" where a 1x1 convolution brings it to another width.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        out_channels: int,
        kernel: int,
        stride: int,
        shortcut: str,
        squeezed: int = 0,
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "hidden": hidden,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
            "shortcut": shortcut,
        }
        if squeezed:
            self.arguments["squeezed"] = squeezed
        self.stride = stride
        self.expand = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.squeeze = nn.Linear(hidden, squeezed) if squeezed else None
        self.excite = nn.Linear(squeezed, hidden) if squeezed else None
        self.project = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.bypass = (
            nn.Conv2d(in_channels, out_channels, 1, bias=False) if shortcut == "projection" else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.hardswish(self.norm1(self.expand(x)))
        y = F.hardswish(self.norm2(self.depthwise(y)))
        if self.squeeze is not None and self.excite is not None:
            gate = self.excite(F.relu(self.squeeze(y.mean((2, 3)))))
            # Written out: the derivative of hardsigmoid has none of its own in torch.
            y = y * ((gate + 3).clamp(0, 6) / 6)[:, :, None, None]
        y = self.norm3(self.project(y))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return y + (x if self.bypass is None else self.bypass(x))


@BLOCKS.register("pooled_bottleneck")
class PooledBottleneckKind(BlockKind):
    """Expansion, depthwise convolution, squeeze-and-excite where asked for, projection; a pooled shortcut."""

    label = "Pooled bottleneck"
    source = (
        "Tang et al., ElasticViT, ICCV 2023 (its convolution block); Sandler et al., MobileNetV2, CVPR 2018"
    )
    module = PooledBottleneck
    arguments = {
        "in_channels": Count(),
        "hidden": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "shortcut": Name(("identity", "projection")),
        "squeezed": Count(),
    }
    sizes = {
        "in_channels": ("expand.weight", 1),
        "hidden": ("expand.weight", 0),
        "out_channels": ("project.weight", 0),
    }
    foldable = (("expand", "norm1"), ("depthwise", "norm2"), ("project", "norm3"))
    example = Example(
        (1, 7, 7),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "PooledBottleneck",
                {
                    "in_channels": 4,
                    "hidden": 7,
                    "out_channels": 6,
                    "kernel": 5,
                    "stride": 2,
                    "shortcut": "projection",
                    "squeezed": 3,
                },
            ),
            (
                "PooledBottleneck",
                {
                    "in_channels": 6,
                    "hidden": 5,
                    "out_channels": 6,
                    "kernel": 3,
                    "stride": 2,
                    "shortcut": "identity",
                },
            ),
            (
                "PooledBottleneck",
                {
                    "in_channels": 6,
                    "hidden": 8,
                    "out_channels": 6,
                    "kernel": 3,
                    "stride": 1,
                    "shortcut": "identity",
                },
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: PooledBottleneck, walk: UnitWalk) -> None:
        hidden, width = block.expand.out_channels, block.project.out_channels
        squeezed = 0 if block.squeeze is None else block.squeeze.out_features
        walk.reads("expand.weight", block.expand.in_channels)
        walk.widened(hidden, squeezed)
        if block.bypass is not None:
            walk.reads("bypass.weight", block.expand.in_channels)
            walk.new_stream()
            walk.makes("bypass.weight", width)
        walk.ends("project", "norm3", width)

    def fitting(self, block: PooledBottleneck, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        return found | {"squeezed": int(shapes["squeeze.weight"][0])} if block.squeeze is not None else found

    def droppable(self, block: PooledBottleneck) -> bool:
        return block.stride == 1 and block.bypass is None
