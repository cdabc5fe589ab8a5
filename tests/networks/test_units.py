"""Unit groups: permuting any of them leaves the function, and nothing that should belong is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.networks.units import permute, unit_groups
from core.seeding import stream
from core.supernets.families import FAMILIES
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


def images(n: int = 64) -> torch.Tensor:
    return torch.from_numpy(random_dataset(n, seed=3).train.x)


def some_subnets(family: str) -> list[nn.Sequential]:
    plugin = FAMILIES.get(family)
    torch.manual_seed(0)
    space = plugin(plugin.example((1, 8, 8))).space
    rng = np.random.default_rng(0)
    return [extracted(family, arch=space.sample(rng)) for _ in range(4)] + [extracted(family)]


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_permuting_all_groups_at_once_leaves_the_function(family: str) -> None:
    for net in some_subnets(family):
        rng = stream(0, "permute")
        orders = {g.name: rng.permutation(g.size) for g in unit_groups(net)}
        moved = permute(net, orders)
        with torch.no_grad():
            assert torch.allclose(net(images()), moved(images()), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_each_group_alone_changes_weights_and_not_the_function(family: str) -> None:
    net = extracted(family)
    for group in unit_groups(net):
        if group.size < 2:
            continue
        moved = permute(net, {group.name: np.roll(np.arange(group.size), 1)})
        changed = {n for n, t in moved.state_dict().items() if not torch.equal(t, net.state_dict()[n])}
        assert changed <= {m.tensor for m in group.members}
        assert changed
        with torch.no_grad():
            assert torch.allclose(net(images()), moved(images()), atol=1e-5), group.name


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_every_axis_of_every_weight_is_in_some_group(family: str) -> None:
    net = extracted(family)
    covered = {(m.tensor, m.axis) for g in unit_groups(net) for m in g.members}
    layers = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    parent = list(layers)[-1].rpartition(".")[0]
    several = isinstance(
        dict(net.named_modules())[parent], nn.ModuleList
    )  # a classifier per path of an ensemble
    for name, parameter in net.named_parameters():
        layer = name.rpartition(".")[0]
        if layer == list(layers)[-1] or (several and layer.startswith(parent)):
            wanted = {1} if parameter.ndim == 2 else set()  # classes keep their places
        elif layer == next(iter(layers)) and parameter.ndim > 1:
            wanted = {0}  # so do the channels of the image
        elif getattr(layers.get(layer), "groups", 1) > 1:
            wanted = {0}  # each channel has a kernel of its own
        elif name.endswith("position"):
            wanted = {2}
        elif name.endswith("distance"):
            wanted = {0}  # an offset for each head and each distance
        else:
            wanted = set(range(min(parameter.ndim, 2)))
        assert {axis for n, axis in covered if n == name} == wanted, name


def test_a_stream_that_grows_and_shrinks_is_cut_into_bands() -> None:
    torch.manual_seed(0)
    from core.networks.blocks.pooling_head import PoolingHead
    from core.networks.blocks.residual_block import ResidualBlock
    from core.networks.blocks.stem import Stem

    net = nn.Sequential(
        Stem(1, 6, 3, 1),
        ResidualBlock(6, 3, 3, 1),
        ResidualBlock(3, 8, 3, 2),
        PoolingHead(8, 10),
    ).eval()
    bands = {g.name: g.size for g in unit_groups(net) if g.name.startswith("stream")}
    assert bands == {
        "stream 0, units 0 to 2": 3,
        "stream 0, units 3 to 5": 3,
        "stream 0, units 6 to 7": 2,
    }
    orders = {name: np.arange(size)[::-1].copy() for name, size in bands.items()}
    moved = permute(net, orders)
    with torch.no_grad():
        assert torch.allclose(net(images()), moved(images()), atol=1e-5)


def test_heads_move_whole() -> None:
    net = extracted("elastic_vit")
    heads = [g for g in unit_groups(net) if g.name.endswith(".heads")]
    assert heads
    assert all(m.repeat == net[int(g.name.split(".")[0])].head_size for g in heads for m in g.members)


def test_what_does_not_fit_is_refused() -> None:
    net = extracted()
    name = unit_groups(net)[0].name
    for orders in (
        {"nobody": np.arange(3)},
        {name: np.zeros(unit_groups(net)[0].size, int)},
        {name: np.arange(99)},
    ):
        with pytest.raises(InvalidInput, match="does not fit"):
            permute(net, orders)
    with pytest.raises(InvalidInput, match="Dropout"):
        unit_groups(nn.Sequential(nn.Dropout()))


def test_the_original_is_not_touched() -> None:
    net = extracted()
    before = {n: t.clone() for n, t in net.state_dict().items()}
    permute(net, {g.name: np.arange(g.size)[::-1].copy() for g in unit_groups(net)})
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())
