"""Adversarial training: what the subnets learn from, against the definition of the attack (card 21)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.attacks import steps
from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.store import MemoryLedger
from core.supernets.statistics import Statistics
from core.training.draws import Phase
from core.training.loop import train
from core.training.strategies import STRATEGIES
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb
from tests.training.small import digits, fresh_net, settings


@pytest.fixture(scope="module")
def session() -> SupernetSession:
    strategy = STRATEGIES.create("adversarial", {"eps": 0.1, "steps": 3})
    return SupernetSession(disturb(fresh_net()), digits(), settings(), strategy, Phase("all"))


def test_attacked_images_stay_in_the_ball_and_lose_no_less_than_the_clean_ones(session) -> None:
    data = session.dataset
    batch = session.task.batch(data, data.train)
    for arch in (session.space.smallest, session.space.largest):
        found = session.strategy.attacked(session, arch, batch).inputs
        assert float((found - batch.inputs).abs().max()) <= 0.1 + 1e-6
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1
        statistics = Statistics(recording=True)
        with torch.no_grad():
            clean = session.task.losses(session.net(batch.inputs, arch, statistics), batch.targets)
            statistics.recording = False
            attacked = session.task.losses(session.net(found, arch, statistics), batch.targets)
        assert bool((attacked >= clean - 1e-6).all())
        assert float((attacked > clean).float().mean()) > 0.9
        assert batch.inputs.equal(session.task.batch(data, data.train).inputs)


def test_an_image_that_the_attack_made_easier_is_left_clean(session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps down the gradient instead of up: nothing of them may be kept where the loss fell."""
    climb = steps.step

    def descend(net, at, center, labels, *, size, eps):
        found = climb(net, at, center, labels, size=size, eps=eps)
        return (2 * at - found).clamp(0, 1)

    monkeypatch.setattr(steps, "step", descend)
    batch, arch = session.task.batch(session.dataset, session.dataset.train), session.space.largest
    found = session.strategy.attacked(session, arch, batch).inputs
    statistics = Statistics(recording=True)
    with torch.no_grad():
        clean = session.task.losses(session.net(batch.inputs, arch, statistics), batch.targets)
        statistics.recording = False
        attacked = session.task.losses(session.net(found, arch, statistics), batch.targets)
    assert bool((attacked >= clean - 1e-6).all())
    assert (found == batch.inputs).flatten(1).all(1).float().mean() > 0.5


def test_two_subnets_meet_different_images(session) -> None:
    batch = session.task.batch(session.dataset, session.dataset.train)
    first, second = (
        session.strategy.attacked(session, arch, batch).inputs
        for arch in (session.space.smallest, session.space.largest)
    )
    assert not torch.equal(first, second)


def test_a_step_learns_from_the_attacked_images_and_counts_the_attack(session, monkeypatch) -> None:
    batch = session.task.batch(session.dataset, session.dataset.train.first(32))
    blank = dataclasses.replace(batch, inputs=torch.zeros_like(batch.inputs))
    monkeypatch.setattr(session.strategy, "attacked", lambda *_: blank)
    fed, before = [], session.passes
    forward = session.forward
    monkeypatch.setattr(session, "forward", lambda arch, each: (fed.append(each), forward(arch, each))[1])
    session.strategy.step(session, batch)
    assert fed == [blank]
    assert session.passes - before == pytest.approx(4)


def test_sandwich_attacks_each_of_three_subnets() -> None:
    strategy = STRATEGIES.create("adversarial", {"subnets": "sandwich"})
    space = fresh_net().space
    archs = strategy.archs(space, Phase("all"), np.random.default_rng(0))
    assert archs[:2] == [space.largest, space.smallest]
    assert strategy.passes(space, Phase("all")) == 12
    ends = SearchSpace([Choice("edge", ("none", "conv"), ordinal=False)])
    with pytest.raises(InvalidInput, match="Choose random subnets"):
        strategy.check(ends)


def test_only_images_can_be_attacked(monkeypatch) -> None:
    net = fresh_net()
    monkeypatch.setattr(type(net.task), "name", "tokens")
    strategy = STRATEGIES.create("adversarial")
    with pytest.raises(InvalidInput, match="Choose another strategy"):
        SupernetSession(net, digits(), settings(), strategy, Phase("all"))


def test_a_diverging_attack_ends_the_training_in_a_sentence() -> None:
    with pytest.raises(Exception, match="diverged"):
        list(
            train(
                fresh_net(),
                digits(),
                settings(strategy="adversarial", learning_rate=1e11, clip=0, epochs=3),
                MemoryLedger(),
            )
        )
