"""Training on a device with a memory of its own: the steps of the processor, checkpoints that any machine goes on from.

The strict device computes with the processor, so everything is the same to the last bit.
"""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from core.device import Device, using
from core.networks.chain import fresh_like
from core.pruning.retraining import train_masked
from core.seeding import torch_seed
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.files import dump_supernet, load_supernet
from core.tasks.base import Batch, Mixed
from core.training.alone import train_alone
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.losses import LOSSES
from core.training.strategies import STRATEGIES
from tests.contracts.test_losses import context, learner, outputs
from tests.helpers.fake_device import FakeDevice, fake_device
from tests.training.small import RecordingLedger, digest, digits, net_for, settings

QUICK = ("sandwich", "pa_da")
"""One of each door; the others are in the slow suite."""


def trained(net: Supernet, config: TrainingConfig, ledger: MemoryLedger) -> Supernet:
    work = train(net, digits(64), config, ledger)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def each_phase(strategy: str, **changes: Any) -> TrainingConfig:
    """Two steps of every phase."""
    phases = STRATEGIES.create(strategy).phases(net_for(strategy).space)
    return settings(strategy=strategy, epochs=max(2, len(phases)), shift=1, **changes)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in STRATEGIES.names()],
)
def test_every_strategy_takes_the_same_steps(name: str) -> None:
    config, here, there = each_phase(name), RecordingLedger(), RecordingLedger()
    expected = trained(net_for(name), config, here)
    with fake_device() as device:
        given = net_for(name)
        found = trained(given, config, there)
        assert device.operations > 100
    assert digest(found) == digest(expected)
    assert there.checkpoints == here.checkpoints
    for net in (given, found):
        assert {p.device.type for p in net.parameters()} == {"cpu"}


@pytest.mark.parametrize("name", LOSSES.names())
@pytest.mark.parametrize("share", [None, 0.6])
def test_every_loss_and_its_gradient(name: str, share: float | None) -> None:
    def measured(device: FakeDevice | None) -> list[Tensor]:
        put: Any = (lambda tree: tree) if device is None else device.put
        loss = LOSSES.create(name)
        mixed = None if share is None else Mixed(torch.arange(8).flip(0) % 5, share)
        seen = put(context(loss, smoothing=0.1, mixed=mixed))
        given = put(outputs(0)).requires_grad_(True)
        own = [x.detach().requires_grad_(True) for x in learner(given, seen)[1:]]
        if seen.attention:
            seen = seen.__class__(
                **{**vars(seen), "attention": seen.attention._replace(query=own[0], key=own[1], value=own[2])}
            )
        elif own:
            seen = seen.__class__(**{**vars(seen), "inside": own})
        value = loss(given, put(torch.arange(8) % 5), seen)
        gradients = torch.autograd.grad(value, [given, *own], allow_unused=True)
        return [value.detach(), *(g for g in gradients if g is not None)]

    here = measured(None)
    with fake_device() as device:
        there = device.back(measured(device))
    assert len(here) == len(there) > 1
    assert all(map(torch.equal, here, there))


@pytest.mark.slow
def test_a_training_goes_on_anywhere() -> None:
    """Begun here, taken up on the device, ended here; weights, momentum, average, teacher and what the strategy knows."""
    name = "progressive_shrinking"
    config = each_phase(name, ema=0.9)
    whole = RecordingLedger()
    expected = digest(trained(net_for(name), config, whole))
    ledger, places = RecordingLedger(), []
    for epoch in range(1, config.epochs + 1):
        there = epoch % 2 == 0
        with fake_device() if there else nullcontext():
            places.append(there)
            net = net_for(name, epoch) if epoch > 1 else net_for(name)
            work = train(net, digits(64), config, ledger, stop=lambda done, epoch=epoch: done >= epoch)
            last = None
            while last is None:
                try:
                    next(work)
                except StopIteration as end:
                    last = end.value
    assert ledger.checkpoints == whole.checkpoints
    assert digest(last) == expected
    assert {t.device.type for t in load(ledger.checkpoints[1]).values()} == {"cpu"}


