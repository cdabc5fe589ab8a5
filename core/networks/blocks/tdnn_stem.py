"""The first convolution of a network for series."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_BANDS, MOST_LENGTH


class TdnnStem(nn.Module):
    """Convolution over time, ReLU, BatchNorm: (n, in_channels, t) to (n, out_channels, t / stride)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
        }
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(F.relu(self.conv(x)))


@BLOCKS.register("tdnn_stem")
class TdnnStemKind(BlockKind):
    """Convolution over time, ReLU, BatchNorm."""

    label = "TDNN stem"
    source = "Desplanques et al., ECAPA-TDNN, Interspeech 2020"
    module = TdnnStem
    arguments = {
        "in_channels": Count(MOST_BANDS),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
    }
    sizes = {"out_channels": ("conv.weight", 0)}
    input_limits = (MOST_BANDS, MOST_LENGTH)
    over_time = True
    example = Example(
        (3, 20),
        (
            ("TdnnStem", {"in_channels": 3, "out_channels": 6, "kernel": 5, "stride": 2}),
            ("AttentiveStatistics", {"channels": 6, "bottleneck": 3}),
            ("EmbeddingHead", {"in_features": 12, "embedding": 5, "classes": 3}),
        ),
    )

    def units(self, block: TdnnStem, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.ends("conv", "norm", width)

    def input_shape(self, block: TdnnStem) -> tuple[int, ...]:
        return (block.conv.in_channels, 32 * block.conv.stride[0])

    def takes(self, shape: Sequence[int]) -> str:
        return f"series (n, {shape[0]}, {shape[1]}): channels and samples over time"
