"""Matching and mixing: a permuted twin is recognized, and the barrier between twins vanishes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.geometry.alignment import match_activations, match_weights
from core.geometry.connectivity import Curve, Judge, curve, mixture, plane, stage_parameters
from core.library.networks import load_model
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.stem import Stem
from core.networks.units import permute, unit_groups
from core.seeding import stream
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


@pytest.fixture(scope="module")
def trained() -> nn.Sequential:
    """A small subnet of a shipped supernet: noise has no barrier worth the name."""
    return load_model(None, "subnet:digits-cnn:111011100110").net


@pytest.fixture(scope="module")
def judge() -> Judge:
    data = load_dataset("digits")
    return Judge.of(data.validation.x[:120], data.validation.y[:120], data.calibration.x[:128])


def twin_of(net: nn.Sequential) -> tuple[nn.Sequential, dict[str, np.ndarray]]:
    rng = stream(5, "twin")
    orders = {g.name: rng.permutation(g.size) for g in unit_groups(net)}
    return permute(net, orders), orders


def whole(a: nn.Sequential, b: nn.Sequential, judge: Judge, **settings: object) -> Curve:
    return list(curve(a, b, judge, **settings))[-1]  # type: ignore[arg-type]


# One group at a time is a local search: between narrow streams without a ReLU it stops before the end.
STUCK = ("chain", "nas_bench_macro")


def distance(a: nn.Sequential, b: nn.Sequential) -> float:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return float(sum((x - y).square().sum() for x, y in pairs))


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_weight_matching_undoes_a_permutation(family: str) -> None:
    net = extracted(family)
    twin, _ = twin_of(net)
    back = permute(twin, match_weights(net, twin))
    if family in STUCK:
        assert distance(net, back) < 0.9 * distance(net, twin)
        return
    for name, tensor in net.named_parameters():
        assert torch.allclose(dict(back.named_parameters())[name], tensor, atol=1e-6), name


@pytest.mark.parametrize("family", ["elastic_cnn", "nas_bench_201"])
def test_activation_matching_undoes_a_permutation_of_live_units(family: str) -> None:
    net = extracted(family)
    twin, _ = twin_of(net)
    images = random_dataset(200, seed=8).train.x
    back = permute(twin, match_activations(net, twin, images))
    with torch.no_grad():
        x = torch.from_numpy(images)
        middle = mixture([net, back], [0.5, 0.5])
        assert torch.allclose(net(x), back(x), atol=1e-4)
        assert torch.allclose(net(x), middle(x), atol=1e-2), "what is left differs only in dead units"


def test_matching_never_changes_what_a_net_computes(trained: nn.Sequential) -> None:
    other = load_model(None, "subnet:digits-cnn:111011100110").net
    noise = permute(other, {})
    with torch.no_grad():
        for p in noise.parameters():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
    x = torch.from_numpy(load_dataset("digits").validation.x[:50])
    for orders in (match_weights(trained, noise), match_activations(trained, noise, x.numpy())):
        with torch.no_grad():
            assert torch.allclose(noise(x), permute(noise, orders)(x), atol=1e-4)


def test_matching_is_deterministic(trained: nn.Sequential) -> None:
    twin, _ = twin_of(trained)
    first, again = (match_weights(trained, twin, seed=3) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_there_is_no_barrier_to_oneself(trained: nn.Sequential, judge: Judge) -> None:
    found = whole(trained, trained, judge, points=5)
    assert found.barrier == pytest.approx(0, abs=1e-6)
    assert found.accuracy_barrier == 0


def test_a_twin_has_a_barrier_until_it_is_matched(trained: nn.Sequential, judge: Judge) -> None:
    twin, _ = twin_of(trained)
    naive = whole(trained, twin, judge, points=7)
    assert naive.barrier > 0.3
    assert naive.loss[0] == pytest.approx(naive.loss[-1], abs=1e-5)
    matched = whole(trained, permute(twin, match_weights(trained, twin)), judge, points=7)
    assert matched.barrier < 1e-4
    by_activations = permute(twin, match_activations(trained, twin, judge.calibration.numpy()))
    assert whole(trained, by_activations, judge, points=7).barrier < 1e-4


def test_a_curve_is_the_same_from_both_ends(trained: nn.Sequential, judge: Judge) -> None:
    twin, _ = twin_of(trained)
    forth, back = whole(trained, twin, judge, points=5), whole(twin, trained, judge, points=5)
    assert np.allclose(forth.loss, back.loss[::-1], atol=1e-5)
    assert forth.barrier == pytest.approx(back.barrier, abs=1e-5)


def test_statistics_are_measured_anew_at_every_point(trained: nn.Sequential, judge: Judge) -> None:
    """Scaling a convolution changes nothing once its BatchNorm is measured anew."""
    scaled = permute(trained, {})
    with torch.no_grad():
        scaled[0].conv.weight *= 3
    found = whole(trained, scaled, judge, points=5)
    assert np.ptp(found.loss) < 1e-2


def test_moving_one_stage_leaves_the_others(trained: nn.Sequential, judge: Judge) -> None:
    twin, _ = twin_of(trained)
    mixed = mixture([trained, twin], [0.5, 0.5], only=stage_parameters(1))
    for name, tensor in mixed.named_parameters():
        same = torch.equal(tensor, dict(trained.named_parameters())[name])
        assert same or name.startswith("1."), name
    found = list(curve(trained, twin, judge, points=3, only=stage_parameters(1)))
    assert len(found) == 3
    assert found[-1].t.tolist() == [0, 0.5, 1]


def test_the_plane_passes_through_its_corners(trained: nn.Sequential, judge: Judge) -> None:
    a, (b, _) = trained, twin_of(trained)
    c = permute(trained, {g.name: np.arange(g.size)[::-1].copy() for g in unit_groups(trained)})
    *_, (rows, found) = plane(a, b, c, judge, side=5, margin=0.0)
    assert rows == 5
    assert np.isfinite(found.loss).all()
    at_a = found.loss[np.argmin(abs(found.y)), np.argmin(abs(found.x))]
    assert at_a == pytest.approx(judge.measure(permute(a, {}))[0], abs=1e-4)
    assert found.corners[0].tolist() == [0, 0]
    assert found.corners[1].tolist() == [1, 0]


def test_nets_that_span_no_plane_are_refused(trained: nn.Sequential, judge: Judge) -> None:
    twin, _ = twin_of(trained)
    with pytest.raises(InvalidInput, match="span no plane"):
        next(plane(trained, trained, twin, judge))
    with pytest.raises(InvalidInput, match="one line"):
        next(plane(trained, twin, trained, judge))


def test_different_shapes_are_refused_with_a_way_out(trained: nn.Sequential, judge: Judge) -> None:
    other = load_model(None, "subnet:digits-cnn:311131113111").net
    with pytest.raises(InvalidInput, match="same shape"):
        next(curve(trained, other, judge))
    with pytest.raises(InvalidInput, match="trained alone"):
        match_weights(trained, other)


def test_mixing_changes_no_net(judge: Judge) -> None:
    torch.manual_seed(0)
    nets = [nn.Sequential(Stem(1, 4, 3, 1), PoolingHead(4, 10)).eval() for _ in range(2)]
    before = [{n: t.clone() for n, t in net.state_dict().items()} for net in nets]
    whole(nets[0], nets[1], judge, points=3)
    for net, state in zip(nets, before, strict=True):
        assert all(torch.equal(t, state[n]) for n, t in net.state_dict().items())
