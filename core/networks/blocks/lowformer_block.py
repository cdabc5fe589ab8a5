"""The block of LowFormer: attention on a reduced map, and a fused convolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk, batch_norm


class LowformerBlock(nn.Module):
    """Attention on a map that a depthwise convolution reduced, an MLP per position, a fused convolution.

    Each stands beside a shortcut; the first two behind a normalization of the whole map.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        head_size: int,
        reduction: int,
        kernel: int,
        mlp_hidden: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.arguments = {
            "channels": channels,
            "heads": heads,
            "head_size": head_size,
            "reduction": reduction,
            "kernel": kernel,
            "mlp_hidden": mlp_hidden,
            "hidden": hidden,
        }
        self.heads, self.head_size = heads, head_size
        inner = heads * head_size
        self.norm1 = nn.GroupNorm(1, channels)
        self.reduce = nn.Conv2d(
            channels, channels, kernel, reduction, kernel // 2, groups=channels, bias=False
        )
        self.reduce_norm = nn.BatchNorm2d(channels)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, inner, 1, bias=False)
        self.project = nn.Conv2d(inner, channels, 3, 1, 1)
        self.norm2 = nn.GroupNorm(1, channels)
        self.expand = nn.Conv2d(channels, mlp_hidden, 1)
        self.contract = nn.Conv2d(mlp_hidden, channels, 1)
        self.conv1 = nn.Conv2d(channels, hidden, 3, 1, 1, bias=False)
        self.conv_norm1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, channels, 1, bias=False)
        self.conv_norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.reduce_norm(self.reduce(self.norm1(x)))
        shape = (y.shape[0], self.heads, self.head_size, y.shape[2] * y.shape[3])
        query = self.query(y).view(shape).transpose(2, 3)
        key, value = self.key(y).view(shape), self.value(y).view(shape).transpose(2, 3)
        attended = (query @ key / self.head_size**0.5).softmax(3) @ value
        attended = attended.transpose(2, 3).reshape(y.shape[0], -1, y.shape[2], y.shape[3])
        if y.shape[2:] != x.shape[2:]:
            attended = F.interpolate(attended, size=x.shape[2:], mode="nearest")
        x = self.project(attended) + x
        x = self.contract(F.gelu(self.expand(self.norm2(x)))) + x
        return self.conv_norm2(self.conv2(F.hardswish(self.conv_norm1(self.conv1(x))))) + x


@BLOCKS.register("lowformer_block")
class LowformerBlockKind(BlockKind):
    """Attention on a reduced map, MLP and fused convolution, each beside a shortcut."""

    label = "LowFormer block"
    source = "Nottebaum et al., LowFormer, WACV 2025 (up-sampling by repeating, then a 3x3 convolution)"
    module = LowformerBlock
    attends = True
    arguments = {
        "channels": Count(),
        "heads": Count(),
        "head_size": Count(),
        "reduction": STRIDE,
        "kernel": KERNEL,
        "mlp_hidden": Count(),
        "hidden": Count(),
    }
    sizes = {
        "channels": ("conv1.weight", 1),
        "mlp_hidden": ("expand.weight", 0),
        "hidden": ("conv1.weight", 0),
    }
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            (
                "LowformerBlock",
                {
                    "channels": 6,
                    "heads": 2,
                    "head_size": 3,
                    "reduction": 2,
                    "kernel": 5,
                    "mlp_hidden": 5,
                    "hidden": 7,
                },
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: LowformerBlock, walk: UnitWalk) -> None:
        width = block.conv2.out_channels
        walk.averages("norm1", width)
        walk.averages("norm2", width)
        walk.scales(["reduce.weight", *batch_norm("reduce_norm")], width)
        parts = ("query", "key", "value")
        for name in (*parts, "expand", "conv1"):
            walk.reads(f"{name}.weight", width)
        for name in ("project", "contract", "conv2"):
            walk.makes(f"{name}.weight", width)
        walk.scales(["project.bias", "contract.bias", *batch_norm("conv_norm2")], width)
        walk.shows(width)
        walk.inner(
            "heads",
            block.heads,
            made=[f"{part}.weight" for part in parts],
            scaled=[],
            read=["project.weight"],
            shown="value",
            repeat=block.head_size,
        )
        walk.inner(
            "mlp",
            block.expand.out_channels,
            made=["expand.weight"],
            scaled=["expand.bias"],
            read=["contract.weight"],
            shown="expand",
        )
        walk.between("hidden", block.conv1.out_channels, "conv1", "conv_norm1", "conv2")

    def fitting(self, block: LowformerBlock, shapes: Shapes) -> Settings:
        heads = int(shapes["query.weight"][0]) // block.head_size
        return super().fitting(block, shapes) | {"heads": heads}

    def droppable(self, block: LowformerBlock) -> bool:
        return True
