"""BigNAS against gradients written out: who learns from what, and whose branches and features are dropped."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.elastic_cnn import BlockStage
from core.training.config import TrainingConfig
from core.training.optimizing import learning_rate
from core.training.strategies import STRATEGIES, Draw, Phase, Term
from core.training.supernet_session import SupernetSession
from core.workflows.train_supernet import preset_request, with_settings
from tests.helpers.nets import random_dataset, small_cnn
from tests.training.small import fresh_net, settings

DATA = random_dataset(40)
IMAGES, LABELS = torch.from_numpy(DATA.train.x), torch.from_numpy(DATA.train.y)


def session_of(net: Supernet, **changes: object) -> SupernetSession:
    plain = settings(clip=0.0, momentum=0.0, weight_decay=0.0)
    session = SupernetSession(net, DATA, plain, STRATEGIES.create("bignas", changes), Phase("all"))
    session.rate = 1.0
    return session


def applied(net: Supernet, **changes: object) -> tuple[dict[str, Tensor], list[tuple[int, ...]]]:
    """The gradient of one step, read off the weights, and the subnets in the order they were run."""
    net = copy.deepcopy(net)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    session = session_of(net, **changes)
    session.strategy.step(session, net.task.batch(DATA, DATA.train))
    return {n: before[n] - p.detach() for n, p in net.named_parameters()}, [d.arch for d in session.drawn]


def gradient(net: Supernet, loss: Callable[[Supernet], Tensor]) -> dict[str, Tensor]:
    net = copy.deepcopy(net)
    loss(net).backward()
    return {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in net.named_parameters()}


def distance(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def soft(outputs: Tensor, teacher: Tensor) -> Tensor:
    return -(teacher.softmax(1) * outputs.log_softmax(1)).sum(1).mean()


def test_a_step_is_smoothed_labels_for_the_largest_and_its_detached_answers_for_the_others() -> None:
    net = small_cnn(kernel_transform=True)
    step, archs = applied(net, dropout=0.0, drop_path=0.0)
    assert archs[:2] == [net.largest, net.smallest]
    assert len(archs) == 4

    def loss(net: Supernet, *, detached: bool, smoothing: float = 0.1) -> Tensor:
        largest = net(IMAGES, net.largest)
        teacher = largest.detach() if detached else largest
        hard = F.cross_entropy(largest, LABELS, label_smoothing=smoothing)
        return hard + sum(soft(net(IMAGES, arch), teacher) for arch in archs[1:])

    assert distance(step, gradient(net, lambda n: loss(n, detached=True))) < 1e-5
    assert distance(step, gradient(net, lambda n: loss(n, detached=False))) > 1e-2
    assert distance(step, gradient(net, lambda n: loss(n, detached=True, smoothing=0.0))) > 1e-3


def test_only_the_largest_is_thinned_and_its_dropped_answers_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    net, session = small_cnn(), None
    run: list[tuple[bool, float, float]] = []
    forward = Supernet.forward

    def noted(self: Supernet, x: Tensor, arch: tuple[int, ...], statistics: object = None) -> Tensor:
        if isinstance(arch, DroppingArch):
            run.append((arch == self.largest, arch.drop, arch.dropout))
        else:
            run.append((arch == self.largest, 0.0, 0.0))
        return forward(self, x, arch, statistics)  # type: ignore[arg-type]

    monkeypatch.setattr(Supernet, "forward", noted)
    session = session_of(net)
    session.strategy.step(session, net.task.batch(DATA, DATA.train))
    assert run[0] == (True, 0.2, 0.2)
    assert all(each[1:] == (0.0, 0.0) for each in run[1:])
    assert len(run) == 4


def test_dropping_changes_the_step_and_is_the_same_chance_again() -> None:
    net = small_cnn()
    one, again, without = applied(net), applied(net), applied(net, dropout=0.0, drop_path=0.0)
    assert distance(one[0], again[0]) == 0
    assert one[1] == without[1]
    assert distance(one[0], without[0]) > 1e-3


def test_the_draws_are_those_of_the_sandwich_rule() -> None:
    space = small_cnn().space
    rngs = [np.random.default_rng(4), np.random.default_rng(4)]
    big, sandwich = (
        STRATEGIES.create(name).draws(space, Phase("all"), rng)
        for name, rng in zip(("bignas", "sandwich"), rngs, strict=True)
    )
    assert [d.arch for d in big] == [d.arch for d in sandwich]
    assert big[1:] == sandwich[1:]
    assert big[0] == Draw(
        space.largest, (Term("labels", settings={"smoothing": 0.1}),), drop_path=0.2, dropout=0.2
    )


def test_all_depths_start_equal() -> None:
    """The last scale of every block that repeats a width starts at zero: deeper subnets answer as shallow ones."""
    net = fresh_net()
    assert any(isinstance(stage, BlockStage) and not stage.first for stage in net.chain)
    images = torch.rand(8, 1, 8, 8)
    deep = list(net.largest)
    outputs = []
    for depth in (0, 1):
        for name in ("depth1", "depth2"):
            deep[net.space.position[name]] = depth
        with torch.no_grad():
            outputs.append(net(images, net.space.canonical(deep)))
    assert torch.equal(outputs[0], outputs[1])


def test_its_learning_rate_is_suggested_where_it_is_chosen_and_can_be_set_otherwise() -> None:
    asked = preset_request("digits-cnn", method="bignas")
    config = TrainingConfig.model_validate(asked["training"])
    assert (config.schedule, config.final_share, config.clip) == ("exponential", 0.05, 1.0)
    rates = [learning_rate(config, step, 600, 10) / config.learning_rate for step in range(600)]
    assert rates[-1] == pytest.approx(0.05)
    assert rates[300] < 0.5
    other = with_settings(asked, {"schedule": "cosine"})
    assert TrainingConfig.model_validate(other["training"]).schedule == "cosine"
    plain = preset_request("digits-cnn", method="sandwich")
    assert TrainingConfig.model_validate(plain["training"]).schedule == "cosine"
