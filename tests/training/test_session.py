"""The second door: what a step may do, and that what a strategy remembers survives a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import nn

from core.errors import DamagedArtifact
from core.tasks.base import Batch
from core.training.epochs import train_epoch
from core.training.session import Session
from core.training.strategies import Draw, Phase, Strategy, Term
from core.training.supernet_session import NotANumber, SupernetSession
from tests.helpers.nets import small_cnn
from tests.training.small import digest, digits, fresh_net, settings

DATA = digits()
PHASE = Phase("all")


class Steering(Strategy):
    """Everything at once: own parameters and optimizer, a validation batch, an average, a list, a count."""

    name, label, source = "steering", "Steering", "a test"

    def start(self, session: Session) -> None:
        self.pull = nn.Parameter(torch.zeros(2))
        session.optimizers["pull"] = torch.optim.Adam([self.pull], lr=0.1)
        self.average, self.notes, self.steps = np.zeros(2), [0.1], 0

    def step(self, session: Session, batch: Batch) -> float:
        archs = [session.space.smallest, session.space.largest]
        held = session.validation_batch(16, str(self.steps))
        session.zero_grad()
        with torch.no_grad():
            losses = torch.stack(
                [session.sample_losses(session.forward(a, held), held).mean() for a in archs]
            )
        (self.pull.softmax(0) * losses).sum().backward()
        session.update("pull")
        chosen = int(session.rng("which").random() < float(self.pull.detach().softmax(0)[1]))
        value = session.train([Draw(archs[chosen], (Term("labels", 1 + self.average[chosen]),))], batch)[0]
        self.average[chosen] = 0.9 * self.average[chosen] + 0.1 * value
        self.notes, self.steps = [value / 3, *self.notes[:2]], self.steps + 1
        return value

    def state_dict(self) -> dict[str, Any]:
        return {"pull": self.pull.detach(), "average": self.average, "notes": self.notes, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            self.pull.copy_(state["pull"])
        self.average, self.notes, self.steps = state["average"].copy(), state["notes"], state["steps"]


def session_of(strategy: Strategy | None = None, seed: int = 0) -> SupernetSession:
    return SupernetSession(fresh_net(seed), DATA, settings(epochs=4), strategy or Steering(), PHASE)


def train(session: SupernetSession, last: int) -> None:
    """Whole epochs, from where the session stands to the end of the last."""

    def take(step: int, batch: Batch, rate: float) -> float:
        session.step, session.rate = step, rate
        return session.strategy.step(session, batch)

    for epoch in range(session.epoch, last):
        session.epoch = epoch
        list(train_epoch(take, DATA, session.config, epoch=epoch, order_seed=3))
    session.epoch = last


def everything(session: SupernetSession) -> tuple[object, ...]:
    kept = session.strategy.state_dict()
    plain = {k: v.tolist() if isinstance(v, np.ndarray | torch.Tensor) else v for k, v in kept.items()}
    return digest(session.net), plain


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_what_a_strategy_remembers_survives_a_checkpoint_bit_for_bit(cut: int) -> None:
    whole = session_of()
    train(whole, 4)
    first = session_of()
    train(first, cut)
    data = first.dump()
    torch.manual_seed(cut)
    second = session_of(seed=7)
    second.restore(data)
    assert second.epoch == cut
    assert second.dump() == data
    train(second, 4)
    assert everything(second) == everything(whole)
    assert second.dump() == whole.dump()


def test_a_checkpoint_without_the_state_of_its_strategy_is_refused() -> None:
    """Going on with a fresh memory would train something else without a word."""
    plain = session_of(Forgetful())
    train(plain, 1)
    with pytest.raises(DamagedArtifact, match="start the run anew"):
        session_of().restore(plain.dump())
    steering = session_of()
    train(steering, 1)
    with pytest.raises(DamagedArtifact):
        session_of(Forgetful()).restore(steering.dump())


class Forgetful(Steering):
    """The same without a memory."""

    def state_dict(self) -> dict[str, Any]:
        return {}


def test_own_optimizers_keep_their_buffers_under_their_name() -> None:
    session = session_of()
    train(session, 1)
    names = {n for n in load(session.dump()) if n.startswith("optimizers.")}
    assert names == {f"optimizers.pull.0.{field}" for field in ("step", "exp_avg", "exp_avg_sq")}


# --- what a step may ask --------------------------------------------------------------------------


def batch() -> Batch:
    return next(iter(session_of().task.epoch(DATA, batch_size=16, seed=0, epoch=0, augmentation={})))


def test_gradient_norms_of_samples_are_those_of_each_alone() -> None:
    session, one = session_of(), batch()
    outputs = session.forward(session.space.largest, one)
    found = session.sample_gradient_norms(outputs, one)
    right = nn.functional.one_hot(one.targets, 10)
    torch.testing.assert_close(found, (outputs.detach().softmax(1) - right).norm(dim=1))
    assert all(p.grad is None for p in session.net.parameters())


def test_gradient_norms_of_weights_are_those_of_their_gradients() -> None:
    session, one = session_of(), batch()
    loss = session.sample_losses(session.forward(session.space.smallest, one), one).mean()
    assert session.backward(loss) == float(loss.detach())
    found = session.gradient_norms()
    for name, parameter in session.net.named_parameters():
        assert (name in found) == (parameter.grad is not None)
        if name in found:
            assert found[name] == pytest.approx(float(parameter.grad.square().sum().sqrt()), rel=1e-5)
    assert max(found.values()) > 0


def test_a_loss_that_is_no_number_touches_no_gradient() -> None:
    session, one = session_of(), batch()
    outputs = session.forward(session.space.largest, one)
    with pytest.raises(NotANumber):
        session.backward((outputs * torch.inf).sum())
    assert session.gradient_norms() == {}


def test_validation_samples_are_validation_samples_each_at_most_once() -> None:
    session = session_of()
    drawn = [session.validation_batch(32, name) for name in ("a", "a", "b")]
    for one in drawn:
        assert len(one) == len(set(one.ids.tolist())) == 32
        assert set(one.ids.tolist()) <= set(DATA.validation.ids.tolist())
    assert drawn[0].ids.tolist() == drawn[1].ids.tolist() != drawn[2].ids.tolist()
    session.step = 1
    assert session.validation_batch(32, "a").ids.tolist() != drawn[0].ids.tolist()
    assert len(session.validation_batch(10_000)) == len(DATA.validation)


def test_a_loss_that_needs_what_nobody_computed_says_so() -> None:
    session, one = session_of(), batch()
    outputs = session.forward(session.space.smallest, one)
    for name in ("distill_teacher", "distill_largest"):
        with pytest.raises(ValueError, match="needs the outputs of"):
            session.loss((Term(name),), outputs, one, {})
    session.freeze_teacher()
    assert float(session.loss((Term("distill_teacher"),), outputs, one, {}).detach()) > 0


def test_macs_are_the_counted_costs() -> None:
    session = SupernetSession(small_cnn(), DATA, settings(), Steering(), PHASE)
    space = session.space
    found = session.macs([space.smallest, space.largest])
    assert found.tolist() == [
        sum(c.macs for c in session.net.costs(a)) for a in (space.smallest, space.largest)
    ]
