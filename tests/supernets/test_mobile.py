"""Once-for-all's mobile families: kernel matrices, channel sorting, rounding, the published networks' space."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.networks.outline import outline
from core.supernets.elastic_depthwise import ElasticDepthwise
from core.supernets.files import build
from core.supernets.mobile import MobileSupernet, make_divisible
from core.supernets.ofa_mobilenet_v3 import OfaMobileNetV3, OfaMobileNetV3Config
from core.supernets.ofa_proxyless import OfaProxyless, OfaProxylessConfig
from tests.helpers.nets import disturb

KERNELS = (3, 5, 7)


def small(seed: int = 0) -> MobileSupernet:
    torch.manual_seed(seed)
    return disturb(OfaMobileNetV3(OfaMobileNetV3.example((1, 8, 8))), seed)  # type: ignore[return-value]


# --- kernels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [True, False])
def test_with_identity_matrices_a_small_kernel_is_the_center_of_the_large(transform: bool) -> None:
    layer = ElasticDepthwise(4, KERNELS, transform=transform).requires_grad_(False)
    for kernel in KERNELS:
        margin = (7 - kernel) // 2
        center = layer.weight[:3, :, margin : 7 - margin, margin : 7 - margin]
        torch.testing.assert_close(layer.kernel_weight(3, kernel), center)


def test_a_kernel_passes_through_every_matrix_above_it() -> None:
    """5 = A crop(7), 3 = B crop(5): a change of A alone reaches 3, and a change of B alone leaves 5."""
    layer = ElasticDepthwise(4, KERNELS).requires_grad_(False)
    before = {kernel: layer.kernel_weight(4, kernel).clone() for kernel in KERNELS}
    a, b = torch.randn(25, 25), torch.randn(9, 9)
    layer.transforms["5"].copy_(a)
    five = torch.einsum("qp,cip->ciq", a, layer.weight[:, :, 1:6, 1:6].flatten(2)).unflatten(2, (5, 5))
    torch.testing.assert_close(layer.kernel_weight(4, 5), five)
    torch.testing.assert_close(layer.kernel_weight(4, 3), five[:, :, 1:4, 1:4])
    assert not torch.allclose(layer.kernel_weight(4, 3), before[3])
    layer.transforms["3"].copy_(b)
    three = torch.einsum("qp,cip->ciq", b, five[:, :, 1:4, 1:4].flatten(2)).unflatten(2, (3, 3))
    torch.testing.assert_close(layer.kernel_weight(4, 3), three)
    torch.testing.assert_close(layer.kernel_weight(4, 5), five)
    assert torch.equal(layer.kernel_weight(4, 7), before[7])


# --- sorting ------------------------------------------------------------------------------------


def test_sorting_leaves_the_largest_network_and_puts_important_channels_first() -> None:
    net, images = small(), torch.rand(20, 1, 8, 8)
    with torch.no_grad():
        statistics = net.calibrate(net.largest, images)
        largest = net(images, net.largest, statistics)
        smaller = net(images, net.smallest, net.calibrate(net.smallest, images))
        net.sort_channels()
        found = net(images, net.largest, net.calibrate(net.largest, images))
        torch.testing.assert_close(found, largest, atol=2e-6, rtol=1e-5)
        assert not torch.allclose(net(images, net.smallest, net.calibrate(net.smallest, images)), smaller)
        for block in net.blocks:
            importance = block.project.weight.abs().sum((0, 2, 3))
            assert (importance.diff() <= 0).all()
            if block.excite is not None:
                assert (block.excite.weight.abs().sum(0).diff() <= 1e-6).all()
        before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        net.sort_channels()
        assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "rounded"), [(3, 8), (12, 16), (19.2, 24), (28.8, 32), (52, 56), (124.8, 128), (1536, 1536)]
)
def test_widths_are_multiples_of_eight_and_at_least_nine_tenths(channels: float, rounded: int) -> None:
    assert make_divisible(channels, 8) == rounded
    assert rounded % 8 == 0
    assert rounded >= 0.9 * channels


def test_widths_of_the_published_networks() -> None:
    """MobileNetV3 at 1.2 and ProxylessNAS at 1.3, as in the authors' net configurations."""
    v3 = OfaMobileNetV3Config.published(width_mult=1.2)
    assert [v3.divisible(g.width) for g in v3.groups] == [32, 48, 96, 136, 192]
    proxyless = OfaProxylessConfig.published()
    assert [proxyless.divisible(g.width) for g in proxyless.groups] == [32, 56, 104, 128, 248, 416]
    assert v3.hidden(24) == {3: 72, 4: 96, 6: 144}
    assert v3.squeezed(40) == {3: 32, 4: 40, 6: 64}


@pytest.mark.parametrize(
    ("family", "config", "choices"),
    [(OfaMobileNetV3, OfaMobileNetV3Config, 46), (OfaProxyless, OfaProxylessConfig, 49)],
)
def test_the_published_space_is_described_and_costed_without_weights(family, config, choices) -> None:
    with outline():
        net = family(config.published())
    assert len(net.space) == choices
    assert net.space.size > 10**19
    rows = net.space.sample_array(2000, np.random.default_rng(0))
    table = CostTable.of(net)
    macs = table.total("macs", rows)
    again = CostTable.from_json(table.to_json())
    assert (again.total("macs", rows[:50]) == macs[:50]).all()
    assert table.total("macs", np.array([net.smallest], np.uint8)) <= macs.min()
    assert table.total("macs", np.array([net.largest], np.uint8)) >= macs.max()


def test_depth_keeps_the_first_blocks_of_a_group() -> None:
    net, images = small(), torch.rand(6, 1, 8, 8)
    shallow = net.space.from_dict(net.space.to_dict(net.largest) | {"depth1": 1})
    with torch.no_grad():
        x = F.interpolate(images, size=8, mode="bilinear") if net.chain[0].key(shallow) else images
        for stage in net.chain[1:]:
            if getattr(stage, "index", 1) == 1 or getattr(stage, "group", 0) != 1:
                x = stage(x, shallow)
        torch.testing.assert_close(net(images, shallow), x)


@pytest.mark.parametrize(
    "settings",
    [
        {"kernels": (4,)},
        {"kernels": (13,)},
        {"expands": (6, 3)},
        {"expands": (0, 1)},
        {"expands": (32,)},
        {"resolutions": (8, 4000)},
        {"groups": []},
        {"groups": [{"width": 8, "depths": (1, 17)}]},
        {"groups": [{"width": 8, "stride": 0}]},
        {"groups": [{"width": 8, "activation": "exec"}]},
        {"groups": [{"width": 2048}], "width_mult": 8, "expands": (16,)},
    ],
)
@pytest.mark.parametrize("family", ["ofa_mobilenet_v3", "ofa_proxyless"])
def test_an_impossible_mobile_network_is_refused(family: str, settings: dict) -> None:
    with pytest.raises(InvalidInput, match=f"The {family} configuration is wrong"):
        build(family, settings)
