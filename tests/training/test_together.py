"""Several processes that train one supernet equal one process with the whole batch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import CoreError, InvalidInput
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.drop_path import DroppingArch, faded, thinned
from core.tasks.base import Batch, Mixed
from core.training import whole_batch
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.together import SharedStep, ours
from tests.helpers.together import Threads, apart, double, in_threads
from tests.training.small import digits, fresh_elastic_vit, fresh_net, settings

N = 33
"""Odd, so that shares are unequal."""


def trained(net: Supernet, config: TrainingConfig, **more: Any) -> tuple[Supernet, MemoryLedger]:
    ledger = MemoryLedger()
    list(train(net.double(), double(digits(4 * N)), config, ledger, **more))
    return net, ledger


def shared(
    make: Any, config: TrainingConfig, size: int = 2, **more: Any
) -> list[tuple[Supernet, MemoryLedger]]:
    nets = [make() for _ in range(size)]
    return in_threads(size, lambda us: trained(nets[us.rank], config, **more))


HARD: dict[str, Any] = {
    "batch_size": N,
    "epochs": 2,
    "ema": 0.9,
    "mixup": 0.4,
    "label_smoothing": 0.1,
    "clip_norm": 0.5,
    "augmentation": {"shift": 1, "shifted_share": 0.5, "flip": True},
}


@pytest.mark.slow
@pytest.mark.parametrize("make", [fresh_net, fresh_elastic_vit])
def test_equal_to_one_process(make: Any) -> None:
    config = settings(strategy="sandwich", **HARD)
    alone, ledger = trained(make(), config)
    (first, said), (second, silent) = shared(make, config)
    assert apart(alone, first) < 1e-12
    assert apart(first, second) == 0
    losses = [[row["loss"] for row in each.metrics()] for each in (ledger, said)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert [row["passes"] for row in ledger.metrics()] == [row["passes"] for row in said.metrics()]
    assert "smallest" in said.metrics()[-1]
    assert "smallest" not in silent.metrics()[-1], "the first process alone measures"


@pytest.mark.slow
def test_three_processes_with_dropped_paths() -> None:
    """BigNAS drops paths and features of the largest subnet; each sample loses what it loses in one process."""
    config = settings(strategy="bignas", strategy_config={"drop_path": 0.3, "dropout": 0.2}, **HARD)
    alone, _ = trained(fresh_net(), config)
    nets = shared(fresh_net, config, 3)
    assert max(apart(alone, net) for net, _ in nets) < 1e-12


def test_chance_of_a_share_is_its_rows_of_the_whole() -> None:
    x = torch.ones(7, 3, dtype=torch.float64)

    def dropped(function: Any, rows: slice, share: tuple[int, int] | None) -> Tensor:
        arch = DroppingArch.of((0,), 0.5, torch.Generator().manual_seed(1), dropout=0.5)
        arch.share = share
        found: Tensor = function(x[rows], arch)
        return found

    for function in (thinned, faded):
        whole = dropped(function, slice(7), None)
        assert 0 < (whole == 0).sum() < 21
        assert torch.equal(whole[2:5], dropped(function, slice(2, 5), (2, 7)))


def test_batch_norm_is_that_of_all_shares() -> None:
    torch.manual_seed(0)
    x, gradient = (torch.randn(7, 3, 2, 2, dtype=torch.float64) * 3 + 50 for _ in range(2))
    scale, offset = torch.rand(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64)

    def run(rows: slice, norm: Any) -> list[Tensor]:
        given = [x[rows].clone(), scale.clone(), offset.clone()]
        for each in given:
            each.requires_grad_(True)
        out = norm(*given)
        out.backward(gradient[rows])
        return [out.detach(), *(each.grad for each in given)]  # type: ignore[misc]

    want = run(slice(7), lambda a, w, b: F.batch_norm(a, None, None, w, b, training=True, eps=1e-5))
    rows = [slice(0, 2), slice(2, 7)]
    parts = in_threads(
        2,
        lambda us: run(
            rows[us.rank], lambda a, w, b: whole_batch.normalized(a, w, b, 1e-5, us.gathered, us.add_up)
        ),
    )
    for place in (0, 1):  # outputs and gradients of the inputs
        assert torch.cat([part[place] for part in parts]) == pytest.approx(want[place], rel=1e-11, abs=1e-12)
    for place in (2, 3):
        assert sum(part[place] for part in parts) == pytest.approx(want[place], rel=1e-10)


def test_shares_are_all_rows_in_order_and_nearly_equal() -> None:
    batch = Batch(torch.arange(8.0), torch.arange(8), torch.arange(8), Mixed(torch.arange(8).flip(0), 0.3))
    shares = in_threads(3, lambda us: us.share(batch))
    assert [len(share.batch) for share in shares] == [2, 3, 3]
    assert torch.cat([share.batch.targets for share in shares]).tolist() == list(range(8))
    assert torch.cat([share.batch.mixed.targets for share in shares]).tolist() == list(range(8))[::-1]
    assert [(share.start, share.of) for share in shares] == [(0, 8), (2, 8), (5, 8)]
    assert sum(share.weight for share in shares) == 1


def test_more_processes_than_samples_are_refused() -> None:
    config = settings(strategy="uniform", batch_size=2, epochs=1)
    with pytest.raises(InvalidInput, match="choose larger batches or fewer processes"):
        shared(fresh_net, config, 3)


def test_one_exchange_of_gradients_after_the_last_draw() -> None:
    """A transformer has no BatchNorm: what is exchanged is one sum per step, and the few things said per epoch."""
    config = settings(strategy="sandwich", batch_size=N, epochs=1)
    counts = in_threads(2, lambda us: (trained(fresh_elastic_vit(), config), us.exchanges)[1])
    # 4 steps; the first one's state, whether to begin the epoch, whether the weights are equal after it.
    assert counts == [4 + 3, 4 + 3]


def test_alone_nothing_is_shared() -> None:
    assert ours() is None
    trained(fresh_net(), settings(strategy="uniform", batch_size=N, epochs=1))
    assert ours() is None


# --- stopping, resuming, failing -----------------------------------------------------------------------------------


class Asked:
    """Ends a training of the first process as soon as it is asked within the second epoch."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, epochs: int) -> bool:
        self.times += 1
        return epochs == 1


