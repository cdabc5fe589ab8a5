"""A session on a graph and on texts, several optimizers and actions, each against what is written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core.datasets import load_dataset
from core.supernets.families import FAMILIES
from core.tasks.base import Batch, task_of
from core.training import actions
from core.training.config import TrainingConfig
from core.training.session import WEIGHTS, Session
from core.training.strategies import Draw, Phase, Strategy, Term
from core.training.supernet_session import SupernetSession
from tests.helpers.nets import disturb
from tests.training.small import digest, digits

DATA = {
    "elastic_cnn": lambda: digits(),
    "elastic_encoder": lambda: load_dataset("commands", texts=300, calibration=32),
    "elastic_gcn": lambda: load_dataset("generated_graph", nodes=200, calibration=32, labels=8),
}
RAW = {"augmentation": {}}


class TwoOptimizers(Strategy):
    """Two parameters of its own, each with an optimizer of its own."""

    name, label, source = "two_optimizers", "Two optimizers", "a test"

    def start(self, session: Session) -> None:
        self.one, self.two = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
        session.optimizers["one"] = torch.optim.SGD([self.one], lr=0.5)
        session.optimizers["two"] = torch.optim.SGD([self.two], lr=0.25)


def session_of(family: str, **changes: Any) -> SupernetSession:
    dataset = DATA[family]()
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    net = disturb(cls(cls.Config.model_validate(task_of(dataset).settings_from(dataset))))
    given = TrainingConfig.model_validate({"epochs": 2, "batch_size": 16, "seed": 3, **RAW, **changes})
    return SupernetSession(net, dataset, given, TwoOptimizers(), Phase("all"))


@pytest.fixture(params=DATA)
def session(request: pytest.FixtureRequest) -> SupernetSession:
    return session_of(request.param)


def first(session: SupernetSession, size: int = 8) -> Batch:
    task = session.task
    return next(task.epoch(session.dataset, batch_size=size, seed=0, epoch=0, augmentation={}))


# --- samples --------------------------------------------------------------------------------------------


def test_losses_of_samples_are_those_of_each_alone(session: SupernetSession) -> None:
    batch = first(session)
    outputs = session.forward(session.space.largest, batch)
    assert outputs.shape == (8, session.net.classes)
    assert outputs.requires_grad
    found = session.sample_losses(outputs, batch)
    logs = outputs.detach() - outputs.detach().logsumexp(1, keepdim=True)
    by_hand = torch.stack([-logs[row, int(target)] for row, target in enumerate(batch.targets)])
    torch.testing.assert_close(found.detach(), by_hand)


def test_smoothing_is_for_training_and_not_for_looking_at_samples() -> None:
    plain, smooth = session_of("elastic_encoder"), session_of("elastic_encoder", label_smoothing=0.4)
    batch = first(plain)
    outputs = plain.forward(plain.space.largest, batch).detach()
    assert torch.equal(plain.sample_losses(outputs, batch), smooth.sample_losses(outputs, batch))
    terms = (Term("labels"),)
    one, other = (float(s.loss(terms, outputs, batch, {})) for s in (plain, smooth))
    shares = 0.6 * nn.functional.one_hot(batch.targets, plain.net.classes) + 0.4 / plain.net.classes
    assert one == pytest.approx(float(plain.sample_losses(outputs, batch).mean()), rel=1e-5)
    assert other == pytest.approx(float(-(shares * outputs.log_softmax(1)).sum(1).mean()), rel=1e-5)


def test_norms_of_samples_are_their_own_gradients_and_leave_no_trace(session: SupernetSession) -> None:
    batch = first(session)
    outputs = session.forward(session.space.smallest, batch)
    found = session.sample_gradient_norms(outputs, batch)
    for row, target in enumerate(batch.targets):
        alone = outputs[row : row + 1].detach().requires_grad_(True)
        nn.functional.cross_entropy(alone, target[None]).backward()
        assert float(found[row]) == pytest.approx(float(alone.grad.norm()), rel=1e-4, abs=1e-6)
    assert session.gradient_norms() == {}
    # The graph of the outputs is still there to learn from.
    session.backward(session.sample_losses(outputs, batch).mean())
    assert session.gradient_norms()


def test_gradients_of_a_step_are_autograds(session: SupernetSession) -> None:
    batch, arch = first(session), session.space.largest
    session.backward(session.loss((Term("labels", 0.5),), session.forward(arch, batch), batch, {}))
    found = session.gradient_norms()
    mean = nn.functional.cross_entropy(batch.counted(session.net(batch.inputs, arch)), batch.targets)
    named = dict(session.net.named_parameters())
    wanted = torch.autograd.grad(0.5 * mean, list(named.values()), allow_unused=True)
    for (name, _), gradient in zip(named.items(), wanted, strict=True):
        assert (name in found) == (gradient is not None)
        if gradient is not None:
            assert found[name] == pytest.approx(float(gradient.norm()), rel=1e-4, abs=1e-7)


def test_gradients_add_up_until_they_are_forgotten(session: SupernetSession) -> None:
    batch, arch = first(session), session.space.largest
    for _ in range(2):
        session.backward(session.sample_losses(session.forward(arch, batch), batch).mean())
    twice = session.gradient_norms()
    session.zero_grad()
    assert session.gradient_norms() == {}
    session.backward(session.sample_losses(session.forward(arch, batch), batch).mean())
    for name, norm in session.gradient_norms().items():
        assert twice[name] == pytest.approx(2 * norm, rel=1e-4, abs=1e-7)


# --- validation samples -------------------------------------------------------------------------------------


def test_validation_batches_hold_validation_samples_as_they_are(session: SupernetSession) -> None:
    whole, task = session.dataset.validation, session.task
    known = task.batch(session.dataset, whole)
    row_of = {int(number): row for row, number in enumerate(known.ids)}
    drawn = session.validation_batch(11, "a")
    assert len(set(drawn.ids.tolist())) == len(drawn) == 11
    assert set(drawn.ids.tolist()) <= set(row_of)
    rows = [row_of[int(number)] for number in drawn.ids]
    assert torch.equal(drawn.targets, known.targets[rows])
    arch = session.space.largest
    with torch.no_grad():
        statistics = session.net.calibrate_on(arch, session.dataset)
        part = drawn.counted(session.net(drawn.inputs, arch, statistics))
        every = known.counted(session.net(known.inputs, arch, statistics))
    torch.testing.assert_close(part, every[rows], atol=1e-4, rtol=1e-4)


def test_a_batch_larger_than_the_split_is_the_split_once(session: SupernetSession) -> None:
    drawn = session.validation_batch(10**6)
    assert sorted(drawn.ids.tolist()) == sorted(session.dataset.validation.ids.tolist())


def test_validation_draws_depend_on_seed_epoch_step_and_name(session: SupernetSession) -> None:
    def ids(name: str = "a", epoch: int = 0, step: int = 0) -> tuple[int, ...]:
        session.epoch, session.step = epoch, step
        torch.manual_seed(step)
        return tuple(sorted(session.validation_batch(12, name).ids.tolist()))

    assert ids() == ids()
    assert len({ids(), ids("b"), ids(epoch=1), ids(step=1)}) == 4
    before = ids()
    session.seed = 4
    assert ids() != before


# --- optimizers -------------------------------------------------------------------------------------------------


def test_each_optimizer_moves_its_own_parameters_and_no_others(session: SupernetSession) -> None:
    strategy, batch = session.strategy, first(session)
    assert isinstance(strategy, TwoOptimizers)
    before = digest(session.net)
    loss = session.sample_losses(session.forward(session.space.largest, batch), batch).mean()
    session.backward(loss * strategy.one.prod() + strategy.two.sum())
    session.update("two")
    assert strategy.two.tolist() == [0.75, 0.75]
    assert strategy.one.tolist() == [1, 1, 1]
    assert digest(session.net) == before
    session.update("one")
    assert strategy.one[0].item() == pytest.approx(1 - 0.5 * float(loss.detach()), rel=1e-5)
    assert digest(session.net) == before
    session.update()
    assert digest(session.net) != before
    assert strategy.two.tolist() == [0.75, 0.75]


def test_forgetting_gradients_reaches_a_strategys_own_parameters(session: SupernetSession) -> None:
    strategy = session.strategy
    assert isinstance(strategy, TwoOptimizers)
    session.backward(strategy.one.sum() + strategy.two.sum())
    session.zero_grad()
    session.update("one")
    session.update("two")
    assert strategy.one.tolist() == [1, 1, 1]
    assert strategy.two.tolist() == [1, 1]


def test_the_weights_go_at_the_scheduled_rate_and_clipped_others_as_they_are() -> None:
    session = session_of("elastic_gcn", clip=0.01, momentum=0.0, weight_decay=0.0)
    strategy, batch = session.strategy, first(session)
    assert isinstance(strategy, TwoOptimizers)
    session.rate = 0.125
    old = {name: p.detach().clone() for name, p in session.net.named_parameters()}
    loss = 50 * session.sample_losses(session.forward(session.space.largest, batch), batch).mean()
    session.backward(loss + 100 * strategy.one.sum())
    gradients = {n: p.grad.clone() for n, p in session.net.named_parameters() if p.grad is not None}
    session.update()
    session.update("one")
    assert strategy.one.tolist() == [-49, -49, -49]
    clipped = 0
    for name, parameter in session.net.named_parameters():
        if name in gradients:
            wanted = old[name] - 0.125 * gradients[name].clamp(-0.01, 0.01)
            torch.testing.assert_close(parameter.detach(), wanted, atol=1e-7, rtol=1e-5)
            clipped += int((gradients[name].abs() > 0.01).sum())
    assert clipped > 20


def test_a_step_of_the_first_door_is_the_sum_of_its_draws(session: SupernetSession) -> None:
    """Written out with autograd: labels for the largest, labels and imitation for the smallest."""
    batch, space = first(session), session.space
    net = session.net
    big = batch.counted(net(batch.inputs, space.largest))
    small = batch.counted(net(batch.inputs, space.smallest))
    imitation = -(big.detach().softmax(1) * small.log_softmax(1)).sum(1).mean()
    labels = nn.functional.cross_entropy
    values = [labels(big, batch.targets), 0.25 * labels(small, batch.targets) + 2 * imitation]
    named = dict(net.named_parameters())
    wanted = torch.autograd.grad(values[0] + values[1], list(named.values()), allow_unused=True)
    draws = [
        Draw(space.largest, (Term("labels"),)),
        Draw(space.smallest, (Term("labels", 0.25), Term("distill_largest", 2.0))),
    ]
    session.optimizers[WEIGHTS] = torch.optim.SGD(net.parameters(), lr=0.0)
    session.rate = 0.0
    session.config = session.config.model_copy(update={"clip": 0.0})
    found = session.train(draws, batch)
    assert found == pytest.approx([float(v.detach()) for v in values], rel=1e-4)
    for (name, parameter), gradient in zip(named.items(), wanted, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_a_draw_without_a_loss_is_a_mistake(session: SupernetSession) -> None:
    batch = first(session)
    with pytest.raises(ValueError, match="at least one loss"):
        session.train([Draw(session.space.largest, ())], batch)


def test_the_teacher_stays_and_is_asked_anew_for_each_batch(session: SupernetSession) -> None:
    session.freeze_teacher()
    assert session.teacher is not None
    kept = digest(session.teacher)
    assert not any(p.requires_grad for p in session.teacher.parameters())
    terms = (Term("kl", 1.0, {"teacher": "teacher"}),)
    for seed in (0, 1):
        batch = next(session.task.epoch(session.dataset, batch_size=8, seed=seed, epoch=0, augmentation={}))
        outputs = session.forward(session.space.largest, batch)
        assert float(session.loss(terms, outputs, batch, {}).detach()) == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        for parameter in session.net.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    outputs = session.forward(session.space.largest, batch)
    assert float(session.loss(terms, outputs, batch, {}).detach()) > 1e-3
    assert digest(session.teacher) == kept


# --- actions ----------------------------------------------------------------------------------------------------


def test_an_action_has_one_name_and_a_second_of_that_name_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "ACTIONS", dict(actions.ACTIONS))
    done: list[Session] = []

    @actions.action("mark")
    def mark(session: Session) -> None:
        done.append(session)

    assert actions.ACTIONS["mark"] is mark
    with pytest.raises(ValueError, match="'mark' is registered twice"):
        actions.action("mark")(lambda session: None)
    assert actions.ACTIONS["mark"] is mark, "the first one stays"


def test_sorting_channels_forgets_the_momentum_of_the_weights_alone() -> None:
    session = session_of("elastic_cnn")
    strategy, batch = session.strategy, first(session)
    assert isinstance(strategy, TwoOptimizers)
    session.optimizers["one"] = torch.optim.SGD([strategy.one], lr=0.1, momentum=0.9)
    session.backward(
        session.sample_losses(session.forward(session.space.largest, batch), batch).mean()
        + strategy.one.sum()
    )
    session.update()
    session.update("one")
    assert session.optimizers[WEIGHTS].state
    with torch.no_grad():
        before = session.net(batch.inputs, session.space.largest)
        actions.ACTIONS["sort_channels"](session)
        after = session.net(batch.inputs, session.space.largest)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    assert not session.optimizers[WEIGHTS].state
    assert session.optimizers["one"].state
