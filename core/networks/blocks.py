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

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
        }
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

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, inner: int = 0) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
        }
        if inner:
            self.arguments["inner"] = (
                inner  # channels between the convolutions, where they are not the output's
            )
        inner = inner or out_channels
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.conv1 = nn.Conv2d(in_channels, inner, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, out_channels, 3, 1, 1, bias=False)
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


class PatchEmbedding(nn.Module):
    """Normalize pixels in [0, 1], cut them into patches, embed each, add its position."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, width: int, patch: int, tokens: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "width": width, "patch": patch, "tokens": tokens}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, width, patch, patch)
        self.position = nn.Parameter(torch.zeros(1, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv((x - self.mean) / self.std).flatten(2).transpose(1, 2) + self.position


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP on tokens (n, t, width); heads of a fixed size, however many."""

    def __init__(self, width: int, heads: int, head_size: int, hidden: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "heads": heads, "head_size": head_size, "hidden": hidden}
        self.heads, self.head_size = heads, head_size
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_size)
        self.key = nn.Linear(width, heads * head_size)
        self.value = nn.Linear(width, heads * head_size)
        self.project = nn.Linear(heads * head_size, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        shape = (x.shape[0], x.shape[1], self.heads, self.head_size)
        query = self.query(y).view(shape).transpose(1, 2)
        key = self.key(y).view(shape).permute(0, 2, 3, 1)
        value = self.value(y).view(shape).transpose(1, 2)
        attention = (query @ key / self.head_size**0.5).softmax(3)
        x = x + self.project((attention @ value).transpose(1, 2).flatten(2))
        return x + self.contract(F.gelu(self.expand(self.norm2(x))))


class TokenReduction(nn.Module):
    """Halve the grid of tokens: LayerNorm, strided convolution, new positions; a pooled, zero-padded residual."""

    def __init__(self, in_width: int, width: int, grid: int) -> None:
        super().__init__()
        self.arguments = {"in_width": in_width, "width": width, "grid": grid}
        self.in_width, self.width, self.grid = in_width, width, grid
        self.norm = nn.LayerNorm(in_width)
        self.conv = nn.Conv2d(in_width, width, 3, 2, 1)
        self.position = nn.Parameter(torch.zeros(1, ((grid + 1) // 2) ** 2, width))

    def forward(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], self.in_width, self.grid, self.grid)
        y = self.conv(self.norm(x).transpose(1, 2).reshape(shape)).flatten(2).transpose(1, 2)
        pooled = F.avg_pool2d(x.transpose(1, 2).reshape(shape), 2, ceil_mode=True).flatten(2).transpose(1, 2)
        if self.width > self.in_width:
            pooled = F.pad(pooled, (0, self.width - self.in_width))
        return y + pooled[:, :, : self.width] + self.position


class TokenHead(nn.Module):
    """LayerNorm, mean over the tokens, linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "classes": classes}
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(x).mean(1))


class CellStem(nn.Module):
    """Normalize pixels in [0, 1], then a 3x3 convolution and BatchNorm."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "channels": channels}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv((x - self.mean) / self.std))


class Cell(nn.Module):
    """Four nodes; each sums what its edges bring; a convolution is ReLU, convolution, BatchNorm.

    `operations` lists the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
    """

    def __init__(self, channels: int, operations: list[str]) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "operations": operations}
        self.operations = operations
        self.convs = nn.ModuleDict()
        for edge, operation in enumerate(operations):
            if operation.startswith("nor_conv"):
                kernel = 3 if operation == "nor_conv_3x3" else 1
                conv = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, bias=False)
                self.convs[str(edge)] = nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        edge = 0
        for node in (1, 2, 3):
            total = torch.zeros_like(x)
            for start in range(node):
                operation = self.operations[edge]
                if operation == "skip_connect":
                    total = total + nodes[start]
                elif operation == "avg_pool_3x3":
                    total = total + F.avg_pool2d(nodes[start], 3, 1, 1, count_include_pad=False)
                elif operation != "none":
                    total = total + self.convs[str(edge)](nodes[start])
                edge += 1
            nodes.append(total)
        return nodes[3]


class CellReduction(nn.Module):
    """Halve the resolution and double the channels: two ReLU-convolution-BatchNorm, and a pooled shortcut."""

    def __init__(self, in_channels: int, channels: int, inner: int = 0) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "channels": channels}
        if inner:
            self.arguments["inner"] = (
                inner  # channels between the convolutions, where they are not the output's
            )
        inner = inner or channels
        self.conv1 = nn.Conv2d(in_channels, inner, 3, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(F.relu(x)))
        y = self.norm2(self.conv2(F.relu(y)))
        return y + self.shortcut(F.avg_pool2d(x, 2, ceil_mode=True))


class CellHead(nn.Module):
    """BatchNorm, ReLU, mean over the image, linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "classes": classes}
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.relu(self.norm(x)).mean((2, 3)))
