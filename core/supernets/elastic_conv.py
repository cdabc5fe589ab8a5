"""A convolution whose kernel and channels are elastic: small ones are slices of the large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def kernel_matrices(sizes: Mapping[int, int]) -> nn.ParameterDict:
    """A matrix to each kernel from the next larger one, the identity at first.

    Args:
        sizes: kernel -> numbers of one filter.
    """
    return nn.ParameterDict({str(k): nn.Parameter(torch.eye(n)) for k, n in sizes.items()})


class ElasticConv(nn.Module):
    """Dense 2-D convolution without bias; weights of every smaller setting lie inside the largest.

    A smaller kernel is the center crop of the next larger one, optionally passed through a learned
    square matrix (initially the identity) shared by all channels.

    Args:
        in_channels: most input channels.
        out_channels: most output channels.
        kernels: odd kernel sizes, ascending.
        stride: of the convolution.
        transform: learn the matrix between a kernel and the next smaller one.

    Source: kernel transform of Cai et al., "Once-for-All", ICLR 2020.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernels: Sequence[int],
        stride: int = 1,
        *,
        transform: bool = False,
    ) -> None:
        super().__init__()
        self.kernels = tuple(kernels)
        self.stride = stride
        largest = self.kernels[-1]
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, largest, largest))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.transforms = kernel_matrices({k: k * k for k in self.kernels[:-1]} if transform else {})

    def kernel_weight(self, in_channels: int, out_channels: int, kernel: int) -> Tensor:
        """The (out, in, k, k) weight of one setting, differentiable."""
        weight = self.weight[:out_channels, :in_channels]
        if not self.transforms:
            margin = (self.kernels[-1] - kernel) // 2
            return weight[:, :, margin : margin + kernel, margin : margin + kernel]
        for size in reversed(self.kernels[:-1]):
            if weight.shape[-1] <= kernel:
                break
            margin = (weight.shape[-1] - size) // 2
            crop = weight[:, :, margin : margin + size, margin : margin + size].flatten(2)
            weight = (crop @ self.transforms[str(size)]).unflatten(2, (size, size))
        return weight

    def forward(self, x: Tensor, out_channels: int, kernel: int) -> Tensor:
        """(n, c, h, w) -> (n, out_channels, h / stride, w / stride), rounded up."""
        weight = self.kernel_weight(x.shape[1], out_channels, kernel)
        return F.conv2d(x, weight, stride=self.stride, padding=kernel // 2)

    @torch.no_grad()
    def copy_to(self, layer: nn.Conv2d) -> None:
        """Write the weights that fit a stock layer into it."""
        out_channels, in_channels, kernel, _ = layer.weight.shape
        layer.weight.copy_(self.kernel_weight(in_channels, out_channels, kernel))
