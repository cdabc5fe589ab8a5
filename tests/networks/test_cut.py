"""Surgery: the compact network computes what the masked one does, for every family and every kind of group."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.networks.cut import compact, masked, removable_groups
from core.seeding import stream
from core.supernets.families import FAMILIES
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


def images(n: int = 40) -> torch.Tensor:
    return torch.from_numpy(random_dataset(n, seed=6).train.x)


def random_cut(net: nn.Sequential, share: float, seed: int, *, streams: bool = True) -> dict[str, np.ndarray]:
    rng = stream(seed, "cut")
    return {
        g.name: np.sort(rng.choice(g.size, max(1, round(g.size * (1 - share))), replace=False))
        for g in removable_groups(net, streams=streams)
    }


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("share", [0.2, pytest.param(0.5, marks=pytest.mark.slow), 0.9])
def test_masked_and_compact_compute_the_same(family: str, streams: bool, share: float) -> None:
    for seed, arch in enumerate([None, "random", "random"]):
        plugin = FAMILIES.get(family)
        space = plugin(plugin.example((1, 8, 8))).space
        net = extracted(family, arch=None if arch is None else space.sample(np.random.default_rng(seed)))
        kept = random_cut(net, share, seed, streams=streams)
        full, small = masked(net, kept), compact(net, kept)
        with torch.no_grad():
            assert torch.allclose(full(images()), small(images()), atol=1e-5)
        before, after = (sum(p.numel() for p in n.parameters()) for n in (net, small))
        if any(
            len(k) < g.size
            for g, k in zip(removable_groups(net, streams=streams), kept.values(), strict=True)
        ):
            assert after < before


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_keeping_all_units_changes_nothing(family: str) -> None:
    net = extracted(family)
    kept = {g.name: np.arange(g.size) for g in removable_groups(net)}
    for made in (masked(net, kept), compact(net, kept), compact(net, {})):
        assert all(torch.equal(t, net.state_dict()[n]) for n, t in made.state_dict().items())


def test_the_offset_of_a_cut_channel_goes_with_it() -> None:
    """With the convolution alone at zero, BatchNorm still emits its offset."""
    net = extracted()
    kept = {"1.inner": np.arange(1, net[1].conv1.out_channels)}
    full = masked(net, kept)
    assert full[1].norm1.bias[0] == 0
    half = extracted()
    with torch.no_grad():
        half[1].conv1.weight[0] = 0
        assert not torch.allclose(full(images()), half(images()), atol=1e-5)


def test_the_original_is_not_touched() -> None:
    net = extracted()
    before = {n: t.clone() for n, t in net.state_dict().items()}
    kept = random_cut(net, 0.5, 0)
    masked(net, kept)
    compact(net, kept)
    assert all(torch.equal(t, before[n]) for n, t in net.state_dict().items())


def test_a_compact_net_can_be_cut_again() -> None:
    net = compact(extracted(), random_cut(extracted(), 0.3, 1))
    kept = random_cut(net, 0.4, 2)
    with torch.no_grad():
        assert torch.allclose(masked(net, kept)(images()), compact(net, kept)(images()), atol=1e-5)


def test_layer_norm_streams_are_not_removable() -> None:
    groups = removable_groups(extracted("elastic_vit"))
    assert groups
    assert all(g.free for g in groups)


@pytest.mark.parametrize("kept", [{"1.inner": []}, {"1.inner": [99]}, {"1.inner": [-1]}, {"nobody": [0]}])
def test_what_cannot_be_cut_is_refused(kept: dict[str, list[int]]) -> None:
    for cut in (masked, compact):
        with pytest.raises(InvalidInput, match=r"\.$"):
            cut(extracted(), {name: np.array(units, dtype=int) for name, units in kept.items()})
