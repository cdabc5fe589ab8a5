"""Where one network becomes several paths."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class PathSplit(nn.Module):
    """A map, in memory of its own for each of several paths."""

    def __init__(self, paths: int) -> None:
        super().__init__()
        self.arguments = {"paths": paths}
        self.paths = paths

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x, *(x * 1 for _ in range(self.paths - 1)))


@BLOCKS.register("path_split")
class PathSplitKind(BlockKind):
    """The end of a shared trunk: its map goes into every path of an ensemble."""

    label = "Split into paths"
    source = "Chen et al., One-shot neural ensemble architecture search (NEAS), CVPR 2021"
    module = PathSplit
    arguments = {"paths": Count(16)}
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("PathSplit", {"paths": 2}),
            (
                "PathResidual",
                {"path": 2, "in_channels": 4, "out_channels": 4, "kernel": 3, "stride": 1, "inner": 5},
            ),
            ("PathsHead", {"in_channels": 4, "classes": 3, "paths": 2}),
        ),
    )

    def units(self, block: PathSplit, walk: UnitWalk) -> None:
        walk.shows_all()
