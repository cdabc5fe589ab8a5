"""The block of networks for series: several scales of dilated convolution, and a gate per channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, DILATION, KERNEL, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class SeRes2Block(nn.Module):
    """Squeeze-excitation Res2 block over time.

    Takes the stem's channels (n, width, t), or what another such block returns: its own output, the sum of
    everything before the next block, and the outputs of the blocks before it.
    """

    def __init__(self, width: int, inner: int, scale: int, kernel: int, dilation: int, squeeze: int) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "inner": inner,
            "scale": scale,
            "kernel": kernel,
            "dilation": dilation,
            "squeeze": squeeze,
        }
        part = inner // scale
        margin = kernel // 2 * dilation
        self.scale = scale
        self.first = nn.Conv1d(width, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm1d(inner)
        self.convs = nn.ModuleList(
            nn.Conv1d(part, part, kernel, padding=margin, dilation=dilation, bias=False)
            for _ in range(scale - 1)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(part) for _ in range(scale - 1))
        self.last = nn.Conv1d(inner, width, 1, bias=False)
        self.norm2 = nn.BatchNorm1d(width)
        self.reduce = nn.Linear(width, squeeze)
        self.expand = nn.Linear(squeeze, width)

    def forward(self, inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if isinstance(inputs, tuple | list):
            last, total, *earlier = inputs
            earlier = [*earlier, last]
        else:
            last, total, earlier = inputs, inputs, []
        parts = self.norm1(F.relu(self.first(last))).chunk(self.scale, 1)
        made, y = [], None
        for part, conv, norm in zip(parts[:-1], self.convs, self.norms, strict=True):
            y = norm(F.relu(conv(part if y is None else part + y)))
            made.append(y)
        x = self.norm2(F.relu(self.last(torch.cat([*made, parts[-1]], 1))))
        gate = torch.sigmoid(self.expand(F.relu(self.reduce(x.mean(2)))))
        x = x * gate.unsqueeze(2) + total
        return (x, total + x, *earlier)


@BLOCKS.register("se_res2_block")
class SeRes2BlockKind(BlockKind):
    """Convolutions over time at several scales, each reading the one before, and a gate per channel."""

    label = "SE-Res2 block"
    source = "Desplanques et al., ECAPA-TDNN, Interspeech 2020; Gao et al., Res2Net, TPAMI 2021"
    module = SeRes2Block
    arguments = {
        "width": Count(),
        "inner": Count(),
        "scale": Count(32),
        "kernel": KERNEL,
        "dilation": DILATION,
        "squeeze": Count(),
    }
    sizes = {
        "width": ("first.weight", 1),
        "inner": ("first.weight", 0),
        "squeeze": ("reduce.weight", 0),
    }
    over_time = True
    example = Example(
        (3, 14),
        (
            ("TdnnStem", {"in_channels": 3, "out_channels": 6, "kernel": 3, "stride": 1}),
            (
                "SeRes2Block",
                {"width": 6, "inner": 9, "scale": 3, "kernel": 3, "dilation": 2, "squeeze": 4},
            ),
            (
                "SeRes2Block",
                {"width": 6, "inner": 4, "scale": 2, "kernel": 5, "dilation": 1, "squeeze": 3},
            ),
            ("ConcatConv", {"width": 6, "blocks": 2, "out_channels": 7}),
            ("AttentiveStatistics", {"channels": 7, "bottleneck": 3}),
            ("EmbeddingHead", {"in_features": 14, "embedding": 5, "classes": 3}),
        ),
    )

    def units(self, block: SeRes2Block, walk: UnitWalk) -> None:
        width, part = block.first.in_channels, block.first.out_channels // block.scale
        walk.reads("first.weight", width)
        # A unit has its place in every part: each part is added to the next, so all keep one order and size.
        firsts = [part * k for k in range(block.scale)]
        convs = [f"convs.{k}.weight" for k in range(block.scale - 1)]
        norms = [name for k in range(block.scale - 1) for name in batch_norm(f"norms.{k}")]
        walk.inner(
            "inner",
            part,
            made=[*(("first.weight", at) for at in firsts), *convs],
            scaled=[*((name, at) for name in batch_norm("norm1") for at in firsts), *norms],
            read=[*convs, *(("last.weight", at) for at in firsts)],
            shown="norm1",
        )
        walk.makes("last.weight", width)
        walk.scales([*batch_norm("norm2"), "expand.weight", "expand.bias"], width)
        walk.reads("reduce.weight", width)
        walk.inner(
            "squeeze",
            block.reduce.out_features,
            made=["reduce.weight"],
            scaled=["reduce.bias"],
            read=["expand.weight"],
            shown="reduce",
        )
        walk.shows(width)
