"""Moving channels by one place instead of convolving them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk, batch_norm


class ShiftLayer(nn.Module):
    """Each channel stays or moves by one place, in one of four directions; zeros come in at the border.

    With `in_channels`, a 1x1 convolution with the stride and BatchNorm come first. Which way a
    channel moves lies in a buffer, so that channels can change places.
    """

    moves: Tensor

    def __init__(self, out_channels: int, stride: int, in_channels: int = 0) -> None:
        super().__init__()
        self.arguments = {"out_channels": out_channels, "stride": stride}
        self.projects = in_channels > 0
        if self.projects:
            self.arguments["in_channels"] = in_channels
            self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.norm = nn.BatchNorm2d(out_channels)
        moves = [[float(way == channel % 5) for way in range(5)] for channel in range(out_channels)]
        self.register_buffer("moves", torch.tensor(moves))

    def forward(self, x: Tensor) -> Tensor:
        if self.projects:
            x = self.norm(self.conv(x))
        moves = self.moves.view(1, -1, 1, 1, 5)
        around = F.pad(x, (1, 1, 1, 1))
        down, up = around[:, :, :-2, 1:-1], around[:, :, 2:, 1:-1]
        right, left = around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:]
        y = x * moves[..., 0] + down * moves[..., 1] + up * moves[..., 2]
        return y + right * moves[..., 3] + left * moves[..., 4]


@BLOCKS.register("shift_layer")
class ShiftLayerKind(BlockKind):
    """Channels that move by one place, without weights unless width or resolution change."""

    label = "Shift layer"
    source = "Wu et al., 'Shift: a zero FLOP, zero parameter alternative to spatial convolutions', CVPR 2018"
    module = ShiftLayer
    arguments = {"out_channels": Count(), "stride": STRIDE, "in_channels": Count()}
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 1}),
            ("ShiftLayer", {"out_channels": 6, "stride": 1}),
            ("ShiftLayer", {"out_channels": 5, "stride": 2, "in_channels": 6}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: ShiftLayer, walk: UnitWalk) -> None:
        width = len(block.moves)
        if block.projects:
            walk.reads("conv.weight", block.conv.in_channels)
            walk.new_stream()
            walk.makes("conv.weight", width)
            walk.scales(batch_norm("norm"), width)
        walk.scales(["moves"], width)
        walk.shows(width)

    def fitting(self, block: ShiftLayer, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        found["out_channels"] = int(shapes["moves"][0])
        return found | ({"in_channels": int(shapes["conv.weight"][1])} if block.projects else {})

    def droppable(self, block: ShiftLayer) -> bool:
        return not block.projects
