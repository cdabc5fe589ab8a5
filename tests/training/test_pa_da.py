"""PA&DA: chances that follow planted gradients, floors, whose weights count, and samples drawn by their scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from core.spaces.cell_string import EDGES, OPERATIONS
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.training.loop import SupernetRun
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.pa_da import PADA, equal, mixed
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb, small_cnn
from tests.training.small import digits, fresh_net, settings

DATA, FEW = digits(), digits(48)
CONVS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def cells() -> NASBench201:
    torch.manual_seed(0)
    return NASBench201(NASBench201Config(channels=2, cells_per_stage=1))


def pa_da(net: Supernet, **changes: object) -> tuple[PADA, SupernetSession]:
    strategy = STRATEGIES.create("pa_da", changes)
    assert isinstance(strategy, PADA)
    return strategy, SupernetSession(net, DATA, settings(clip=0.0), strategy, Phase("all"))


@given(st.lists(st.floats(0, 1e3), min_size=5, max_size=5), st.floats(0, 1))
def test_chances_are_a_distribution_with_a_floor(norms: list[float], tau: float) -> None:
    found = mixed(np.array([norms]), np.ones((1, 5), bool), tau)[0]
    assert found.sum() == pytest.approx(1)
    assert (found >= (1 - tau) / 5 - 1e-12).all()
    order = np.argsort(norms)
    assert (np.diff(found[order]) >= -1e-12).all()


def test_tau_zero_and_equal_gradients_are_uniform() -> None:
    every = np.ones((1, 5), bool)
    for norms, tau in (([1.0, 9, 0, 2, 3], 0.0), ([2.0] * 5, 0.9), ([0.0] * 5, 0.9)):
        np.testing.assert_allclose(mixed(np.array([norms]), every, tau), 0.2)
    found = mixed(np.array([[0.0, 0, 0, 1, 3]]), every, 0.8)[0]
    np.testing.assert_allclose(found, [0.04, 0.04, 0.04, 0.24, 0.64])
    ragged = np.array([[True, True, False], [True, True, True]])
    np.testing.assert_allclose(equal(ragged), [[0.5, 0.5, 0], [1 / 3] * 3])
    assert (mixed(np.array([[1.0, 3, 0], [0, 0, 0]]), ragged, 1.0)[0] == [0.25, 0.75, 0]).all()


def test_an_operations_weights_are_those_of_its_edge_and_kernel_in_every_cell() -> None:
    net = cells()
    strategy, _ = pa_da(net)
    assert strategy.groups == [[0, 1, 2, 3, 4, 5]]
    stages = [number for number, stage in enumerate(net.chain) if hasattr(stage, "convs")]
    expected = {
        (edge, OPERATIONS.index(name)): {f"stages.{s}.convs.{edge}_{kernel}.weight" for s in stages}
        for edge in range(len(EDGES))
        for name, kernel in CONVS.items()
    }
    assert {key: set(names) for key, names in strategy._weights.items()} == expected


def test_ordered_options_count_the_weights_that_their_stages_use() -> None:
    net = small_cnn()
    strategy, _ = pa_da(net)
    names = strategy._weights[net.space.position["kernel1_1"], 0]
    assert names == strategy._weights[net.space.position["kernel1_1"], 1]
    assert names == ("stages.1.conv1.weight", "stages.1.conv2.weight")
    # Kernels with the same options share chances, whichever block they belong to.
    kernels = {i for i, c in enumerate(net.space.choices) if c.kind == "kernel" and c.options == (3, 5)}
    assert kernels in [set(group) for group in strategy.groups]


def test_running_means_follow_planted_norms() -> None:
    """Two edges take the 3x3 convolution, one the 1x1: sums over weights, divided by takers, each new value half."""
    net = cells()
    strategy, session = pa_da(net)
    one, three = OPERATIONS.index("nor_conv_1x1"), OPERATIONS.index("nor_conv_3x3")
    skip = OPERATIONS.index("skip_connect")
    arch = (three, skip, three, one, skip, skip)
    planted = {name: 0.0 for name, p in net.named_parameters() if p.ndim > 1}
    for name in planted:
        if ".convs.0_3." in name:
            planted[name] = 2.0
        if ".convs.2_3." in name:
            planted[name] = 4.0
        if ".convs.3_1." in name:
            planted[name] = 1.0
        if ".convs.1_3." in name:  # not taken
            planted[name] = 1e6
    for _ in range(2):
        strategy.follow(session.space, arch, planted)
    # Three cells: (3 * 2 + 3 * 4) / 2 = 9 for 3x3, 3 for 1x1; half, then the mean with half.
    assert strategy.norms[0, three] == pytest.approx(0.75 * 9)
    assert strategy.norms[0, one] == pytest.approx(0.75 * 3)
    assert strategy.norms[0].sum() == pytest.approx(9)
    strategy.tau = 0.5
    strategy.next_epoch(1)
    np.testing.assert_allclose(strategy.chances[0, [one, three]], [0.1 + 0.5 * 0.25, 0.1 + 0.5 * 0.75])
    np.testing.assert_allclose(strategy.chances[0, [0, skip, 2]], 0.1)
    assert not strategy.norms.any()


def test_drawn_cells_have_the_chances_and_compute_something() -> None:
    net = cells()
    strategy, session = pa_da(net)
    strategy.chances = np.array([[0.02, 0.08, 0.1, 0.2, 0.6]])
    rng = np.random.default_rng(0)
    drawn = [strategy.draw(session.space, rng) for _ in range(400)]
    assert all(session.space.computes(arch) for arch in drawn)
    shares = np.bincount(np.array(drawn).ravel(), minlength=5) / (6 * len(drawn))
    np.testing.assert_allclose(shares, strategy.chances[0], atol=0.04)


def test_scores_are_distances_from_the_label_averaged_over_turns() -> None:
    net = disturb(cells())
    strategy, session = pa_da(net)
    batch = session.task.batch(DATA, DATA.train.rows(np.array([5, 7, 5, 90])))
    arch = session.space.canonical([4] * 6)
    outputs = session.forward(arch, batch)
    by_hand = (outputs.softmax(1) - F.one_hot(batch.targets, 10)).norm(dim=1).detach()
    strategy.see(batch.ids.numpy(), session.sample_gradient_norms(outputs, batch).numpy())
    assert strategy.scores[5] == pytest.approx(float(by_hand[0]), rel=1e-4)
    strategy.see(batch.ids.numpy()[:1], np.array([1.0], np.float32))
    assert strategy.scores[5] == pytest.approx((float(by_hand[0]) + 1) / 2, rel=1e-4)
    assert strategy.scores[[7, 90]] == pytest.approx(by_hand[[1, 3]].numpy(), rel=1e-4)
    assert np.count_nonzero(strategy.scores) == 3


def test_samples_of_high_score_come_more_often_with_repeats() -> None:
    strategy, session = pa_da(cells())
    n = len(DATA.train)
    assert strategy.order(session, n, np.random.default_rng(0)) is None
    scores = np.linspace(0.01, 1, n)
    for tau, least, most in ((0.0, -0.2, 0.2), (0.9, 0.6, 1.0)):
        found = np.zeros(n)
        for seed in range(40):
            strategy.scores, strategy.tau = scores.copy(), tau
            rows = strategy.order(session, n, np.random.default_rng(seed))
            assert rows is not None
            assert len(rows) == n
            assert len(set(rows.tolist())) < n
            found += np.bincount(rows, minlength=n)
        assert least < np.corrcoef(found, scores)[0, 1] < most
        assert not strategy.scores.any()


@pytest.mark.parametrize("switched", ["paths", "data"])
def test_either_half_can_be_switched_off(switched: str) -> None:
    """After a training with one half, only what belongs to it has moved."""
    net = cells()
    config = settings(strategy="pa_da", strategy_config={switched: False}, epochs=3, batch_size=24)
    run = SupernetRun(net, FEW, config, MemoryLedger())
    for _ in run.go():
        pass
    strategy = run.session.strategy
    assert isinstance(strategy, PADA)
    assert strategy.scores.any() == (switched != "data")
    assert (np.ptp(strategy.chances) > 1e-6) == (switched != "paths")


@pytest.mark.slow
def test_tau_grows_with_the_epochs_and_trained_operations_gain() -> None:
    net, taus, chances = cells(), [], []
    run = SupernetRun(net, FEW, settings(strategy="pa_da", epochs=4, batch_size=12), MemoryLedger())
    strategy = run.session.strategy
    assert isinstance(strategy, PADA)
    next_epoch = strategy.next_epoch

    def noted(epoch: int) -> None:
        taus.append(strategy.tau)
        next_epoch(epoch)
        chances.append(strategy.chances[0].copy())

    strategy.next_epoch = noted  # type: ignore[method-assign]
    for _ in run.go():
        pass
    assert taus == pytest.approx([0, 0.25, 0.5])
    np.testing.assert_allclose(chances[0], 0.2)
    free = [OPERATIONS.index(name) for name in ("none", "skip_connect", "avg_pool_3x3")]
    for tau, found in zip(taus, chances, strict=True):
        np.testing.assert_allclose(found[free], (1 - tau) / 5)
    assert chances[-1][[3, 4]].sum() == pytest.approx(0.7)


def test_on_ordered_choices_every_option_has_a_gradient() -> None:
    strategy, session = pa_da(fresh_net())
    batch = session.task.batch(DATA, DATA.train.first(32))
    for step in range(12):
        session.step = step
        session.rate = 0.01
        strategy.step(session, batch)
    assert (strategy.norms[strategy.exists] > 0).all()
