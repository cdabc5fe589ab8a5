"""Several architectures in one batch: who gets which samples, at which price, and how often options occur."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.tasks.base import Batch
from core.training.strategies import STRATEGIES, Phase
from core.training.strategies.balanced_batch import BalancedBatch
from core.training.supernet_session import SupernetSession
from tests.contracts.test_strategies import SPACES
from tests.helpers.nets import disturb, small_cnn
from tests.training.small import digits, settings

DATA = digits()


def balanced_batch(**changes: object) -> BalancedBatch:
    strategy = STRATEGIES.create("balanced_batch", changes)
    assert isinstance(strategy, BalancedBatch)
    return strategy


@pytest.fixture
def session() -> SupernetSession:
    plain = settings(clip=0.0, momentum=0.0, weight_decay=0.0)
    made = SupernetSession(disturb(small_cnn()), DATA, plain, balanced_batch(warmup=0), Phase("all"))
    made.rate = 1.0
    return made


def batch_of(size: int) -> Batch:
    return DATA_TASK.batch(DATA, DATA.train.first(size))


DATA_TASK = small_cnn().task


def test_one_step_is_the_batchs_mean_loss_of_sliced_forwards_and_costs_one_pass(
    session: SupernetSession,
) -> None:
    """The family has BatchNorm: each part is normalized by its own images alone, as if it had been run by itself."""
    batch, net = batch_of(32), session.net
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    loss = session.strategy.step(session, batch)
    assert session.passes == 1
    archs = [drawn.arch for drawn in session.drawn]
    assert len(archs) == 4
    found = {name: before[name] - p.detach() for name, p in net.named_parameters()}
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(before[name])
    net.zero_grad()
    apart = [
        F.cross_entropy(net(batch.inputs[at : at + 8], arch), batch.targets[at : at + 8])
        for at, arch in zip(range(0, 32, 8), archs, strict=True)
    ]
    total = torch.stack(apart).mean()
    total.backward()
    assert loss == pytest.approx(float(total.detach()), rel=1e-5)
    assert [d.loss for d in session.drawn] == pytest.approx(
        [float(each.detach()) for each in apart], rel=1e-5
    )
    for name, p in net.named_parameters():
        expected = torch.zeros_like(p) if p.grad is None else p.grad
        torch.testing.assert_close(found[name], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SPACES)
def test_options_of_a_batch_are_balanced_choice_by_choice(name: str) -> None:
    space, strategy = SPACES[name], balanced_batch(parts=6)
    for seed in range(5):
        draws = strategy.draws(space, Phase("all"), np.random.default_rng(seed))
        assert [draw.part for draw in draws] == [(index, 6) for index in range(6)]
        rows = np.array([draw.arch for draw in draws], np.uint8)
        active = space.active(rows)
        for index, count in enumerate(space.cardinalities):
            found = np.bincount(rows[active[:, index], index], minlength=count)
            assert found.max() - found.min() <= 1
            if active[:, index].all() and 6 % count == 0:
                assert set(found.tolist()) == {6 // count}


def test_choices_are_permuted_independently() -> None:
    space = SearchSpace([Choice("a", (1, 2)), Choice("b", (1, 2))])
    strategy = balanced_batch(parts=2)
    pairs = [
        tuple(draw.arch for draw in strategy.draws(space, Phase("all"), np.random.default_rng(seed)))
        for seed in range(400)
    ]
    found = [pairs.count(pair) for pair in sorted(set(pairs))]
    assert len(found) == 4
    assert min(found) > 70


def test_smaller_options_of_ordered_choices_come_in_one_by_one() -> None:
    """Card: 1 + floor(epoch * (n - 1) / T) options, the largest first."""
    space = SearchSpace(
        [Choice("width", (1, 2, 3, 4)), Choice("depth", (1, 2)), Choice("kind", ("x", "y"), ordinal=False)]
    )
    strategy = balanced_batch(warmup=0.3)
    assert strategy.unlocked(space, 0.0) == {"width": (3,), "depth": (1,)}
    assert strategy.unlocked(space, 0.11) == {"width": (2, 3), "depth": (1,)}
    assert strategy.unlocked(space, 0.21) == {"width": (1, 2, 3), "depth": (1,)}
    assert strategy.unlocked(space, 0.3) == {"width": (0, 1, 2, 3), "depth": (0, 1)}
    assert strategy.unlocked(space, 0.9) == strategy.unlocked(space, 1.0) == strategy.unlocked(space, 0.3)
    assert balanced_batch(warmup=0).unlocked(space, 0.0) == strategy.unlocked(space, 1.0)


def test_the_warm_up_follows_the_training(session: SupernetSession) -> None:
    session.strategy = balanced_batch(warmup=0.5)
    batch = batch_of(16)
    for progress, only_largest in ((0.0, True), (0.6, False)):
        session.drawn.clear()
        session.progress, session.rate = progress, 0.0
        session.strategy.step(session, batch)
        assert ({d.arch for d in session.drawn} == {session.space.largest}) is only_largest


def test_parts_of_one_sample_are_refused(session: SupernetSession) -> None:
    with pytest.raises(InvalidInput, match=r"^Balanced batch cuts batches of 7 samples into 4 parts.*two"):
        session.strategy.step(session, batch_of(7))
