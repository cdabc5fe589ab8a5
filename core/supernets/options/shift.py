"""Moving channels in place of convolving them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.shift_layer import ShiftLayer
from core.supernets.counting import Count, Value
from core.supernets.options.base import Option, Place
from core.supernets.options.registry import OPTIONS
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.statistics import ElasticBatchNorm, Statistics


@OPTIONS.register("shift")
class ShiftOption(Option):
    """Each channel stays or moves by a pixel; where width or resolution change, a 1x1 convolution comes first."""

    label = "Shift"
    source = "Wu et al., Shift, CVPR 2018"
    drawn = "shift"
    moves: Tensor

    def __init__(self, config: BaseConfig, place: Place) -> None:
        super().__init__(config, place)
        if not place.keeps:
            self.conv = fresh_conv(place.most_in, place.most_out, 1, place.stride)
            self.norm = ElasticBatchNorm(place.most_out)
        moves = [[float(way == channel % 5) for way in range(5)] for channel in range(place.most_out)]
        self.register_buffer("moves", torch.tensor(moves), persistent=False)

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        if not self.keeps(x.shape[1], width):
            x = self.norm(convolved(self.conv, x, width), statistics)
        moves = self.moves[:width].view(1, -1, 1, 1, 5)
        around = F.pad(x, (1, 1, 1, 1))
        down, up = around[:, :, :-2, 1:-1], around[:, :, 2:, 1:-1]
        right, left = around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:]
        y = x * moves[..., 0] + down * moves[..., 1] + up * moves[..., 2]
        return y + right * moves[..., 3] + left * moves[..., 4]

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        projects = not self.keeps(in_width, width)
        block = ShiftLayer(width, self.place.stride, in_width if projects else 0)
        if projects:
            copy_conv(self.conv, block.conv)
            block.norm = self.norm.extract(width, statistics)
        return block

    def count(self, count: Count, x: Value, width: int) -> Value:
        if not self.keeps(x.channels, width):
            x = count.batch_norm(count.conv(x, width, 1, self.place.stride))
        count.buffer_bytes += 4 * 5 * width
        around = count.made([x], width, [side + 2 for side in x.size])
        y = count.over(x)
        for _ in range(4):
            moved = count.made([around], width, x.size)
            y = count.over(y, moved)
        return y
