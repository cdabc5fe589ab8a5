"""The optimizer's part and the teacher of a checkpoint: what does not fit the parameters is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from core.errors import DamagedArtifact
from core.training import checkpoint
from core.training.loop import train
from core.training.optimizing import make_optimizer
from core.training.session import WEIGHTS
from tests.training.small import RecordingLedger, digest, digits, fresh_net, settings

Tensors = dict[str, Tensor]


def kept(**changes: object) -> bytes:
    """The last checkpoint of a short training."""
    ledger = RecordingLedger()
    list(train(fresh_net(), digits(), settings(**({"epochs": 2, "learning_rate": 0.01} | changes)), ledger))
    return ledger.checkpoints[-1]


def rewritten(data: bytes, change: Callable[[Tensors], object]) -> bytes:
    tensors = load(data)
    change(tensors)
    return save(tensors, metadata={"about": json.dumps(checkpoint.about(data))})


def change_one(suffix: str, to: Callable[[Tensor], Tensor]) -> Callable[[Tensors], object]:
    """Replace the first buffer of more than one axis (or, for a step, of none) with this name."""

    def change(tensors: Tensors) -> None:
        name = next(n for n, t in sorted(tensors.items()) if n.endswith(suffix) and t.ndim != 1)
        tensors[name] = to(tensors[name]).contiguous()

    return change


SGD = {
    "one number for all": change_one("momentum_buffer", lambda t: t.reshape(-1)[:1].clone()),
    "a shape that broadcasts": change_one("momentum_buffer", lambda t: t[:1].clone()),
    "axes swapped": change_one("momentum_buffer", lambda t: t.transpose(0, 1)[:, :, :1].clone()),
    "another kind of number": change_one("momentum_buffer", lambda t: t.double()),
    "a parameter too many": lambda t: t.update({"optimizer.999.momentum_buffer": torch.zeros(1)}),
    "a negative parameter": lambda t: t.update({"optimizer.-1.momentum_buffer": torch.zeros(1)}),
    "no number of a parameter": lambda t: t.update({"optimizer.x.momentum_buffer": torch.zeros(1)}),
    "no buffer's name": lambda t: t.update({"optimizer.0": torch.zeros(1)}),
    "an unknown buffer": lambda t: t.update({"optimizer.0.velocity": torch.zeros(1)}),
    "two parameters swapped": lambda t: t.update(
        {
            "optimizer.0.momentum_buffer": t["optimizer.1.momentum_buffer"],
            "optimizer.1.momentum_buffer": t["optimizer.0.momentum_buffer"],
        }
    ),
}
ADAMW = {
    "one average of two": lambda t: t.pop("optimizer.0.exp_avg_sq"),
    "no step": lambda t: t.pop("optimizer.0.step"),
    "many steps": change_one(".step", lambda t: t.repeat(3)),
    "whole steps": change_one(".step", lambda t: t.long()),
    "a shape that broadcasts": change_one("exp_avg", lambda t: t[:1].clone()),
}
CASES = [("sgd", what) for what in SGD] + [("adamw", what) for what in ADAMW]


@pytest.mark.parametrize(("optimizer", "what"), CASES)
def test_buffers_that_do_not_fit_are_refused_before_anything_is_changed(optimizer: str, what: str) -> None:
    data = rewritten(kept(optimizer=optimizer), (SGD if optimizer == "sgd" else ADAMW)[what])
    net = fresh_net(seed=8)
    before, target = digest(net), make_optimizer(net, settings(optimizer=optimizer))
    with pytest.raises(DamagedArtifact, match="start the run anew"):
        checkpoint.restore(data, net, {WEIGHTS: target})
    assert digest(net) == before
    assert not target.state_dict()["state"]


@pytest.mark.parametrize(("one", "other"), [("sgd", "adamw"), ("adamw", "sgd")])
def test_buffers_of_another_optimizer_are_refused(one: str, other: str) -> None:
    net = fresh_net()
    with pytest.raises(DamagedArtifact):
        checkpoint.restore(
            kept(optimizer=one), net, {WEIGHTS: make_optimizer(net, settings(optimizer=other))}
        )


@pytest.mark.parametrize("changes", [{}, {"momentum": 0.0}, {"optimizer": "adamw"}], ids=str)
def test_what_was_kept_comes_back(changes: dict[str, object]) -> None:
    """Also without momentum, where there are no buffers, and with only a part of the parameters stepped."""
    data, net = kept(**changes), fresh_net(seed=8)
    optimizer = make_optimizer(net, settings(**changes))
    checkpoint.restore(data, net, {WEIGHTS: optimizer})
    assert checkpoint.dump(net, {WEIGHTS: optimizer}, checkpoint.about(data)) == data
    part = rewritten(data, lambda t: [t.pop(n) for n in list(t) if n.startswith("optimizer.0.")])
    checkpoint.restore(part, net, {WEIGHTS: make_optimizer(net, settings(**changes))})


@pytest.mark.parametrize("what", ["missing", "another shape"])
def test_a_teacher_that_is_another_network_is_refused(what: str) -> None:
    data = kept(strategy="progressive_shrinking", epochs=4)
    name = next(n for n, t in sorted(load(data).items()) if n.startswith("teacher.") and t.ndim > 1)
    broken = rewritten(
        data, lambda t: t.pop(name) if what == "missing" else t.update({name: t[name][:1].clone()})
    )
    net = fresh_net()
    checkpoint.restore(data, net, {WEIGHTS: make_optimizer(net, settings())})
    with pytest.raises(DamagedArtifact):
        checkpoint.restore(broken, net, {WEIGHTS: make_optimizer(net, settings())})


def test_a_strategy_without_memory_is_kept_as_release_0_1_kept_it() -> None:
    """Runs that the release before left interrupted go on: the same names, and nothing said but the epoch."""
    data = kept(strategy="progressive_shrinking", epochs=4)
    net = fresh_net().state_dict()
    parameters = len(list(fresh_net().parameters()))
    expected = {f"net.{n}" for n in net} | {f"teacher.{n}" for n in net}
    expected |= {f"optimizer.{i}.momentum_buffer" for i in range(parameters)}
    assert set(load(data)) == expected
    assert checkpoint.about(data) == {"epoch": 4}
