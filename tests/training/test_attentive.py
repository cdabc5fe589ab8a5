"""Attentive sampling: costs as stated, candidates of that cost, and the best or the worst of them trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from core.tasks.base import Batch
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies import attentive as module
from core.training.strategies.attentive import Attentive
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb, small_cnn
from tests.training.small import digits, settings

DATA = digits()


def attending(**changes: object) -> tuple[Attentive, SupernetSession]:
    strategy = STRATEGIES.create("attentive", changes)
    assert isinstance(strategy, Attentive)
    session = SupernetSession(disturb(small_cnn()), DATA, settings(), strategy, Phase("all"))
    session.rate = 0.01
    return strategy, session


def some(session: SupernetSession) -> Batch:
    return session.task.batch(DATA, DATA.train.first(16))


def test_the_best_or_the_worst_of_the_candidates_is_trained_between_the_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for prefer, pick in (("best", min), ("worst", max)):
        strategy, session = attending(prefer=prefer, candidates=5, n_attentive=1)
        given = [session.space.sample(np.random.default_rng(i)) for i in range(5)]
        losses = dict(zip(given, (3.0, 1.0, 4.0, 1.5, 5.0), strict=True))
        monkeypatch.setattr(strategy, "candidates", lambda *_, given=given: given)
        monkeypatch.setattr(module, "_loss", lambda session, arch, batch, losses=losses: losses[arch])
        strategy.step(session, some(session))
        archs = [each.arch for each in session.drawn]
        assert archs == [session.space.largest, pick(given, key=losses.__getitem__), session.space.smallest]


def test_losses_of_candidates_are_the_batchs_and_leave_no_trace() -> None:
    strategy, session = attending()
    batch, arch = some(session), session.space.sample(np.random.default_rng(1))
    found = module._loss(session, arch, batch)
    with torch.no_grad():
        outputs = session.net(batch.inputs, arch)
    assert found == pytest.approx(float(torch.nn.functional.cross_entropy(outputs, batch.targets)), rel=1e-6)
    assert session.passes == 0
    assert session.gradient_norms() == {}
    strategy.step(session, batch)
    assert session.passes == pytest.approx(4 * 16 / 32)  # half a batch


@pytest.mark.slow
def test_candidates_have_the_cost_that_was_asked_for() -> None:
    strategy, session = attending(candidates=8)
    rng = np.random.default_rng(0)
    hits = []
    for target in strategy.known.tolist():
        found = strategy.candidates(session, target, rng)
        assert len(found) == 8
        assert all(session.space.canonical(arch) == arch for arch in found)
        hits.append((strategy.ranges_of(session.macs(found)) == target).mean())
    # Ranges at the ends hold a handful of architectures, and are hit all the same.
    assert np.mean(hits) > 0.95


def test_costs_are_drawn_as_random_subnets_have_them_or_equally() -> None:
    drawn, session = attending()
    rows = session.space.sample_array(6000, np.random.default_rng(9))
    ranges = drawn.ranges_of(session.macs(rows.tolist()))
    counts = np.bincount(ranges, minlength=drawn.config.ranges)[drawn.known]
    often = drawn.chances * 4096 >= 40
    assert (
        chisquare(
            counts[often], drawn.chances[often] / drawn.chances[often].sum() * counts[often].sum()
        ).pvalue
        > 1e-4
    )
    equal, _ = attending(costs="equal")
    np.testing.assert_allclose(equal.chances, 1 / len(equal.known))
    assert drawn.chances.max() > 3 * drawn.chances.min()
