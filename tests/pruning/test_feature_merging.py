"""Merging: twins are joined first and change nothing; nothing is joined that differs; more beta, fewer units."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.library.networks import load_model
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.residual_block import ResidualBlock
from core.networks.blocks.stem import Stem
from core.pruning.feature_merging import fold, merge_features, mergeable_groups
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


def images() -> torch.Tensor:
    return torch.from_numpy(random_dataset(40, seed=9).train.x)


def with_twin(seed: int = 0) -> nn.Sequential:
    """A residual block whose inner units 1 and 3 compute and feed the same."""
    torch.manual_seed(seed)
    net = nn.Sequential(Stem(1, 4, 3, 1), ResidualBlock(4, 4, 3, 1), PoolingHead(4, 10))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.dtype.is_floating_point and not name.endswith(("mean", "std", "var")):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.4 + 0.1)
        block = net[1]
        for tensor in (block.conv1.weight, block.norm1.weight, block.norm1.bias):
            tensor[3] = tensor[1]
        block.conv2.weight[:, 3] = block.conv2.weight[:, 1]
    return net.eval().requires_grad_(False)


@pytest.mark.parametrize("family", ["elastic_cnn", "nas_bench_201"])
def test_folding_changes_nothing(family: str) -> None:
    net = extracted(family)
    with torch.no_grad():
        assert torch.allclose(net(images()), fold(net)(images()), atol=1e-5)


def test_twins_are_joined_and_the_function_stays() -> None:
    net = with_twin()
    found = merge_features(net, 0.0)
    assert found.widths["1.inner"] == 3
    assert sum(found.sizes.values()) - sum(found.widths.values()) == 1
    with torch.no_grad():
        assert torch.allclose(net(images()), found.net(images()), atol=1e-5)
    assert found.net[1].conv1.out_channels == 3


def test_of_three_of_a_kind_two_are_joined() -> None:
    """The joined unit emits the sum, so it is no twin of the third any more: so does the published algorithm."""
    net = with_twin()
    with torch.no_grad():
        for tensor in (net[1].conv1.weight, net[1].norm1.weight, net[1].norm1.bias):
            tensor[0] = tensor[1]
        net[1].conv2.weight[:, 0] = net[1].conv2.weight[:, 1]
    found = merge_features(net, 0.0)
    assert found.widths["1.inner"] == 3
    with torch.no_grad():
        assert torch.allclose(net(images()), found.net(images()), atol=1e-5)


def test_without_twins_nothing_happens_at_zero() -> None:
    net = extracted()
    found = merge_features(net, 0.0)
    assert found.widths == found.sizes
    with torch.no_grad():
        assert torch.allclose(net(images()), found.net(images()), atol=1e-5)


def test_more_beta_leaves_fewer_units() -> None:
    net = load_model(None, "subnet:digits-cnn:311131113111").net
    shares = [merge_features(net, beta).share for beta in (0.0, 0.05, 0.1, 0.2, 0.4, 1.0)]
    assert all(a >= b for a, b in itertools.pairwise(shares))
    assert shares[0] == 1
    assert shares[-1] < 0.3


def test_the_limit_holds() -> None:
    net = load_model(None, "subnet:digits-cnn:311131113111").net
    found = merge_features(net, 1.0, most=0.5)
    assert all(w >= -(-s // 2) for w, s in zip(found.widths.values(), found.sizes.values(), strict=True))


def test_scaling_a_unit_and_its_reader_changes_what_is_joined() -> None:
    """Documented, not wished for: the distance is between weights, not functions."""
    net = with_twin()
    with torch.no_grad():
        net[1].norm1.weight[3] *= 4
        net[1].norm1.bias[3] *= 4
        net[1].conv2.weight[:, 3] /= 4
    assert merge_features(net, 0.0).widths["1.inner"] == 4


def test_attention_is_not_joined() -> None:
    with pytest.raises(InvalidInput, match="ReLU"):
        merge_features(extracted("elastic_vit"), 0.1)
    names = {g.name for g in mergeable_groups(extracted("nas_bench_201"))}
    assert names
    assert all(name.endswith("inner") for name in names)


@pytest.mark.parametrize(("beta", "most"), [(-1, 0.5), (float("nan"), 0.5), (0.1, 1.0), (0.1, -0.1)])
def test_bounds(beta: float, most: float) -> None:
    with pytest.raises(InvalidInput):
        merge_features(extracted(), beta, most=most)


def test_the_net_is_not_touched() -> None:
    net = extracted()
    before = {n: t.clone() for n, t in net.state_dict().items()}
    merge_features(net, 0.3)
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
    assert np.isfinite(merge_features(net, 0.3).share)
