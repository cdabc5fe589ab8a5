"""ViT-ResNAS: the reduction with a class token against plain torch, and one masked pass against sliced ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.supernets.elastic_cnn import ElasticCNN
from core.supernets.files import build
from core.supernets.masked import Kept, ManyArchs, masked_norm
from core.supernets.vit_resnas import ReductionStage, TokenStageConfig, ViTResNAS, ViTResNASConfig
from tests.helpers.nets import disturb

MASKED = [name for name in FAMILIES.names() if FAMILIES.get(name).masked]
CASES = [(name, index) for name in MASKED for index in range(len(FAMILIES.get(name).examples()))]


def made(name: str, index: int) -> Supernet:
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    return disturb(family(family.examples()[index]))


def several(net: Supernet, n: int) -> ManyArchs:
    rows = net.space.sample_array(n - 2, np.random.default_rng(4)).tolist()
    return ManyArchs([net.smallest, net.largest, *map(tuple, rows)])


def sliced(net: Supernet, images: Tensor, archs: ManyArchs) -> Tensor:
    return torch.cat([net(images[i : i + 1], archs[i % len(archs)]) for i in range(len(images))])


@pytest.mark.parametrize(("name", "index"), CASES)
def test_one_masked_pass_is_each_images_own_sliced_pass(name: str, index: int) -> None:
    """In double precision, so that what is compared is the computation and no rounding."""
    net = made(name, index).double()
    archs = several(net, 30)
    images = net.task.random_inputs(net.config, 37, torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        masked, apart = net(images, archs), sliced(net, images, archs)
    torch.testing.assert_close(masked, apart, atol=1e-10, rtol=0)
    assert len({tuple(row) for row in apart[:30].round(decimals=4).tolist()}) > 20


@pytest.mark.parametrize("name", MASKED)
def test_it_is_so_to_a_millionth_in_single_precision(name: str) -> None:
    net = made(name, 0)
    archs = several(net, 3)  # fewer than the space has choices
    images = net.task.random_inputs(net.config, 16, torch.Generator().manual_seed(2))
    with torch.no_grad():
        masked, apart = net(images, archs), sliced(net, images, archs)
    assert float((masked - apart).abs().max()) < 1e-6 * float(apart.abs().max())


def test_gradients_are_those_of_the_sliced_passes() -> None:
    net = made("vit_resnas", 0).double().requires_grad_(True)
    archs = several(net, 8)
    images = net.task.random_inputs(net.config, 24, torch.Generator().manual_seed(3)).double()
    targets = torch.arange(24) % net.classes
    found = []
    for run in (lambda: net(images, archs), lambda: sliced(net, images, archs)):
        net.zero_grad()
        F.cross_entropy(run(), targets).backward()
        found.append(
            {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in net.named_parameters()}
        )
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-10, rtol=0)


def test_a_masked_norm_counts_kept_channels_alone_even_far_from_zero() -> None:
    torch.manual_seed(2)
    layer = nn.LayerNorm(8, eps=1e-3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    widths = [1, 2, 5, 8]
    x = torch.randn(4, 3, 8) + 1000
    units = Kept.of(widths, 8, x)
    found = masked_norm(x * units.mask, layer.weight, layer.bias, layer.eps, units)
    for row, width in enumerate(widths):
        expected = F.layer_norm(x[row, :, :width], (width,), layer.weight[:width], layer.bias[:width], 1e-3)
        torch.testing.assert_close(found[row, :, :width], expected, atol=2e-3, rtol=1e-3)
        assert not found[row, :, width:].any()


def test_with_batch_norm_a_masked_pass_would_be_another_computation() -> None:
    """Why masks are refused there: a channel's statistics would be those of the samples of all subnets."""
    torch.manual_seed(3)
    norm, x = nn.BatchNorm1d(4).train(), torch.randn(8, 4)
    x[4:, 2:] = 0  # the last four samples' subnet keeps two channels
    assert float((norm(x)[:4] - norm(x[:4])).abs().max().detach()) > 0.1
    assert not ElasticCNN.masked


def test_the_reduction_by_plain_torch_layers() -> None:
    net = made("vit_resnas", 1)
    stage = next(each for each in net.chain if isinstance(each, ReductionStage))
    assert stage.grid % 2 == 1
    x = torch.randn(3, 1 + stage.grid**2, 6)
    with torch.no_grad():
        y = F.layer_norm(x, (6,), stage.norm.weight, stage.norm.bias)
        grid = y[:, 1:].unflatten(1, (stage.grid, stage.grid)).permute(0, 3, 1, 2)
        made_tokens = stage.conv(grid).flatten(2).transpose(1, 2) + stage.position
        shortcut = x[:, 1:].unflatten(1, (stage.grid, stage.grid)).permute(0, 3, 1, 2)
        pooled = F.avg_pool2d(shortcut, 2, ceil_mode=True).flatten(2).transpose(1, 2)
        expected = torch.cat([stage.linear(y[:, :1]), made_tokens], 1)
        expected[:, :, :6] += torch.cat([x[:, :1], pooled], 1)
        torch.testing.assert_close(stage(x, net.largest), expected, atol=1e-5, rtol=1e-5)


def test_every_second_block_may_be_left_out_and_then_has_no_sizes() -> None:
    stage = TokenStageConfig(widths=(8,), blocks=3, heads=(1, 2), head_size=4, hidden=(4, 8, 12))
    net = ViTResNAS(ViTResNASConfig(stages=(stage,)))
    assert [c.name for c in net.space.choices if c.kind == "depth"] == ["block1_2"]
    # The first and the third block have 2 * 3 settings, the second as many and none.
    assert net.space.size == 6 * 7 * 6
    assert len(net.costs(net.smallest)) == len(net.costs(net.largest)) - 1


def test_sixteen_patches_and_a_class_token_then_four() -> None:
    net = ViTResNAS(ViTResNASConfig())
    shapes = [(cost.label, cost.output_shape) for cost in net.costs(net.largest)]
    assert shapes[0] == ("patches", (17, 32))
    assert ("reduction 2", (5, 64)) in shapes
    assert shapes[-1] == ("head", (10,))
    assert net.space.size == (3 * 6 * 7) ** 2


def test_the_sizes_of_the_papers_tiny_space() -> None:
    """sr_tiny_mh: 5 widths, 4 attention sizes and 7 of the MLP, three blocks of six always there."""
    stages = [
        {"widths": w, "blocks": 6, "heads": h, "head_size": s, "hidden": f}
        for w, h, s, f in (
            ((160, 176, 192, 224, 256), (3, 4, 5, 6), 32, (384, 448, 512, 576, 640, 704, 768)),
            ((320, 352, 384, 448, 512), (6, 8, 10, 12), 48, (768, 896, 1024, 1152, 1280, 1408, 1536)),
            ((640, 704, 768, 896, 1024), (6, 8, 10, 12), 64, (1536, 1792, 2048, 2304, 2560, 2816, 3072)),
        )
    ]
    with torch.device("meta"):
        net = build(
            "vit_resnas", {"input_shape": (3, 224, 224), "classes": 1000, "patch": 14, "stages": stages}
        )
    assert net.space.size == (5 * 28**3 * 29**3) ** 3
