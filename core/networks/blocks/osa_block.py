"""The one-shot aggregation block of VoVNet."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, SHORTCUT, STRIDE, BlockKind, Count, Example, Listed, Shapes
from core.networks.groups import UnitWalk, batch_norm


class OsaBlock(nn.Module):
    """A row of 3x3 convolutions, all of whose outputs and the input are joined once, by a 1x1 convolution.

    The 1x1 convolution of what would be joined is written as a sum of one per source, which is the same. Then
    each channel is gated by the means of all; the shortcut is "identity" or "none". Pooling comes before it all.
    """

    def __init__(
        self, in_channels: int, out_channels: int, inner: list[int], stride: int, shortcut: str
    ) -> None:
        super().__init__()
        self.arguments: dict = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "inner": inner,
            "stride": stride,
            "shortcut": shortcut,
        }
        self.stride, self.shortcut = stride, shortcut == "identity"
        widths = [in_channels, *inner]
        pairs = zip(widths[:-1], inner, strict=True)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in inner)
        self.sources = nn.ModuleList(nn.Conv2d(width, out_channels, 1, bias=False) for width in widths)
        self.norm = nn.BatchNorm2d(out_channels)
        self.gate = nn.Conv2d(out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = F.max_pool2d(x, 3, self.stride, 1)
        y, total = x, self.sources[0](x)
        for conv, norm, source in zip(self.convs, self.norms, self.sources[1:], strict=True):
            y = F.relu(norm(conv(y)))
            total = total + source(y)
        joined = F.relu(self.norm(total))
        gate = self.gate(joined.mean((2, 3), keepdim=True))
        # Written out: the derivative of hardsigmoid has none of its own in torch.
        joined = joined * ((gate + 3).clamp(0, 6) / 6)
        return joined + x if self.shortcut else joined


@BLOCKS.register("osa_block")
class OsaBlockKind(BlockKind):
    """Convolutions in a row, joined once, and effective squeeze-and-excite."""

    label = "One-shot aggregation"
    source = "Lee et al., VoVNet, CVPRW 2019; Lee and Park, CenterMask (VoVNetV2), CVPR 2020"
    module = OsaBlock
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "inner": Listed(Count(), 16),
        "stride": STRIDE,
        "shortcut": SHORTCUT,
    }
    sizes = {"in_channels": ("sources.0.weight", 1), "out_channels": ("sources.0.weight", 0)}
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            (
                "OsaBlock",
                {"in_channels": 4, "out_channels": 4, "inner": [3, 2], "stride": 1, "shortcut": "identity"},
            ),
            (
                "OsaBlock",
                {"in_channels": 4, "out_channels": 6, "inner": [4], "stride": 2, "shortcut": "none"},
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: OsaBlock, walk: UnitWalk) -> None:
        width, before = block.norm.num_features, block.arguments["in_channels"]
        inner: list[int] = block.arguments["inner"]
        walk.reads("convs.0.weight", before)
        walk.reads("sources.0.weight", before)
        for at, size in enumerate(inner):
            further = [f"convs.{at + 1}.weight"] if at + 1 < len(inner) else []
            walk.inner(
                f"layer {at}",
                size,
                made=[f"convs.{at}.weight"],
                scaled=batch_norm(f"norms.{at}"),
                read=[*further, f"sources.{at + 1}.weight"],
                shown=f"norms.{at}",
            )
        if not block.shortcut:
            walk.new_stream()
        for at in range(len(inner) + 1):
            walk.makes(f"sources.{at}.weight", width)
        walk.scales(batch_norm("norm"), width)
        walk.reads("gate.weight", width)
        walk.makes("gate.weight", width)
        walk.scales(["gate.bias"], width)
        walk.shows(width)

    def fitting(self, block: OsaBlock, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        found["inner"] = [int(shapes[f"convs.{at}.weight"][0]) for at in range(len(block.convs))]
        return found

    def droppable(self, block: OsaBlock) -> bool:
        return block.shortcut
