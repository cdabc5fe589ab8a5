"""The block of ResNet-RS."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example, Name, Shapes
from core.networks.groups import UnitWalk, batch_norm


class ResnetRsBlock(nn.Module):
    """Residual block with squeeze-and-excite; `reduced` above 0 makes it a bottleneck.

    The shortcut is "identity", or "projection": a 1x1 convolution, pooled before it where the resolution changes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        inner: int,
        squeezed: int,
        stride: int,
        shortcut: str,
        reduced: int = 0,
    ) -> None:
        super().__init__()
        self.arguments: dict = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "inner": inner,
            "squeezed": squeezed,
            "stride": stride,
            "shortcut": shortcut,
        }
        if reduced:
            self.arguments["reduced"] = reduced  # channels of the bottleneck's first convolution
        self.reduced, self.stride = reduced, stride
        self.projects = shortcut == "projection"
        if reduced:
            self.reduce = nn.Conv2d(in_channels, reduced, 1, bias=False)
            self.reduce_norm = nn.BatchNorm2d(reduced)
        self.conv1 = nn.Conv2d(reduced or in_channels, inner, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        kernel = 1 if reduced else 3
        self.conv2 = nn.Conv2d(inner, out_channels, kernel, 1, kernel // 2, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.squeeze = nn.Conv2d(out_channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, out_channels, 1)
        if self.projects:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.reduce_norm(self.reduce(x))) if self.reduced else x
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(y)))))
        gate = self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
        y = y * gate.sigmoid()
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if self.projects:
            x = self.shortcut_norm(self.shortcut(x))
        return F.relu(y + x)


@BLOCKS.register("resnet_rs_block")
class ResnetRsBlockKind(BlockKind):
    """Basic or bottleneck block with squeeze-and-excite and a pooled shortcut."""

    label = "ResNet-RS block"
    source = "Bello et al., 'Revisiting ResNets', NeurIPS 2021"
    module = ResnetRsBlock
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "inner": Count(),
        "squeezed": Count(),
        "stride": STRIDE,
        "shortcut": Name(("identity", "projection")),
        "reduced": Count(),
    }
    sizes = {
        "out_channels": ("conv2.weight", 0),
        "inner": ("conv1.weight", 0),
        "squeezed": ("squeeze.weight", 0),
    }
    foldable = (("conv1", "norm1"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "ResnetRsBlock",
                {
                    "in_channels": 4,
                    "out_channels": 4,
                    "inner": 6,
                    "squeezed": 2,
                    "stride": 1,
                    "shortcut": "identity",
                },
            ),
            (
                "ResnetRsBlock",
                {
                    "in_channels": 4,
                    "out_channels": 6,
                    "inner": 3,
                    "squeezed": 2,
                    "stride": 2,
                    "shortcut": "projection",
                    "reduced": 4,
                },
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: ResnetRsBlock, walk: UnitWalk) -> None:
        before, width = block.arguments["in_channels"], block.conv2.out_channels
        if block.reduced:
            walk.reads("reduce.weight", before)
            walk.between("reduced", block.reduced, "reduce", "reduce_norm", "conv1")
        else:
            walk.reads("conv1.weight", before)
        walk.between("inner", block.conv1.out_channels, "conv1", "norm1", "conv2")
        walk.squeezed(block.squeeze.out_channels)
        if block.projects:
            walk.reads("shortcut.weight", before)
            walk.new_stream()
            walk.makes("shortcut.weight", width)
            walk.scales(batch_norm("shortcut_norm"), width)
        walk.makes("conv2.weight", width)
        walk.scales(batch_norm("norm2"), width)
        walk.reads("squeeze.weight", width)
        walk.makes("excite.weight", width)
        walk.scales(["excite.bias"], width)
        walk.shows(width)

    def fitting(self, block: ResnetRsBlock, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        first = "reduce.weight" if block.reduced else "conv1.weight"
        found["in_channels"] = int(shapes[first][1])
        return found | ({"reduced": int(shapes[first][0])} if block.reduced else {})

    def droppable(self, block: ResnetRsBlock) -> bool:
        return not block.projects