def test_a_training_that_is_dropped_leaves_its_network_here() -> None:
    with fake_device():
        net = net_for("sandwich")
        work = train(net, digits(64), each_phase("sandwich"), MemoryLedger())
        next(work)
        assert {p.device.type for p in net.parameters()} == {"strict"}
        work.close()
        assert {p.device.type for p in net.parameters()} == {"cpu"}


def test_files_of_a_network_on_the_device_are_files_of_the_processor() -> None:
    net = net_for("sandwich")
    expected = dump_supernet(net, {})
    with fake_device() as device:
        written = dump_supernet(device.net(net), {})
    assert written == expected
    assert digest(load_supernet(written)[0]) == digest(net)


def plain() -> Any:
    net, data = net_for("sandwich"), digits(64)
    return fresh_like(net.extract(net.largest, net.calibrate_on(net.largest, data)), 5)


def state(net: torch.nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in net.state_dict().values())


@pytest.mark.slow
def test_a_network_alone_and_its_teacher() -> None:
    def run() -> tuple[bytes, list[bytes], list[dict[str, Any]]]:
        net, teacher, ledger = plain(), plain().eval(), RecordingLedger()
        list(train_alone(net, digits(64), settings(epochs=2, ema=0.9, mixup=0.2), ledger, teacher=teacher))
        metrics = [{k: v for k, v in row.items() if k != "seconds"} for row in ledger.metrics()]
        assert state(teacher) == state(plain().eval())
        return state(net), ledger.checkpoints, metrics

    here = run()
    with fake_device() as device:
        assert run() == here
        assert device.operations > 100


@pytest.mark.parametrize("hooked", [False, True])
def test_retraining_with_masks(hooked: bool) -> None:
    def run() -> tuple[bytes, bytes]:
        net = plain()
        masks = {
            name: torch.from_numpy(np.random.default_rng(torch_seed(0, name)).random(tuple(p.shape)) < 0.5)
            for name, p in net.named_parameters()
            if p.ndim > 1
        }
        keep: dict[int, dict[str, Tensor]] = {1: {}}
        around = (lambda: None) if hooked else None
        list(train_masked(net, digits(64), settings(epochs=2), masks, keep=keep, after_step=around))
        zero = [bool((net.get_parameter(n)[~m] == 0).all()) for n, m in masks.items()]
        assert all(zero)
        return state(net), b"".join(t.numpy().tobytes() for t in keep[1].values())

    here = run()
    with fake_device() as device:
        before = device.operations
        assert run() == here
        assert (device.operations > before) is not hooked, "whoever looks at each step has its tensors here"


def test_bfloat16_is_near_and_keeps_float32_weights() -> None:
    config = settings(epochs=2)
    here, near = MemoryLedger(), MemoryLedger()
    trained(net_for("sandwich"), config, here)
    with using(Device("bf16")):
        net = trained(net_for("sandwich"), config, near)
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    losses = [[row["loss"] for row in ledger.metrics()] for ledger in (here, near)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)


def test_views_of_samples_are_where_the_samples_are() -> None:
    from core.tasks import TASKS

    with fake_device() as device:
        for name, x in (("image", torch.rand(3, 1, 8, 8)), ("series", torch.rand(3, 2, 16))):
            task = TASKS.create(name)
            expected = task.view(x, np.random.default_rng(0))
            found = task.view(device.put(x), np.random.default_rng(0))
            assert found.device.type == "strict"
            assert torch.equal(device.back(found), expected)


def test_a_batch_goes_there_with_all_it_holds() -> None:
    batch = Batch(torch.rand(4, 2), torch.arange(4), torch.arange(4), Mixed(torch.arange(4), 0.5))
    with fake_device() as device:
        moved = device.put(batch)
        assert {moved.inputs.device, moved.targets.device, moved.ids.device, moved.mixed.targets.device} == {
            torch.device("strict", 0)
        }
        assert moved.mixed.share == 0.5
        assert copy.copy(batch).inputs.device.type == "cpu"
