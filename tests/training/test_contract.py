"""What any strategy may ask of a training: parts of a batch, an order of the samples, another supernet in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.spaces import SearchSpace
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch, faded
from core.tasks.base import Batch, task_of
from core.training import loop
from core.training.actions import ACTIONS, action
from core.training.loop import SupernetRun, train
from core.training.session import WEIGHTS, Session
from core.training.strategies import STRATEGIES, Draw, Phase, Strategy
from core.training.supernet_session import SupernetSession
from tests.training.small import (
    RecordingLedger,
    digest,
    digits,
    fresh_net,
    net_for,
    settings,
    trained_often,
    weights,
)


class Given(Strategy):
    """Draws what it is given."""

    name, label, source = "given", "Given", "a test"
    given: tuple[Draw, ...] = ()

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        return list(self.given) or [Draw(phase.sample(space, rng))]


def use(monkeypatch: pytest.MonkeyPatch, strategy: type[Strategy]) -> None:
    class Only:
        @staticmethod
        def create(name: str, config: Mapping[str, Any]) -> Strategy:
            return strategy()

    monkeypatch.setattr(loop, "STRATEGIES", Only)


def gradients(net: Supernet, draws: list[Draw], batch: Batch) -> dict[str, torch.Tensor]:
    """Of one step, as the session takes it."""
    config = settings(clip=0.0, momentum=0.0, weight_decay=0.0)
    session = SupernetSession(net, digits(), config, Given(), Phase("all"))
    session.rate = 0.0
    session.train(draws, batch)
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def one_batch() -> Batch:
    data = digits()
    return next(task_of(data).epoch(data, batch_size=32, seed=0, epoch=0, augmentation={}))


# --- parts of a batch -----------------------------------------------------------------------------------


def test_a_part_of_a_batch_teaches_what_these_samples_alone_teach() -> None:
    batch = one_batch()
    archs = [fresh_net().space.sample(np.random.default_rng(i)) for i in range(2)]
    together = gradients(fresh_net(), [Draw(a, part=(i, 2)) for i, a in enumerate(archs)], batch)
    halves = [
        Batch(batch.inputs[rows], batch.targets[rows], batch.ids[rows])
        for rows in (slice(0, 16), slice(16, 32))
    ]
    apart = [gradients(fresh_net(), [Draw(a)], half) for a, half in zip(archs, halves, strict=True)]
    for name, found in together.items():
        expected = sum(g[name] for g in apart if name in g) / 2
        torch.testing.assert_close(found, expected)


def test_parts_are_counted_as_parts() -> None:
    net, batch = fresh_net(), one_batch()
    session = SupernetSession(net, digits(), settings(), Given(), Phase("all"))
    session.train(
        [Draw(net.space.largest, part=(i, 4)) for i in range(4)] + [Draw(net.space.smallest)], batch
    )
    assert session.passes == pytest.approx(2.0)
    with torch.no_grad():
        session.forward(net.space.largest, batch)
    assert session.passes == pytest.approx(2.0)
    assert [arch for arch, _ in session.drawn] == [net.space.largest] * 4 + [net.space.smallest]
    assert all(np.isfinite(loss) for _, loss in session.drawn)


def test_a_batch_that_cannot_be_divided_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"^32 samples cannot be divided into 64 parts"):
        one_batch().part(0, 64)
    graph = load_dataset("generated_graph", nodes=200, calibration=32, labels=8)
    batch = next(task_of(graph).epoch(graph, batch_size=16, seed=0, epoch=0, augmentation={}))
    with pytest.raises(InvalidInput, match="cannot be divided"):
        batch.part(0, 2)


# --- passes that a strategy promises --------------------------------------------------------------------


@pytest.mark.parametrize("name", trained_often(*STRATEGIES.names()))
def test_a_training_takes_as_many_passes_as_its_strategy_says(name: str) -> None:
    run = SupernetRun(net_for(name), digits(), settings(strategy=name, epochs=6), MemoryLedger())
    phases = zip(run.phases, run.lengths, strict=True)
    strategy, space = run.session.strategy, run.supernet.space
    said = sum(
        strategy.passes(space, p) * n * run.steps + strategy.samples_at_start(space, p) / 32
        for p, n in phases
    )
    list(run.go())
    assert run.session.passes == pytest.approx(said, rel=0.1)


# --- the order of the samples ---------------------------------------------------------------------------


def test_an_epoch_takes_the_rows_its_strategy_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []

    class Ordered(Given):
        def order(self, session: Session, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
            return rng.integers(0, n // 2, n)

        def passes(self, space: SearchSpace, phase: Phase) -> float:
            return 1.0

        def step(self, session: Session, batch: Batch) -> float:
            seen.append(batch.ids.tolist())
            return super().step(session, batch)

    use(monkeypatch, Ordered)
    data = digits()
    list(train(fresh_net(), data, settings(epochs=2), MemoryLedger()))
    allowed = set(data.train.ids[: len(data.train) // 2].tolist())
    assert len(seen) == 6
    assert all(set(ids) <= allowed for ids in seen)
    assert len(set(seen[0])) < len(seen[0])  # drawn with repeats
    assert seen[:3] != seen[3:]


# --- another supernet in its place ----------------------------------------------------------------------

if "test_exchange" not in ACTIONS:

    @action("test_exchange")
    def exchange(session: Session) -> None:
        """A supernet without kernel transforms takes the place of one with them."""
        other = fresh_net(seed=7, kernel_transform=False)
        other.load_state_dict({n: t for n, t in session.net.state_dict().items() if ".transforms." not in n})
        session.replace(other, {name: name for name, _ in other.named_parameters()})


class Exchanging(Given):
    def phases(self, space: SearchSpace) -> list[Phase]:
        return [Phase("before", 0.5), Phase("after", 0.5, actions=("test_exchange",))]


def finish(ledger: MemoryLedger, net: Supernet) -> Supernet:
    work = train(net, digits(), settings(epochs=6), ledger)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.mark.slow
def test_another_supernet_may_take_the_place_and_resumes_as_if_never_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Exchanging)
    ledger = RecordingLedger()
    whole = finish(ledger, fresh_net())
    assert not whole.config.kernel_transform
    for cut in range(1, 6):
        again = RecordingLedger()
        again.checkpoint(ledger.checkpoints[cut - 1], fraction=cut / 6)
        found = finish(again, fresh_net(seed=cut + 10))
        assert digest(found) == digest(whole)
        assert again.checkpoints[1:] == ledger.checkpoints[cut:]


def test_momentum_is_carried_over_where_asked_and_nowhere_else() -> None:
    net, batch = fresh_net(), one_batch()
    session = SupernetSession(net, digits(), settings(), Given(), Phase("all"))
    session.train([Draw(net.space.largest)], batch)
    state = session.optimizers[WEIGHTS].state
    name, parameter = next((n, p) for n, p in net.named_parameters() if state.get(p))
    before = state[parameter]["momentum_buffer"]
    other = fresh_net(seed=1)
    session.replace(other, {name: name})
    state = session.optimizers[WEIGHTS].state
    kept = dict(other.named_parameters())[name]
    assert torch.equal(state[kept]["momentum_buffer"], before)
    assert state[kept]["momentum_buffer"] is not before
    assert len(state) == 1


def test_a_supernet_of_another_space_is_refused() -> None:
    session = SupernetSession(fresh_net(), digits(), settings(), Given(), Phase("all"))
    other = type(fresh_net())(fresh_net().config.model_copy(update={"groups": fresh_net().config.groups[:1]}))
    with pytest.raises(ValueError, match="same space"):
        session.replace(other)
    assert session.net.space == fresh_net().space


# --- noise of one draw ----------------------------------------------------------------------------------


def test_dropped_features_keep_their_expectation_and_plain_ones_stay() -> None:
    x = torch.ones(4000, 3)
    arch = DroppingArch.of((0, 0), 0.0, torch.Generator().manual_seed(0), dropout=0.25)
    found = faded(x, arch)
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(found.mean()) == pytest.approx(1.0, abs=0.02)
    assert faded(x, (0, 0)) is x
    with pytest.raises(ValueError, match="at least 0"):
        DroppingArch.of((0,), 0.0, torch.Generator(), dropout=1.0)


def test_noise_is_of_the_draw_that_asks_for_it() -> None:
    seen: list[Any] = []
    net = fresh_net()
    forward = net.forward
    net.forward = lambda x, arch, statistics=None: (seen.append(arch), forward(x, arch, statistics))[1]  # type: ignore[method-assign]
    session = SupernetSession(net, digits(), settings(), Given(), Phase("all"))
    draws = [Draw(net.space.largest, drop_path=0.1, dropout=0.2), Draw(net.space.smallest)]
    before = weights(net)
    session.train(draws, one_batch())
    assert isinstance(seen[0], DroppingArch)
    assert (seen[0].drop, seen[0].dropout) == (0.1, 0.2)
    assert not isinstance(seen[1], DroppingArch)
    assert any((before[n] != w).any() for n, w in weights(net).items())
