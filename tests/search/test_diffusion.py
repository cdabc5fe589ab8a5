"""Guided diffusion: what is sampled is an architecture, is not learned by heart, and goes where it is pushed."""

from __future__ import annotations

import numpy as np
import pytest

from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.diffusion import OneHot, ScoreNetwork, computing, noise_levels
from core.search.diffusion_nag import DiffusionNAG, Guide
from core.search.small_net import Floats, SmallNet
from core.seeding import stream
from core.spaces.cell_string import OPERATIONS, cell_space
from tests.helpers.planted import COST, small_space

CELLS = cell_space()
_WIDE, _NARROW = OPERATIONS.index("nor_conv_3x3"), OPERATIONS.index("nor_conv_1x1")


def macs(rows: np.ndarray) -> np.ndarray:
    """MACs of NAS-Bench-201 cells on CIFAR-10 (Dong and Yang, 2020), by their closed form, in millions."""
    wide, narrow = (rows == _WIDE).sum(axis=1), (rows == _NARROW).sum(axis=1)
    return 7.783050 + 35.389440 * wide + 3.932160 * narrow


@pytest.fixture(scope="module")
def network() -> ScoreNetwork:
    return ScoreNetwork(CELLS, 1000)


@pytest.fixture(scope="module")
def guide(network: ScoreNetwork) -> Guide:
    rng = stream(2, "cells")
    rows = CELLS.sample_array(200, rng)
    made = Guide(network, 1, rng)
    made.train([tuple(row) for row in rows.tolist()], macs(rows)[:, None], 400)
    return made


def sampled(network: ScoreNetwork, guide: Guide | None, strength: float, n: int = 192) -> Floats:
    def push(points: Floats, noise: Floats) -> Floats:
        assert guide is not None
        return strength * guide.push(points, noise, np.ones((len(points), 1), np.float32))

    return network.sample(n, stream(5, "draws"), scales=20, push=push if guide else None)


def test_points_and_architectures_are_each_others_inverse() -> None:
    for space in (CELLS, small_space()):
        code, rows = OneHot(space), space.sample_array(300, np.random.default_rng(0))
        points = code.points(rows)
        assert (code.nearest(points) == rows).all()
        assert (code.valid(points) == computing(space, rows)).all()
    broken = code.points(rows)
    broken[:, code.slices[0]] = 1
    assert not code.valid(broken).any()


def test_the_gradient_is_that_of_the_noisy_input() -> None:
    rng = np.random.default_rng(0)
    net = SmallNet((4, 8, 2), rng)
    x, back = rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((3, 2)).astype(np.float32)
    found = net.gradient(x, back)
    for row, column in np.ndindex(3, 4):
        moved = np.stack([x, x])
        moved[0, row, column] += 1e-2
        moved[1, row, column] -= 1e-2
        up, down = ((net(m) * back).sum() for m in moved)
        assert found[row, column] == pytest.approx((up - down) / 2e-2, abs=2e-3)


@pytest.mark.slow
def test_nearly_all_samples_are_cells_that_compute_and_they_differ(network: ScoreNetwork) -> None:
    points = sampled(network, None, 0.0, 400)
    assert network.code.valid(points).mean() >= 0.95
    rows = network.code.nearest(points)
    # 400 uniform draws of 15,284 would hold about 395 different ones.
    assert len(np.unique(rows, axis=0)) > 370
    # Each operation about as often as in the space.
    shares = [(rows == option).mean() for option in range(len(OPERATIONS))]
    assert np.allclose(shares, 0.2, atol=0.06)


def test_without_a_push_the_same_seed_gives_the_same_samples(network: ScoreNetwork, guide: Guide) -> None:
    plain = sampled(network, None, 0.0)
    assert np.array_equal(plain, sampled(network, guide, 0.0))
    assert not np.array_equal(plain, sampled(network, guide, 0.5))


def test_the_property_follows_the_strength_of_the_push(network: ScoreNetwork, guide: Guide) -> None:
    means = []
    for strength in (-1.0, -0.5, 0.0, 0.5, 1.0):
        points = sampled(network, guide, strength)
        valid = network.code.valid(points)
        assert valid.mean() > 0.7
        means.append(macs(network.code.nearest(points[valid])).mean())
    # Pushed toward lower costs: MACs fall with every step.
    assert (np.diff(means) < 0).all()
    assert means[0] - means[-1] > 50


def test_what_it_learned_from_part_of_a_space_is_not_all_it_draws() -> None:
    seen = CELLS.sample_array(60, np.random.default_rng(3))
    network = ScoreNetwork(CELLS, 400, seen[computing(CELLS, seen)])
    points = network.sample(200, stream(1, "draws"), scales=20)
    rows = network.code.nearest(points[network.code.valid(points)])
    known = {tuple(row) for row in seen.tolist()}
    new = [tuple(row) not in known for row in rows.tolist()]
    assert np.mean(new) > 0.1


def test_the_expected_architecture_is_that_of_little_noise_and_the_mean_of_much(
    network: ScoreNetwork,
) -> None:
    rows = CELLS.sample_array(200, np.random.default_rng(1))
    clean = network.code.points(rows[computing(CELLS, rows)])
    rng = np.random.default_rng(2)
    little = np.full((len(clean), 1), 0.15, np.float32)
    noised = clean + little * rng.standard_normal(clean.shape, np.float32)
    assert np.abs(network.expected(noised, little) - clean).mean() < 0.1
    much = np.full((len(clean), 1), 5.0, np.float32)
    noised = clean + much * rng.standard_normal(clean.shape, np.float32)
    assert np.abs(network.expected(noised, much) - clean.mean(axis=0)).mean() < 0.2
    assert noise_levels(100, rng).min() >= 0.1


def test_a_search_measures_cells_that_compute_and_cheaper_ones_as_it_goes() -> None:
    algorithm = ALGORITHMS.create(
        "diffusion_nag", {"score_steps": 400}, problem=Problem(CELLS, (COST,)), seed=0
    )
    assert isinstance(algorithm, DiffusionNAG)
    means = []
    for _ in range(3):
        archs = algorithm.ask(50)
        values = macs(np.array(archs))
        means.append(values.mean())
        algorithm.tell([Measurement(a, {"cost": float(v)}) for a, v in zip(archs, values, strict=True)])
    assert means[1] < means[0] - 20
