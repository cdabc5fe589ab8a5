"""InstaTune: it starts from what was given, and subnets learn from that."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.datasets.base import Dataset
from core.errors import InvalidInput, NotFound
from core.seeding import stream
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.elastic_encoder import ElasticEncoder, ElasticEncoderConfig
from core.training.actions import ACTIONS
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.strategies import STRATEGIES, Strategy
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb, random_dataset
from tests.helpers.texts import text_dataset
from tests.training.small import fresh_net, one_step


def encoder(seed: int = 0) -> ElasticEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = ElasticEncoderConfig(
            input_shape=(7,),
            vocabulary=11,
            classes=3,
            widths=(4, 8),
            depths=(1, 2),
            heads=(1, 2),
            head_size=4,
        )
        return disturb(ElasticEncoder(config), seed)  # type: ignore[return-value]


def begun(net: Supernet, data: Dataset, **settings: object) -> SupernetSession:
    """A training in whose first phase has just begun."""
    strategy: Strategy = STRATEGIES.create("insta_tune", settings)
    phase = strategy.phases(net.space)[0]
    session = SupernetSession(net, data, TrainingConfig(strategy="insta_tune", seed=5), strategy, phase)
    for name in phase.actions:
        ACTIONS[name](session)
    return session


def answers(net: Supernet, data: Dataset, arch: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        found: Tensor = net(net.task.batch(data, data.validation).inputs, arch)
    return found


@pytest.mark.parametrize("criterion", ["taylor", "l2_filters", "random_units"])
def test_before_the_first_step_the_full_network_is_the_given_one(criterion: str) -> None:
    net, data = encoder(), text_dataset()
    given, small = answers(net, data, net.largest), answers(net, data, net.smallest)
    session = begun(net, data, criterion=criterion)
    torch.testing.assert_close(answers(net, data, net.largest), given, atol=1e-5, rtol=1e-5)
    assert torch.equal(answers(session.teacher, data, net.largest), given), "the teacher is the given network"
    assert not torch.allclose(answers(net, data, net.smallest), small), "but its units have another order"


def test_units_stay_where_no_order_is_wanted() -> None:
    net, data = encoder(), text_dataset()
    before = copy.deepcopy(net.state_dict())
    begun(net, data, order=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_families_whose_units_keep_their_places_are_tuned_as_they_are() -> None:
    net = fresh_net()
    before = copy.deepcopy(net.state_dict())
    begun(net, random_dataset())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def expected_losses(net: Supernet, teacher: Supernet, data: Dataset, labels: float) -> Iterator[Tensor]:
    """The full network on labels; the smallest and a random one on labels and what the given network answers."""
    batch = net.task.batch(data, data.train)
    wanted = answers_of(teacher, batch.inputs, net.largest)
    yield F.cross_entropy(net(batch.inputs, net.largest), batch.targets)
    strategy: Strategy = STRATEGIES.create("insta_tune")
    phase = strategy.phases(net.space)[0]
    drawn = strategy.draws(net.space, phase, stream(5, "draws", 0, 0))
    for arch in [draw.arch for draw in drawn][1:]:
        given = net(batch.inputs, arch)
        p = wanted.softmax(1)
        kl = (p * (p.log() - given.log_softmax(1))).sum(1).mean()
        yield labels * F.cross_entropy(given, batch.targets) + (1 - labels) * kl


def answers_of(net: Supernet, inputs: object, arch: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        found: Tensor = net(inputs, arch)
    return found


@pytest.mark.parametrize("labels", [0.5, 0.2])
def test_a_step_is_the_gradient_of_the_written_out_losses(labels: float) -> None:
    """Of a network that has moved on from the given one, which alone is imitated."""
    net, data = encoder(), text_dataset()
    session = begun(net, data, order=False, labels=labels)
    given = copy.deepcopy(session.teacher)
    disturb(net, seed=8)
    mirror = copy.deepcopy(net).requires_grad_(True)
    mirror.zero_grad()
    sum(expected_losses(mirror, given, data, labels)).backward()  # type: ignore[union-attr]
    session.update = lambda optimizer="weights": None  # type: ignore[method-assign]
    session.strategy.step(session, net.task.batch(data, data.train))
    for (name, trained), expected in zip(net.named_parameters(), mirror.parameters(), strict=True):
        torch.testing.assert_close(trained.grad, expected.grad, atol=1e-5, rtol=1e-4, msg=name)


def tuned(net: Supernet, data: Dataset, strategy: str, seed: int = 0, **settings: object) -> Supernet:
    config = TrainingConfig.model_validate(
        {
            "strategy": strategy,
            "strategy_config": settings,
            "epochs": 25,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 0.02,
            "seed": seed,
        }
    )
    made = copy.deepcopy(net)
    list(train(made, data, config, MemoryLedger()))
    return made


def accuracy(net: Supernet, data: Dataset, arch: tuple[int, ...]) -> float:
    return float(np.mean(answers(net, data, arch).argmax(1).numpy() == data.validation.y))


@pytest.mark.slow
def test_the_smallest_learns_more_than_slicing_a_plainly_tuned_network_gives() -> None:
    data = text_dataset(192)
    given = tuned(encoder(), data, "largest_alone")
    assert accuracy(given, data, given.largest) > 0.9
    made = tuned(given, data, "insta_tune")
    plain = tuned(given, data, "largest_alone")
    assert accuracy(made, data, made.smallest) > accuracy(plain, data, plain.smallest) + 0.1
    assert accuracy(made, data, made.largest) > 0.9


def test_the_teacher_stays_while_the_network_learns() -> None:
    net, data = encoder(), text_dataset()
    session = begun(net, data)
    before = copy.deepcopy(session.teacher.state_dict())
    for step, batch in enumerate(net.task.epoch(data, batch_size=16, seed=0, epoch=0, augmentation={})):
        session.step, session.rate = step, 0.05
        session.strategy.step(session, batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in session.teacher.state_dict().items())
    assert not torch.allclose(answers(net, data, net.largest), answers(session.teacher, data, net.largest))


def test_what_each_step_draws() -> None:
    space = encoder().space
    rng = np.random.default_rng(0)
    for settings, n in (({}, 3), ({"smallest": False}, 2), ({"n_random": 3}, 5)):
        strategy: Strategy = STRATEGIES.create("insta_tune", settings)
        draws = strategy.draws(space, strategy.phases(space)[0], rng)
        assert len(draws) == n
        assert draws[0].arch == space.largest
        assert (draws[1].arch == space.smallest) is settings.get("smallest", True)
    full: Strategy = STRATEGIES.create("insta_tune", {"teacher": "full", "labels": 0.0})
    (term,) = full.draws(space, full.phases(space)[0], rng)[1].losses
    assert (term.loss, term.weight, term.settings["teacher"]) == ("kl", 1.0, "largest")


def test_a_criterion_that_there_is_not_is_refused() -> None:
    with pytest.raises((NotFound, InvalidInput), match="criterion"):
        STRATEGIES.create("insta_tune", {"criterion": "no_such"})


def test_one_step_of_images_moves_the_weights() -> None:
    net = fresh_net()
    before = copy.deepcopy(net.state_dict())
    one_step(net, random_dataset(), strategy="insta_tune")
    assert any(not torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
