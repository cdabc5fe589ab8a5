"""A convolution over time whose kernel and channels are elastic, also where the channels kept are no prefix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.supernets.elastic_conv import kernel_matrices

Channels = int | Tensor
"""The first so many channels, or which ones."""


class ElasticConv1d(nn.Module):
    """Dense 1-D convolution without bias; weights of every smaller setting lie inside the largest.

    A smaller kernel is the next larger one without its outer taps, passed through a learned square matrix
    (initially the identity) if asked for.

    Args:
        in_channels: most input channels.
        out_channels: most output channels.
        kernels: odd kernel sizes, ascending.
        stride, dilation: of the convolution.
        transform: learn the matrix between a kernel and the next smaller one.

    Source: Wang et al., "EfficientTDNN", IEEE/ACM TASLP 2022, after Cai et al., "Once-for-All", ICLR 2020.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernels: Sequence[int] = (1,),
        *,
        stride: int = 1,
        dilation: int = 1,
        transform: bool = False,
    ) -> None:
        super().__init__()
        self.kernels, self.stride, self.dilation = tuple(kernels), stride, dilation
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, self.kernels[-1]))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.transforms = kernel_matrices({k: k for k in self.kernels[:-1]} if transform else {})

    def kernel_weight(self, inputs: Channels, outputs: Channels, kernel: int) -> Tensor:
        """The (out, in, k) weight of one setting, differentiable."""
        weight = self.weight[:outputs] if isinstance(outputs, int) else self.weight[outputs]
        weight = weight[:, :inputs] if isinstance(inputs, int) else weight[:, inputs]
        for size in reversed(self.kernels[:-1]):
            if weight.shape[2] <= kernel:
                break
            margin = (weight.shape[2] - size) // 2
            weight = weight[:, :, margin : margin + size]
            if self.transforms:
                weight = weight @ self.transforms[str(size)]
        return weight

    def forward(
        self, x: Tensor, outputs: Channels, kernel: int = 1, inputs: Channels | None = None
    ) -> Tensor:
        """(n, c, t) -> (n, outputs, t / stride), rounded up; the channels of x are the first ones unless said."""
        weight = self.kernel_weight(x.shape[1] if inputs is None else inputs, outputs, kernel)
        margin = kernel // 2 * self.dilation
        return F.conv1d(x, weight, stride=self.stride, padding=margin, dilation=self.dilation)

    @torch.no_grad()
    def copy_to(
        self, layer: nn.Conv1d, outputs: Channels | None = None, inputs: Channels | None = None
    ) -> None:
        """Write one setting into a stock layer of its size; the first channels unless said."""
        out_channels, in_channels, kernel = layer.weight.shape
        weight = self.kernel_weight(
            in_channels if inputs is None else inputs, out_channels if outputs is None else outputs, kernel
        )
        layer.weight.copy_(weight)


def in_parts(most: int, parts: int, each: int, *, beside: Tensor) -> Tensor:
    """Which of `most` channels lie in the first `each` of every one of `parts` equal parts, in order.

    Where the tensor is that they are picked from.
    """
    return torch.arange(most, device=beside.device).view(parts, -1)[:, :each].flatten()
