"""The first layer of mobile networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import (
    ACTIVATION,
    BLOCKS,
    KERNEL,
    STRIDE,
    BlockKind,
    Count,
    Epsilon,
    Example,
)
from core.networks.groups import UnitWalk


class MobileStem(nn.Module):
    """Normalize the input by constants, then convolution, BatchNorm, an activation named as in torch.nn.functional."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, activation: str, epsilon: float
    ) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
            "activation": activation,
            "epsilon": epsilon,
        }
        self.activation = activation
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels, eps=epsilon)

    def forward(self, x: Tensor) -> Tensor:
        return getattr(F, self.activation)(self.norm(self.conv((x - self.mean) / self.std)))


@BLOCKS.register("mobile_stem")
class MobileStemKind(BlockKind):
    """Constants for normalization, convolution, BatchNorm, an activation of choice."""

    label = "Mobile stem"
    source = "Howard et al., MobileNetV3, ICCV 2019"
    module = MobileStem
    arguments = {
        "in_channels": Count(),
        "out_channels": Count(),
        "kernel": KERNEL,
        "stride": STRIDE,
        "activation": ACTIVATION,
        "epsilon": Epsilon(),
    }
    sizes = {"out_channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            (
                "MobileStem",
                {
                    "in_channels": 2,
                    "out_channels": 5,
                    "kernel": 3,
                    "stride": 2,
                    "activation": "hardswish",
                    "epsilon": 1e-3,
                },
            ),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: MobileStem, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.ends("conv", "norm", width)

    def input_shape(self, block: MobileStem) -> tuple[int, ...]:
        return (block.conv.in_channels, 32, 32)
