"""Draws that shift to lagging sizes, against the card of ShiftNAS."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from core.tasks.base import Batch
from core.training.strategies import STRATEGIES
from core.training.strategies.shift_nas import ShiftNAS
from core.training.supernet_session import SupernetSession
from tests.training.small import digest, digits, fresh_net, settings

DATA = digits()


def shifting(**changes: object) -> tuple[ShiftNAS, SupernetSession]:
    strategy = STRATEGIES.create("shift_nas", changes)
    assert isinstance(strategy, ShiftNAS)
    phase = strategy.phases(fresh_net().space)[-1]
    return strategy, SupernetSession(fresh_net(), DATA, settings(), strategy, phase)


def batch_of(session: SupernetSession) -> Batch:
    return next(session.task.epoch(DATA, batch_size=16, seed=0, epoch=0, augmentation={}))


norms = st.lists(st.floats(0, 1e6), min_size=4, max_size=4)


@given(st.lists(norms, min_size=1, max_size=8), st.floats(0.01, 1), st.floats(0.01, 10))
def test_chances_stay_a_distribution_with_a_floor(
    rounds: list[list[float]], floor: float, rate: float
) -> None:
    strategy = STRATEGIES.create("shift_nas", {"bins": 4, "floor": floor, "rate": rate})
    strategy.logits = np.zeros(4)
    for measured in rounds:
        before = strategy.probabilities()
        strategy.shift(measured)
        found = strategy.probabilities()
        assert found.sum() == pytest.approx(1)
        assert (found >= floor / 4 - 1e-12).all()
        # The bin that lags most gains, or keeps what it has where all lag alike.
        worst = int(np.argmax(measured))
        assert found[worst] >= before[worst] - 1e-12


def test_bins_are_drawn_as_their_chances_say() -> None:
    strategy, _ = shifting(floor=0.1)
    strategy.logits = np.array([0.0, -1.0, 1.0, 0.5, -2.0])
    drawn = [strategy.drawn_bin(np.random.default_rng(i)) for i in range(3000)]
    assert chisquare(np.bincount(drawn, minlength=5), 3000 * strategy.probabilities()).pvalue > 1e-3


def test_generated_architectures_cost_what_was_asked_within_half_a_bin() -> None:
    strategy, session = shifting()
    bands, rng = strategy.bands, np.random.default_rng(0)
    half = float(bands.high[0] - bands.low[0]) / 2
    for wanted in np.linspace(bands.low[0], bands.high[-1], 60):
        made = [strategy.generate(float(wanted), rng) for _ in range(5)]
        assert (np.abs(session.macs(made) - wanted) <= half).all()
    for index in range(len(bands)):
        made = [strategy.of_bin(index, rng) for _ in range(20)]
        assert (session.macs(made) >= bands.low[index]).all()
        assert (session.macs(made) <= bands.high[index]).all()
        assert len(set(made)) > 3


def test_insufficiency_is_the_gradient_of_the_validation_loss() -> None:
    strategy, session = shifting(subnets=1)
    before = digest(session.net)
    found = strategy.insufficiency(session, 3, 16)
    assert session.gradient_norms() == {}
    assert digest(session.net) == before
    arch = strategy.of_bin(3, session.rng("measured", "3"))
    batch = session.validation_batch(16, "3", "0")
    assert set(batch.ids.tolist()) <= set(DATA.validation.ids.tolist())
    loss = session.sample_losses(batch.counted(session.net(batch.inputs, arch)), batch).mean()
    wanted = torch.autograd.grad(loss, list(session.net.parameters()), allow_unused=True)
    squares = sum(float(g.square().sum()) for g in wanted if g is not None)
    assert found == pytest.approx(squares**0.5, rel=1e-4)


def test_chances_move_to_a_planted_lagging_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of validation samples in the dearest bin are ten times what they are; a few rounds later it leads."""
    strategy, session = shifting(every=1, draws=1, rate=0.5)
    dear, current = strategy.bands.low[-1], [0]
    forward, losses = SupernetSession.forward, SupernetSession.sample_losses

    def watched(self, arch, batch, **noise):
        current[0] = int(self.macs([arch])[0])
        return forward(self, arch, batch, **noise)

    def lagging(self, outputs, batch):
        return losses(self, outputs, batch) * (10 if current[0] >= dear else 1)

    monkeypatch.setattr(SupernetSession, "forward", watched)
    monkeypatch.setattr(SupernetSession, "sample_losses", lagging)
    one, seen = batch_of(session), []
    for step in range(15):
        session.step, session.rate = step, 0.01
        strategy.step(session, one)
        seen.append(strategy.probabilities()[-1])
    rounds = seen[4::5]
    assert seen[3] == pytest.approx(0.2)
    assert 0.2 < rounds[0] < rounds[1] < rounds[2]
    assert strategy.probabilities().argmax() == 4


def test_bins_are_measured_in_turn_and_a_round_survives_a_restart() -> None:
    strategy, session = shifting(bins=3, every=2, draws=1)
    one = batch_of(session)
    for step in range(7):
        session.step, session.rate = step, 0.01
        strategy.step(session, one)
    assert strategy.taken == 7
    assert np.isnan(strategy.norms).all()
    assert strategy.logits.max() == 0
    assert strategy.logits.min() < 0
    session.epoch = 1
    kept = session.dump()
    again, other = shifting(bins=3, every=2, draws=1)
    other.restore(kept)
    for run in (session, other):
        for step in range(6):
            run.epoch, run.step, run.rate = 1, step, 0.01
            run.strategy.step(run, one)
    assert digest(session.net) == digest(other.net)
    assert (again.logits == strategy.logits).all()


def test_at_first_all_bins_are_equal_and_nothing_is_measured() -> None:
    strategy, session = shifting(every=1)
    session.phase = strategy.phases(session.space)[0]
    one = batch_of(session)
    for step in range(4):
        session.step, session.rate = step, 0.01
        strategy.step(session, one)
    assert strategy.taken == 0
    assert session.passes == pytest.approx(4 * 2 * 16 / 32)