@pytest.mark.slow
def test_all_stop_with_the_epoch_in_which_the_first_was_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.epochs._YIELD_SECONDS", 0.0)
    config = settings(strategy="sandwich", batch_size=N, epochs=3)
    one, _ = trained(fresh_net(), config, stop=lambda epochs: epochs == 1)
    nets = [fresh_net() for _ in range(2)]
    calm = Asked()

    def work(us: Threads) -> tuple[Supernet, MemoryLedger]:
        # The first is asked only once it is within the second epoch; the other never.
        seen = {"times": 0}

        def stop(epochs: int) -> bool:
            seen["times"] += epochs == 1
            return seen["times"] > 2

        return trained(nets[us.rank], config, stop=stop if us.first else calm)

    (first, ledger), (second, _) = in_threads(2, work)
    assert len(ledger.metrics()) == 1
    assert apart(first, one) < 1e-12
    assert apart(first, second) == 0
    assert calm.times == 0, "only the first process is asked"


@pytest.mark.slow
def test_all_go_on_from_the_first_ones_checkpoint() -> None:
    config = settings(strategy="progressive_shrinking", batch_size=N, epochs=4)
    whole, _ = trained(fresh_net(), config)
    ledgers = [MemoryLedger(), MemoryLedger()]
    data = double(digits(4 * N))

    def go_on(epochs: int) -> list[Supernet]:
        nets = [
            fresh_net(seed).double() for seed in (0, 1)
        ]  # the second one's weights are others, and are not used

        def work(us: Threads) -> None:
            list(train(nets[us.rank], data, config, ledgers[us.rank], stop=lambda done: done >= epochs))

        in_threads(2, work)
        return nets

    go_on(2)
    nets = go_on(4)
    assert apart(whole, nets[0]) < 1e-12
    assert apart(nets[0], nets[1]) == 0


def test_a_loss_that_is_no_number_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    learn = SharedStep.learn

    def broken(self: SharedStep, loss: Tensor, passes: float, mine: Batch) -> None:
        learn(self, loss * (math.nan if self._together.rank == 1 else 1.0), passes, mine)

    monkeypatch.setattr(SharedStep, "learn", broken)
    failures = []
    nets = [fresh_net() for _ in range(2)]

    def work(us: Threads) -> None:
        try:
            trained(nets[us.rank], settings(strategy="sandwich", batch_size=N, epochs=1))
        except Exception as error:
            failures.append(str(error))

    in_threads(2, work)
    assert len(failures) == 2
    assert all("diverged in epoch 1" in said for said in failures)


def test_weights_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on machines of several kinds."""
    finish = SharedStep.finish

    def otherwise(self: SharedStep, parameters: Iterable[nn.Parameter]) -> list[float]:
        mine = list(parameters)
        found = finish(self, mine)
        if self._together.rank:
            mine[0].grad.mul_(1 + 1e-9)  # type: ignore[union-attr]
        return found

    monkeypatch.setattr(SharedStep, "finish", otherwise)
    with pytest.raises(CoreError, match="no longer have the same weights"):
        shared(fresh_net, settings(strategy="uniform", batch_size=N, epochs=1))
