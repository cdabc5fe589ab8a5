"""Loss-following draws against what they promise: distributions, floors, averages, and who is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from core.spaces.cell_string import cell_space
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.tasks.base import Batch
from core.training.strategies import STRATEGIES, Draw, Phase
from core.training.strategies.loss_following import LossFollowing
from core.training.supernet_session import SupernetSession
from tests.training.small import digits, fresh_net, settings

DATA = digits()


def following(**changes: object) -> tuple[LossFollowing, SupernetSession]:
    strategy = STRATEGIES.create("loss_following", changes)
    assert isinstance(strategy, LossFollowing)
    return strategy, SupernetSession(fresh_net(), DATA, settings(), strategy, Phase("all"))


def any_batch(session: SupernetSession) -> Batch:
    return next(iter(session.task.epoch(DATA, batch_size=16, seed=0, epoch=0, augmentation={})))


@given(
    st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1e3)), min_size=4, max_size=4),
    st.floats(0.01, 1),
    st.floats(0, 4),
)
def test_chances_are_a_distribution_with_a_floor_that_follows_the_losses(
    losses: list[float], floor: float, sharpness: float
) -> None:
    strategy = STRATEGIES.create("loss_following", {"groups": 4, "floor": floor, "sharpness": sharpness})
    strategy.losses = np.array(losses)
    found = strategy.probabilities()
    assert found.sum() == pytest.approx(1)
    assert (found >= floor / 4 - 1e-12).all()
    known = [(loss, p) for loss, p in zip(losses, found, strict=True) if not np.isnan(loss)]
    for (a, p), (b, q) in zip(sorted(known), sorted(known)[1:], strict=False):
        assert p <= q + 1e-12 or a == b
    if any(np.isnan(losses)) and known:
        # What was never measured is drawn as often as the worst that was.
        assert found[np.isnan(losses)].min() == pytest.approx(max(p for _, p in known))


def test_without_measurements_or_without_sharpness_groups_are_equally_likely() -> None:
    strategy, _ = following()
    np.testing.assert_allclose(strategy.probabilities(), 1 / 5)
    flat, _ = following(sharpness=0)
    flat.losses = np.array([9.0, 1, 1, 1, 1])
    np.testing.assert_allclose(flat.probabilities(), 1 / 5)


def test_the_average_moves_by_what_the_memory_leaves() -> None:
    strategy, _ = following(memory=0.75)
    strategy.follow(2, 4.0)
    assert strategy.losses[2] == 4.0
    strategy.follow(2, 8.0)
    assert strategy.losses[2] == 5.0
    assert np.isnan(strategy.losses[[0, 1, 3, 4]]).all()


def test_groups_are_ordered_by_cost_and_about_equally_large() -> None:
    strategy, session = following()
    rows = session.space.sample_array(4000, np.random.default_rng(5)).tolist()
    costs = session.macs(rows)
    groups = strategy.groups_of(costs)
    assert set(groups.tolist()) == set(range(5))
    assert (np.diff(groups[np.argsort(costs)]) >= 0).all()
    assert np.bincount(groups).min() > 0.1 * len(rows)


def test_few_different_costs_make_fewer_groups() -> None:
    """Cells differ in 28 costs; more groups than that cannot be told apart."""
    strategy = STRATEGIES.create("loss_following", {"groups": 32})
    net = NASBench201(NASBench201Config(channels=2, cells_per_stage=1))
    session = SupernetSession(net, DATA, settings(), strategy, Phase("all"))
    assert 2 <= len(strategy.losses) <= 28
    assert session.space == cell_space()
    assert strategy.step(session, any_batch(session)) > 0


def test_draws_follow_the_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 steps of fixed averages: the groups of what is drawn, by chi-square."""
    strategy, session = following(draws=1, sharpness=2)
    strategy.losses = np.array([4.0, 1, 2, 1, 3])
    drawn: list[int] = []

    def note(draws: list[Draw], batch: Batch) -> list[float]:
        drawn.extend(strategy.groups_of(session.macs([d.arch for d in draws])).tolist())
        return [float(strategy.losses[drawn[-1]])] * len(draws)

    monkeypatch.setattr(session, "train", note)
    for step in range(600):
        session.step = step
        strategy.step(session, any_batch(session) if step == 0 else None)  # type: ignore[arg-type]
    expected = strategy.probabilities() * 600
    assert expected[0] > 2.5 * expected[1]
    assert chisquare(np.bincount(drawn, minlength=5), expected).pvalue > 1e-3


def test_what_lags_is_drawn_more_often_in_a_real_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dearest subnets are made to lag, twentyfold; soon most draws are theirs."""
    strategy, session = following(draws=2, memory=0.5)
    honest = SupernetSession.loss
    dear = strategy.edges[-1]

    def lagging(self: SupernetSession, terms: object, outputs: Tensor, batch: Batch, named: object) -> Tensor:
        loss = honest(self, terms, outputs, batch, named)
        return loss * 20 if self.macs([current[0]])[0] > dear else loss

    current: list[tuple[int, ...]] = [()]
    forward = SupernetSession.forward

    def watched(self: SupernetSession, arch: tuple[int, ...], batch: Batch, **noise: float) -> Tensor:
        current[0] = arch
        return forward(self, arch, batch, **noise)

    monkeypatch.setattr(SupernetSession, "loss", lagging)
    monkeypatch.setattr(SupernetSession, "forward", watched)
    one = any_batch(session)
    for step in range(20):
        session.step, session.rate = step, 0.01
        strategy.step(session, one)
    found = strategy.probabilities()
    assert found.argmax() == 4
    assert found[4] > 0.6
