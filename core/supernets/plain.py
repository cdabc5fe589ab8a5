"""Plain torch blocks that extracted subnets are made of.

The source of the classes a subnet uses is pasted into its downloaded `model.py`, so each class here
stands alone: it uses torch and nothing else, not even another class of this file. Every class keeps
its constructor arguments in `arguments`, from which the exporter writes the call that rebuilds it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Stem(nn.Module):
    """Normalize pixels in [0, 1], then convolution, BatchNorm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, "kernel": kernel, "stride": stride}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv((x - self.mean) / self.std)))


class ResidualBlock(nn.Module):
    """Two dense convolutions and a shortcut without weights.

    Where the width grows the shortcut is padded with zeros, where it shrinks it is cut; where the
    resolution halves it is average-pooled.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, "kernel": kernel, "stride": stride}
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if self.out_channels > self.in_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, self.out_channels - self.in_channels))
        return F.relu(y + x[:, : self.out_channels])


class PoolingHead(nn.Module):
    """Mean over the image, then a linear layer."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "classes": classes}
        self.linear = nn.Linear(in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean((2, 3)))
