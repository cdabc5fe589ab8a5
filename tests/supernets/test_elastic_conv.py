"""Elastic kernels: which numbers of the large kernel a small one is, with and without learned matrices."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.supernets.elastic_conv import ElasticConv

KERNELS = (1, 3, 5, 7)


def conv(transform: bool) -> ElasticConv:
    torch.manual_seed(0)
    return ElasticConv(4, 6, KERNELS, transform=transform).requires_grad_(False)


@pytest.mark.parametrize("transform", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_small_kernel_is_the_large_one_with_zeros_around_its_center(transform: bool, kernel: int) -> None:
    layer, x = conv(transform), torch.randn(2, 3, 9, 9)
    near = (torch.arange(7) - 3).abs() <= kernel // 2
    full = layer.weight[:5, :3] * near[:, None] * near
    torch.testing.assert_close(layer(x, 5, kernel), F.conv2d(x, full, padding=3), atol=1e-5, rtol=1e-5)


def test_a_kernel_passes_through_every_matrix_above_it() -> None:
    """5 = crop(7) A; 3 = crop(5) B: a change of A alone reaches 3 and 1, and leaves 7 alone."""
    layer = conv(True)
    before = {k: layer.kernel_weight(4, 6, k).clone() for k in KERNELS}
    a = torch.randn(25, 25)
    layer.transforms["5"].copy_(a)
    five = torch.einsum("oip,pq->oiq", layer.weight[:, :, 1:6, 1:6].flatten(2), a).unflatten(2, (5, 5))
    torch.testing.assert_close(layer.kernel_weight(4, 6, 5), five)
    torch.testing.assert_close(layer.kernel_weight(4, 6, 3), five[:, :, 1:4, 1:4])
    assert torch.equal(layer.kernel_weight(4, 6, 7), before[7])
    assert not torch.allclose(layer.kernel_weight(4, 6, 1), before[1])


@pytest.mark.parametrize("transform", [False, True])
def test_a_stock_layer_gets_the_same_weights(transform: bool) -> None:
    layer, x = conv(transform), torch.randn(2, 3, 8, 8)
    for matrix in layer.transforms.values():
        matrix.add_(torch.randn_like(matrix) * 0.1)
    for kernel in KERNELS:
        stock = nn.Conv2d(3, 5, kernel, padding=kernel // 2, bias=False)
        layer.copy_to(stock)
        torch.testing.assert_close(stock(x), layer(x, 5, kernel))
