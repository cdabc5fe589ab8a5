"""A depthwise convolution whose kernel and channels are elastic."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.supernets.elastic_conv import kernel_matrices


class ElasticDepthwise(nn.Module):
    """One filter per channel, without bias; smaller kernels are made of the largest.

    A smaller kernel is the center crop of the next larger one (itself made so), as a vector passed through a
    learned square matrix that all channels share, at first the identity.

    Args:
        channels: most channels.
        kernels: odd kernel sizes, ascending.
        stride: of the convolution.
        transform: learn the matrices; without them a smaller kernel is the crop.

    Source: Cai et al., "Once-for-All", ICLR 2020 (section 3.3, elastic kernel size).
    """

    def __init__(self, channels: int, kernels: Sequence[int], stride: int = 1, *, transform: bool = True):
        super().__init__()
        self.kernels, self.stride = tuple(kernels), stride
        largest = self.kernels[-1]
        self.weight = nn.Parameter(torch.empty(channels, 1, largest, largest))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.transforms = kernel_matrices({k: k * k for k in self.kernels[:-1]} if transform else {})
        """Kernel size -> the (k², k²) matrix that makes it of the next larger kernel's center."""

    def kernel_weight(self, channels: int, kernel: int) -> Tensor:
        """The (channels, 1, k, k) filters of one setting, differentiable."""
        weight = self.weight[:channels]
        for size in reversed(self.kernels[:-1]):
            if weight.shape[-1] <= kernel:
                break
            margin = (weight.shape[-1] - size) // 2
            weight = weight[:, :, margin : margin + size, margin : margin + size]
            if self.transforms:
                weight = F.linear(weight.flatten(2), self.transforms[str(size)]).unflatten(2, (size, size))
        return weight

    def forward(self, x: Tensor, kernel: int) -> Tensor:
        """(n, c, h, w) -> (n, c, h / stride, w / stride), rounded up."""
        channels = x.shape[1]
        weight = self.kernel_weight(channels, kernel)
        return F.conv2d(x, weight, stride=self.stride, padding=kernel // 2, groups=channels)

    @torch.no_grad()
    def copy_to(self, layer: nn.Conv2d) -> None:
        """Write the filters that fit a stock depthwise layer into it."""
        channels, _, kernel, _ = layer.weight.shape
        layer.weight.copy_(self.kernel_weight(channels, kernel))
