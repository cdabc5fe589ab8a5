"""The one epoch and the one run of epochs that every training shares, against what is written out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import nn

from core.errors import CoreError
from core.records import Progress
from core.store import MemoryLedger
from core.tasks.base import Batch
from core.training.epochs import Run, Stretch, train_epoch
from core.training.optimizing import apply_gradients, learning_rate, make_optimizer
from tests.training.small import digits, settings

# --- the rate and the epoch -----------------------------------------------------------------------------------


@examples(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 200),
    per_epoch=st.integers(1, 30),
    warmup=st.floats(0, 10),
    floor=st.floats(0, 1),
    factor=st.floats(0.1, 3),
)
def test_the_rate_rises_then_falls_between_its_floor_and_its_peak(
    steps: int, per_epoch: int, warmup: float, floor: float, factor: float
) -> None:
    config = settings(warmup_epochs=warmup, final_share=floor, learning_rate=0.2)
    rates = [
        learning_rate(config, step, steps, per_epoch, factor=factor) / (0.2 * factor) for step in range(steps)
    ]
    assert all(0 < rate <= 1 + 1e-12 for rate in rates)
    turn = math.ceil(min(warmup * per_epoch, steps / 2))
    assert rates[:turn] == sorted(rates[:turn])
    assert rates[turn:] == sorted(rates[turn:], reverse=True)
    assert all(rate >= floor - 1e-12 for rate in rates[turn:])


@examples(max_examples=40, deadline=None)
@given(clip=st.floats(0.01, 5), rate=st.floats(0.001, 2), seed=st.integers(0, 99))
def test_one_step_of_plain_descent_is_written_out(clip: float, rate: float, seed: int) -> None:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    config = settings(momentum=0.0, weight_decay=0.01, learning_rate=9.0)
    optimizer = make_optimizer(net, config)
    old = [p.detach().clone() for p in net.parameters()]
    for parameter in net.parameters():
        parameter.grad = 3 * torch.randn(parameter.shape)
    kept = [p.grad.clone() for p in net.parameters()]
    apply_gradients(net, optimizer, clip, rate)
    for parameter, before, gradient in zip(net.parameters(), old, kept, strict=True):
        decay = 0.01 * before if before.ndim > 1 else 0 * before
        wanted = before - rate * (gradient.clamp(-clip, clip) + decay)
        torch.testing.assert_close(parameter.detach(), wanted, atol=1e-6, rtol=1e-5)


def test_an_epoch_takes_each_step_once_at_the_rate_of_its_place() -> None:
    dataset, config = digits(), settings(batch_size=32, warmup_epochs=0.0, epochs=5)
    seen: list[tuple[int, int, float]] = []

    def take(step: int, batch: Batch, rate: float) -> float:
        seen.append((step, len(batch), rate))
        return float(step)

    place = Stretch(done=1, length=4, factor=0.5)
    assert list(train_epoch(take, dataset, config, epoch=3, order_seed=9, stretch=place)) == [0.0, 1.0, 2.0]
    rates = [0.05 * 0.5 * (1 + math.cos(math.pi * (3 + step) / 12)) for step in range(3)]
    assert [(step, n) for step, n, _ in seen] == [(0, 32), (1, 32), (2, 32)]
    assert [rate for *_, rate in seen] == pytest.approx(rates)
    seen.clear()
    list(train_epoch(take, dataset, config, epoch=3, order_seed=9))
    assert [rate for *_, rate in seen] == pytest.approx(
        [0.1 * 0.5 * (1 + math.cos(math.pi * (9 + step) / 15)) for step in range(3)]
    )


def test_an_epoch_ends_with_the_loss_that_is_no_number() -> None:
    taken: list[int] = []

    def take(step: int, batch: Batch, rate: float) -> float:
        taken.append(step)
        return math.nan if step == 1 else 0.5

    losses = list(train_epoch(take, digits(), settings(batch_size=24), epoch=0, order_seed=0))
    assert taken == [0, 1]
    assert losses[0] == 0.5
    assert math.isnan(losses[1])


# --- a run of epochs ----------------------------------------------------------------------------------------------


class WatchedLedger(MemoryLedger):
    """Writes down what it is given, in order; refuses one checkpoint if told to."""

    def __init__(self, refuse: int = -1) -> None:
        super().__init__()
        self.said: list[str] = []
        self.refuse = refuse

    def log_metrics(self, step: int, metrics: Any) -> None:
        self.said.append(f"metrics {step}")
        super().log_metrics(step, metrics)

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        if self.refuse == int(data):
            raise CoreError("The disk is full.")
        self.said.append(f"state {int(data)} at {fraction:.2f}")
        super().checkpoint(data, fraction=fraction)


class Toy(Run):
    """One number, pushed by one per step; a step or an epoch may break it."""

    def __init__(self, ledger: WatchedLedger, *, break_weight: int = -1, break_loss: int = -1) -> None:
        self.break_weight, self.break_loss = break_weight, break_loss
        net = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(net.weight)
        super().__init__(net, digits(), settings(epochs=3, batch_size=48), ledger, order_seed=0)
        self.batches: list[tuple[int, ...]] = []

    def take_step(self, step: int, batch: Batch, rate: float) -> float:
        self.batches.append(tuple(batch.ids.tolist()))
        if self.epoch == self.break_loss:
            return math.inf
        with torch.no_grad():
            self.net.weight += 1 if self.epoch != self.break_weight else math.nan
        return float(step)

    def measure(self) -> dict[str, Any]:
        return {"weight": float(self.net.weight.detach())}

    def state(self) -> bytes:
        return str(self.epoch).encode()

    def sentence(self, metrics: dict[str, Any]) -> str:
        return f"{metrics['epoch']}: {metrics['weight']:.0f}"


def messages(run: Iterator[Progress]) -> Iterator[str]:
    return (progress.message for progress in run)


def test_a_run_saves_every_epoch_before_it_tells_of_it() -> None:
    ledger = WatchedLedger()
    run = Toy(ledger)
    for number, progress in enumerate(run.go(), start=1):
        assert progress.message == f"{number}: {2 * number}"
        assert progress.fraction == pytest.approx(number / 3)
        assert progress.metrics["loss"] == 0.5
        assert ledger.said[-1] == f"state {number} at {number / 3:.2f}"
        assert len(ledger.said) == 2 * number
    assert ledger.said[::2] == ["metrics 1", "metrics 2", "metrics 3"]
    assert list(run.go()) == [], "what is trained is not trained again"


def test_a_run_that_goes_on_takes_the_batches_it_would_have_taken() -> None:
    whole, rest = Toy(WatchedLedger()), Toy(WatchedLedger())
    list(whole.go())
    rest.epoch = 1
    assert list(messages(rest.go())) == ["2: 2", "3: 4"]
    assert rest.batches == whole.batches[2:]
    assert len(set(whole.batches)) == 6


@pytest.mark.parametrize(("what", "said"), [("break_loss", "the loss"), ("break_weight", "a weight")])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_run_that_breaks_saves_nothing_of_that_epoch(what: str, said: str, epoch: int) -> None:
    ledger = WatchedLedger()
    run, told = Toy(ledger, **{what: epoch}), []
    with pytest.raises(CoreError, match=f"diverged in epoch {epoch + 1}: {said} is no longer") as failure:
        told.extend(messages(run.go()))
    kept = f"checkpoint of epoch {epoch} is kept" if epoch else "Nothing was saved yet"
    assert kept in str(failure.value)
    assert ledger.said == ["metrics 1", "state 1 at 0.33"][: 2 * epoch]
    assert run.epoch == epoch


def test_an_epoch_that_could_not_be_saved_is_not_told() -> None:
    run = messages(Toy(WatchedLedger(refuse=2)).go())
    assert next(run) == "1: 2"
    with pytest.raises(CoreError, match="disk is full"):
        next(run)
