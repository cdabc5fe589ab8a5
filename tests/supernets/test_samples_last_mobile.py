"""Evaluation of mobile networks with samples innermost: filtering by products, and working in pieces."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.supernets import samples_last_mobile
from core.supernets.base import BranchContext
from core.supernets.mobile import MobileSupernet
from core.supernets.ofa_mobilenet_v3 import OfaMobileNetV3
from core.supernets.samples_last_mobile import filter_channels
from tests.helpers.nets import disturb


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (7, 7), (9, 6), (12, 12)])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_filtering_by_products_is_a_depthwise_convolution(size, kernel: int, stride: int) -> None:
    x, weight = torch.randn(11, 3, *size), torch.randn(3, 1, kernel, kernel)
    expected = F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=3)
    out = torch.empty(3, *expected.shape[2:], 11)
    filter_channels(x.permute(1, 2, 3, 0).contiguous(), weight, stride, out)
    torch.testing.assert_close(out.permute(3, 0, 1, 2), expected, atol=1e-5, rtol=1e-5)


@pytest.fixture
def net() -> MobileSupernet:
    torch.manual_seed(0)
    config = OfaMobileNetV3.example((1, 8, 8))
    groups = tuple(group.model_copy(update={"squeeze": True}) for group in config.groups)
    net = OfaMobileNetV3(config.model_copy(update={"groups": groups}))
    return disturb(net)  # type: ignore[return-value]


def walked(net: MobileSupernet, archs: list[tuple[int, ...]], images: torch.Tensor) -> list[torch.Tensor]:
    """Outputs of architectures that differ in their last blocks alone, as siblings."""
    context, x = BranchContext(20), images
    with torch.no_grad():
        *others, block, head = [stage for stage in net.chain if stage.key(archs[0]) is not None]
        for stage in others:
            x = stage.branch(x, archs[:1], context)[0]
        return [head.branch(y, archs[:1], context)[0] for y in block.branch(x, archs, context)]


def siblings(net: MobileSupernet) -> list[tuple[int, ...]]:
    last = [f"{what}2_2" for what in ("kernel", "expand")]
    start = net.space.to_dict(net.largest)
    return [
        net.space.from_dict(start | {last[0]: kernel, last[1]: ratio})
        for kernel in net.config.kernels
        for ratio in net.config.expands
    ]


def test_in_pieces_a_block_computes_the_same(net, monkeypatch) -> None:
    images, archs = torch.rand(50, 1, 8, 8), siblings(net)
    whole = walked(net, archs, images)
    monkeypatch.setattr(samples_last_mobile, "_MOST_NUMBERS", 2000)
    monkeypatch.setattr(samples_last_mobile, "_PIECE_NUMBERS", 1500)
    pieces = walked(net, archs, images)
    for arch, a, b in zip(archs, whole, pieces, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            a, net(images, arch, net.calibrate(arch, images, 20)).detach(), atol=1e-5, rtol=1e-5
        )
    for arch, together in zip(archs, pieces, strict=True):
        assert torch.equal(walked(net, [arch], images)[0], together), "alone, in pieces as well"
