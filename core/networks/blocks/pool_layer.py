"""Pooling as a layer of its own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example, Name, Shapes
from core.networks.groups import UnitWalk


class PoolLayer(nn.Module):
    """The mean or the maximum of each window; where the width changes, a 1x1 convolution and BatchNorm follow."""

    def __init__(
        self, pool: str, kernel: int, stride: int, in_channels: int = 0, out_channels: int = 0
    ) -> None:
        super().__init__()
        self.arguments = {"pool": pool, "kernel": kernel, "stride": stride}
        self.pool, self.kernel, self.stride = pool, kernel, stride
        self.projects = out_channels > 0
        if self.projects:
            self.arguments |= {"in_channels": in_channels, "out_channels": out_channels}
            self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
            self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.pool == "mean":
            x = F.avg_pool2d(x, self.kernel, self.stride, self.kernel // 2, count_include_pad=False)
        else:
            x = F.max_pool2d(x, self.kernel, self.stride, self.kernel // 2)
        return self.norm(self.conv(x)) if self.projects else x


@BLOCKS.register("pool_layer")
class PoolLayerKind(BlockKind):
    """The mean or the maximum of each window, without weights unless the width changes."""

    label = "Pooling layer"
    source = "Pooling of Zoph et al., NASNet, CVPR 2018 (3x3, padding not counted)"
    module = PoolLayer
    arguments = {
        "pool": Name(("mean", "max")),
        "kernel": KERNEL,
        "stride": STRIDE,
        "in_channels": Count(),
        "out_channels": Count(),
    }
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("PoolLayer", {"pool": "mean", "kernel": 3, "stride": 1}),
            ("PoolLayer", {"pool": "max", "kernel": 3, "stride": 2, "in_channels": 4, "out_channels": 6}),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: PoolLayer, walk: UnitWalk) -> None:
        if not block.projects:
            walk.shows_all()
            return
        walk.reads("conv.weight", block.conv.in_channels)
        walk.new_stream()
        walk.ends("conv", "norm", block.conv.out_channels)

    def fitting(self, block: PoolLayer, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        if block.projects:
            out_channels, in_channels = shapes["conv.weight"][:2]
            found |= {"in_channels": int(in_channels), "out_channels": int(out_channels)}
        return found

    def droppable(self, block: PoolLayer) -> bool:
        return block.stride == 1 and not block.projects
