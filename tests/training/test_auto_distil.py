"""AutoDistil: attention is learned from the given network in every sub-space, and labels teach heads alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from core.datasets.base import Dataset
from core.errors import InvalidInput
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.elastic_encoder import ElasticEncoder, ElasticEncoderConfig
from core.supernets.sub_spaces import divided
from core.training.actions import ACTIONS
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.losses.attention_relations import relations
from core.training.strategies import STRATEGIES, Strategy
from core.training.strategies.auto_distil import largest_of, parts_of, smallest_of
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb, random_dataset
from tests.helpers.texts import text_dataset
from tests.training.small import fresh_elastic_vit, fresh_net, with_labels


def encoder(seed: int = 0) -> ElasticEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = ElasticEncoderConfig(
            input_shape=(7,),
            vocabulary=11,
            classes=3,
            widths=(4, 6, 8, 12),
            depths=(1, 2),
            heads=(1, 2, 3),
            head_size=4,
        )
        return disturb(ElasticEncoder(config), seed)  # type: ignore[return-value]


def begun(net: Supernet, data: Dataset, **settings: object) -> SupernetSession:
    strategy: Strategy = STRATEGIES.create("auto_distil", {"parts": 2, **settings})
    made = strategy.supernet_for(net)
    phase = strategy.phases(made.space)[0]
    config = TrainingConfig(strategy="auto_distil", seed=5, learning_rate=0.01, optimizer="adamw")
    session = SupernetSession(made, data, config, strategy, phase)
    session.rate = 0.01
    for name in phase.actions:
        ACTIONS[name](session)
    return session


def gradients(session: SupernetSession, data: Dataset) -> dict[str, torch.Tensor]:
    """Of one step in the first phase; the step itself is not taken."""
    session.update = lambda optimizer="weights": None  # type: ignore[method-assign]
    session.strategy.step(session, session.task.batch(data, data.train))
    return {n: p.grad.clone() for n, p in session.net.named_parameters() if p.grad is not None}


def test_permuting_labels_leaves_the_gradients_as_they_are() -> None:
    data = text_dataset()
    other = with_labels(
        data, {"train": data.train.y[::-1].copy(), "calibration": data.calibration.y[::-1].copy()}
    )
    first, second = (gradients(begun(encoder(), each), each) for each in (data, other))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert max(float(g.abs().max()) for g in first.values()) > 1e-3
    last = len(encoder().chain) - 1
    assert not any(name.startswith(f"stages.{last}.") for name in first), "nothing reaches the heads"


def test_a_step_draws_the_ends_and_random_ones_of_every_sub_space() -> None:
    net = divided(encoder(), 3)
    strategy: Strategy = STRATEGIES.create("auto_distil")
    (phase, head) = strategy.phases(net.space)
    draws = strategy.draws(net.space, phase, np.random.default_rng(0))
    assert strategy.passes(net.space, phase) == len(draws) == 12
    for part in parts_of(net.space):
        own = [draw.arch for draw in draws if draw.arch[0] == part]
        assert own[:2] == [largest_of(net.space, part), smallest_of(net.space, part)]
        assert len(own) == 4
        costs = {arch: sum(c.counted["params"] for c in net.costs(arch)) for arch in own}
        assert min(costs.values()) == costs[own[1]] <= max(costs.values()) == costs[own[0]]
    assert head.name == "head"
    assert {term.loss for draw in draws for term in draw.losses} == {"attention_relations"}


def test_relation_matrices_have_the_teachers_shape_whatever_the_student() -> None:
    data = text_dataset()
    net = divided(encoder(), 3)
    batch = net.task.batch(data, data.train)
    shapes = set()
    for row in net.space.sample_array(30, np.random.default_rng(1)).tolist():
        arch = tuple(row)
        with torch.no_grad():
            made = net.last_attention(batch.inputs, net.activations(batch.inputs, arch), arch)
        shapes |= {tuple(relations(each, 4).shape) for each in made[:3]}
        assert made.query.shape[2] == 4 * net.division._base.option(net.division.in_base(arch), "heads1")
    assert shapes == {(48, 4, 7, 7)}


@pytest.mark.slow
def test_the_largest_has_nothing_to_learn_and_the_others_come_closer() -> None:
    data = text_dataset(96)
    session = begun(encoder(), data)
    batch = session.task.batch(data, data.validation)

    def losses() -> list[float]:
        found = []
        terms = session.strategy.draws(session.space, session.phase, np.random.default_rng(0))[0].losses
        for part in (0, 1):
            arch = smallest_of(session.space, part)
            flows = session.net.activations(batch.inputs, arch)
            made = session.net.last_attention(batch.inputs, flows, arch)
            found.append(float(session.loss(terms, flows[-1], batch, {}, attention=made).detach()))
        return found

    drawn = session.strategy.draws(session.space, session.phase, np.random.default_rng(0))
    (whole,) = (draw for draw in drawn if draw.arch == session.space.largest)
    session.update = lambda optimizer="weights": None  # type: ignore[method-assign]
    assert session.train([whole], batch)[0] < 1e-8, "it is the teacher"
    del session.update
    before = losses()
    for epoch in range(8):
        for step, each in enumerate(
            session.task.epoch(data, batch_size=24, seed=0, epoch=epoch, augmentation={})
        ):
            session.epoch, session.step = epoch, step
            session.strategy.step(session, each)
    assert all(after < 0.7 * first for first, after in zip(before, losses(), strict=True))


def test_at_the_end_labels_teach_the_heads_and_nothing_else() -> None:
    data = text_dataset(96)
    session = begun(encoder(), data)
    session.phase = session.strategy.phases(session.space)[1]
    before = copy.deepcopy(session.net.state_dict())
    session.strategy.step(session, session.task.batch(data, data.train))
    last = len(session.net.chain) - 1
    moved = {name for name, t in session.net.state_dict().items() if not torch.equal(t, before[name])}
    assert moved
    assert all(name.startswith(f"stages.{last}.") for name in moved)
    assert {name.split(".")[3] for name in moved} == {"0", "1"}


@pytest.mark.parametrize("make", [encoder, fresh_elastic_vit])
def test_a_training_returns_the_sub_spaces_as_one_supernet(make) -> None:
    net = make()
    data = text_dataset() if net.task_name == "tokens" else random_dataset(input_shape=(1, 8, 8))
    ledger = MemoryLedger()
    config = TrainingConfig(
        strategy="auto_distil", strategy_config={"parts": 2}, epochs=3, batch_size=16, optimizer="adamw"
    )
    work = train(net, data, config, ledger)
    while True:
        try:
            next(work)
        except StopIteration as end:
            made = end.value
            break
    assert made.name == f"{'text' if net.task_name == 'tokens' else 'image'}_sub_spaces"
    assert [row["phase"] for row in ledger.metrics()] == ["relations", "relations", "head"]
    assert {net.space.size > made.space.size, len(parts_of(made.space)) == 2} == {True}


@pytest.mark.slow
def test_heads_learn_what_the_labels_say_over_an_encoder_that_never_saw_them() -> None:
    """A trained network's attention, imitated without labels, carries enough for heads to answer above chance."""
    data = text_dataset(144)
    settings = {"epochs": 24, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.02}
    given = encoder()
    list(train(given, data, TrainingConfig(strategy="largest_alone", **settings), MemoryLedger()))
    ledger = MemoryLedger()
    config = TrainingConfig(
        strategy="auto_distil", strategy_config={"parts": 2, "head_share": 0.4}, **settings
    )
    list(train(copy.deepcopy(given), data, config, ledger))
    last = ledger.metrics()[-1]
    assert last["largest"] > 0.8
    assert last["smallest"] > 0.4  # chance is a third


def test_what_has_no_attention_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(
        InvalidInput, match=r"^AutoDistil compares self-attention, .* has none\. Choose another"
    ):
        list(train(fresh_net(), random_dataset(), TrainingConfig(strategy="auto_distil"), MemoryLedger()))
    with pytest.raises(InvalidInput, match=r"at least 5 widths"):
        begun(encoder(), text_dataset(), parts=5)
