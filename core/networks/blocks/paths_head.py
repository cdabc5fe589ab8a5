"""The last block of an ensemble of paths."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class PathsHead(nn.Module):
    """A linear layer per path on the mean over its positions; returns the logarithm of the mean of their probabilities."""

    def __init__(self, in_channels: int, classes: int, paths: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "classes": classes, "paths": paths}
        self.linears = nn.ModuleList(nn.Linear(in_channels, classes) for _ in range(paths))

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        said = [linear(x.mean((2, 3))).log_softmax(1) for linear, x in zip(self.linears, inputs, strict=True)]
        return torch.stack(said).logsumexp(0) - math.log(len(said))


@BLOCKS.register("paths_head")
class PathsHeadKind(BlockKind):
    """A classifier per path; the answer is the average of their probabilities, as its logarithm."""

    label = "Head of an ensemble"
    source = "Chen et al., NEAS, CVPR 2021; averaged probabilities as in Lakshminarayanan et al., Deep ensembles, NeurIPS 2017"
    module = PathsHead
    arguments = {"in_channels": Count(), "classes": Count(), "paths": Count(16)}
    sizes = {"in_channels": ("linears.0.weight", 1)}
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("PathSplit", {"paths": 3}),
            ("PathsHead", {"in_channels": 4, "classes": 5, "paths": 3}),
        ),
    )

    def units(self, block: PathsHead, walk: UnitWalk) -> None:
        for at in range(len(block.linears)):
            walk.reads(f"linears.{at}.weight", int(block.arguments["in_channels"]))
