"""Maps brought to another size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, SIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_CHANNELS


class Resize(nn.Module):
    """Bilinear interpolation to a fixed size: half-step centers, no antialiasing, as ONNX's Resize does it."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "height": height, "width": width}
        self.size = (height, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=self.size, mode="bilinear", align_corners=False)


@BLOCKS.register("resize")
class ResizeKind(BlockKind):
    """Bilinear interpolation to a fixed height and width; has no weights."""

    label = "Resize"
    source = "ONNX operator Resize (mode linear)"
    module = Resize
    arguments = {"channels": Count(MOST_CHANNELS), "height": SIDE, "width": SIDE}
    example = Example(
        (2, 8, 8),
        (
            ("Resize", {"channels": 2, "height": 6, "width": 5}),
            ("Stem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 1}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: Resize, walk: UnitWalk) -> None:
        """None: channels go through it one by one, and those of the input keep their places."""

    def input_shape(self, block: Resize) -> tuple[int, ...]:
        return (block.arguments["channels"], *block.size)
