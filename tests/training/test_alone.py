"""Networks trained alone: structure, chance, resuming, calibration; and the file that keeps them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from core.errors import CoreError, DamagedArtifact, InvalidInput
from core.networks import blocks as plain
from core.networks.chain import BLOCKS, KEY, blocks_of, build_net, dump_net, load_net
from core.seeding import torch_seed
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.tasks.image import ImageTask
from core.training import alone, checkpoint
from core.training.alone import fresh_like, recalibrate, train_alone
from tests.helpers.nets import disturb, random_dataset, small_cnn
from tests.training.small import RecordingLedger, digits, settings

SHAPE = (1, 8, 8)


def example(family: str) -> tuple[Supernet, nn.Sequential]:
    """A disturbed supernet of a family and its largest subnet, cut out."""
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    net = disturb(cls(cls.example(SHAPE)))
    images = torch.rand(32, *SHAPE, generator=torch.Generator().manual_seed(1))
    return net, net.extract(net.largest, net.calibrate(net.largest, images))


def template() -> nn.Sequential:
    net = small_cnn()
    return net.extract(net.smallest, net.calibrate(net.smallest, torch.from_numpy(digits().calibration.x)))


def trained(seed: int = 3, ledger: RecordingLedger | None = None, **changes: Any) -> nn.Sequential:
    config = settings(seed=seed, epochs=4, **changes)
    net = fresh_like(template(), config.seed)
    list(train_alone(net, digits(), config, ledger or RecordingLedger()))
    return net


def state(net: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}


# --- structure and chance -------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.names())
def test_a_fresh_network_has_the_structure_of_the_subnet_and_its_pixel_constants(family: str) -> None:
    _, subnet = example(family)
    net = fresh_like(subnet, 0)
    assert [type(b) for b in net] == [type(b) for b in subnet]
    expected = {name: t.shape for name, t in subnet.state_dict().items()}
    assert {name: t.shape for name, t in net.state_dict().items()} == expected
    for constant in ("mean", "std"):
        assert torch.equal(getattr(net[0], constant), getattr(subnet[0], constant))
    assert net[0].mean.abs().sum() > 0
    assert not torch.equal(net[0].conv.weight, subnet[0].conv.weight)
    for name, part in net.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            assert torch.equal(part.weight, torch.ones_like(part.weight)), name
            assert torch.equal(part.running_var, torch.ones_like(part.running_var)), name


def test_weights_are_torchs_own_and_follow_the_seed_alone() -> None:
    one, again, other = fresh_like(template(), 5), fresh_like(template(), 5), fresh_like(template(), 6)
    assert state(one) == state(again)
    assert state(one) != state(other)
    blocks = blocks_of(template())
    torch.manual_seed(torch_seed(5, "alone", "weights"))
    plainly = [BLOCKS[b["block"]](**b["arguments"]) for b in blocks]
    for mine, theirs in zip(one.parameters(), nn.Sequential(*plainly).parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_global_generator_stays_as_it_was() -> None:
    subnet = template()
    before = torch.get_rng_state()
    fresh_like(subnet, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    assert state(trained(3)) == state(trained(3))
    assert state(trained(3)) != state(trained(4))


def test_the_order_of_images_is_not_that_of_a_supernet_with_the_same_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    real = ImageTask.epoch
    monkeypatch.setattr(ImageTask, "epoch", lambda *a, **k: (seen.append(k["seed"]), real(*a, **k))[1])
    trained(3)
    assert len(seen) == 4
    assert set(seen) == {torch_seed(3, "alone", "order")}


# --- training -------------------------------------------------------------------------------------


def test_it_learns_and_shuffled_labels_teach_nothing() -> None:
    from tests.training.small import with_labels

    data = digits(256)
    found = []
    for each in (data, with_labels(data, {"train": np.random.default_rng(0).permutation(data.train.y)})):
        net = small_cnn()
        subnet = net.extract(net.largest, net.calibrate(net.largest, torch.from_numpy(data.calibration.x)))
        fresh = fresh_like(subnet, 0)
        list(train_alone(fresh, each, settings(epochs=15, learning_rate=0.2), RecordingLedger()))
        found.append(alone.accuracy(fresh, data, "validation"))
    assert found[0] > 0.7
    assert found[1] < 0.25


def test_one_step_is_plain_gradient_descent_on_the_labels() -> None:
    """Against torch written out by hand: batch statistics, cross-entropy, no momentum, no decay."""
    data = random_dataset(16)
    config = settings(
        epochs=1, batch_size=16, learning_rate=0.5, momentum=0, weight_decay=0, clip=0, warmup_epochs=0
    )
    net = fresh_like(template(), 2)
    by_hand = copy.deepcopy(net).train()
    loss = nn.functional.cross_entropy(
        by_hand(torch.from_numpy(data.train.x)), torch.from_numpy(data.train.y)
    )
    loss.backward()
    list(train_alone(net, data, config, RecordingLedger()))
    for mine, theirs in zip(net.parameters(), by_hand.parameters(), strict=True):
        expected = theirs.detach() - 0.5 * theirs.grad
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_ends_with_a_sentence_and_keeps_the_last_epoch() -> None:
    ledger = RecordingLedger()
    net = fresh_like(template(), 0)
    steps = train_alone(net, digits(), settings(epochs=5), ledger, index=1, of=3)
    while not ledger.checkpoints:
        next(steps)
    with torch.no_grad():
        net[0].conv.weight.fill_(float("nan"))
    with pytest.raises(
        CoreError, match=r"^Seed 3: Training diverged in epoch 2: .* seeds before it are kept\.$"
    ):
        list(steps)
    assert len(ledger.checkpoints) == 1


# --- BatchNorm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.names())
def test_recalibrating_gives_the_statistics_that_the_supernet_records(family: str) -> None:
    net, _ = example(family)
    images = torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(3))
    arch = net.space.canonical(net.space.sample(np.random.default_rng(0)))
    known = net.extract(arch, net.calibrate(arch, images))
    spoiled = copy.deepcopy(known)
    for part in spoiled.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.fill_(7.0)
            part.running_var.fill_(0.1)
            part.num_batches_tracked.fill_(9)
    recalibrate(spoiled.train(), images)
    for name, tensor in known.state_dict().items():
        torch.testing.assert_close(spoiled.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    assert not spoiled.training
    assert not any(m._forward_pre_hooks for m in spoiled.modules())


def test_a_trained_network_carries_the_statistics_of_the_calibration_images() -> None:
    net = trained()
    first = net[0]
    x = (torch.from_numpy(digits().calibration.x) - first.mean) / first.std
    y = first.conv(x)
    torch.testing.assert_close(first.norm.running_mean, y.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.norm.running_var, y.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5)


# --- resuming -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_run_stopped_and_resumed_has_the_same_bits(stop_after: int) -> None:
    whole = RecordingLedger()
    expected = state(trained(ledger=whole, shift=1, flip=True, optimizer="adamw", learning_rate=0.01))
    config = settings(seed=3, epochs=4, shift=1, flip=True, optimizer="adamw", learning_rate=0.01)
    parts = RecordingLedger()
    steps = train_alone(fresh_like(template(), 3), digits(), config, parts)
    while len(parts.checkpoints) < stop_after:
        next(steps)
    steps.close()
    net = fresh_like(template(), 3)
    list(train_alone(net, digits(), config, parts))
    assert state(net) == expected
    assert parts.checkpoints == whole.checkpoints


def test_a_checkpoint_of_another_network_of_the_run_is_not_taken() -> None:
    ledger = RecordingLedger()
    trained(3, ledger)
    net = fresh_like(template(), 4)
    first = next(train_alone(net, digits(), settings(seed=4, epochs=4), ledger, index=1, of=2))
    assert (first.fraction, first.message) == (0.5, "Network 2 of 2, seed 4: starting")
    assert state(net) == state(fresh_like(template(), 4))


@pytest.mark.parametrize("data", [b"", b"12345678", b"\x05\x00\x00\x00\x00\x00\x00\x00[1,2]", b"\xff" * 40])
def test_a_checkpoint_that_is_none_is_called_damaged(data: bytes) -> None:
    with pytest.raises(DamagedArtifact):
        checkpoint.about(data)


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.names())
def test_a_network_comes_back_from_its_file_as_it_was(family: str) -> None:
    _, subnet = example(family)
    data = dump_net(subnet, SHAPE, {"seed": 4})
    net, about = load_net(data)
    assert about == {"seed": 4}
    assert state(net) == state(subnet)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    images = torch.rand(5, *SHAPE)
    assert torch.equal(net(images), subnet(images))
    assert data == dump_net(net, SHAPE, {"seed": 4})


def test_every_plain_block_can_be_kept() -> None:
    known = {
        cls for cls in vars(plain).values() if isinstance(cls, type) and cls.__module__ == plain.__name__
    }
    assert set(BLOCKS.values()) == known


def test_other_modules_are_not_kept() -> None:
    with pytest.raises(InvalidInput, match="Linear is not one of the plain blocks"):
        blocks_of(nn.Sequential(nn.Linear(2, 2)))


def rewritten(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A sound file whose description has been changed."""
    data = dump_net(template(), SHAPE, {})
    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
    change(header)
    return save(load(data), metadata={KEY: json.dumps(header)})


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a class of another module": lambda h: h["blocks"][0].update(block="Linear"),
    "a dotted name": lambda h: h["blocks"][0].update(block="os.system"),
    "a name that is no text": lambda h: h["blocks"][0].update(block=["Stem"]),
    "an argument more": lambda h: h["blocks"][0]["arguments"].update(bias=True),
    "an argument less": lambda h: h["blocks"][0]["arguments"].pop("kernel"),
    "a terabyte": lambda h: h["blocks"][1]["arguments"].update(in_channels=10**6, out_channels=10**6),
    "as many parameters as allowed for one": lambda h: h.update(
        blocks=[*h["blocks"][:1], dict(h["blocks"][1], arguments={"in_channels": 8000, "out_channels": 8000, "kernel": 31, "stride": 1})]
    ),
    "a fraction": lambda h: h["blocks"][0]["arguments"].update(kernel=1.5),
    "true for one": lambda h: h["blocks"][0]["arguments"].update(stride=True),
    "nothing": lambda h: h["blocks"][0]["arguments"].update(stride=0),
    "a large stride": lambda h: h["blocks"][0]["arguments"].update(stride=10**9),
    "blocks that do not fit": lambda h: h["blocks"].append(h["blocks"][0]),
    "no blocks": lambda h: h.update(blocks=[]),
    "a million blocks": lambda h: h.update(blocks=h["blocks"] * 100_000),
    "blocks that are text": lambda h: h.update(blocks="Stem"),
    "a block more": lambda h: h["blocks"].insert(1, h["blocks"][1]),
    "huge images": lambda h: h.update(input_shape=[1, 10**6, 10**6]),
    "images without height": lambda h: h.update(input_shape=[1, 8]),
    "another format": lambda h: h.update(format=2),
    "no format": lambda h: h.pop("format"),
    "no head": lambda h: h["blocks"].pop(),
    "about that is text": lambda h: h.update(about="hello"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_description_is_refused(what: str) -> None:
    with pytest.raises(InvalidInput):
        load_net(rewritten(HOSTILE[what]))


def test_the_unchanged_description_is_accepted() -> None:
    load_net(rewritten(lambda header: None))


@pytest.mark.parametrize("operations", ["none", ["none"] * 5, ["none"] * 5 + ["rm"], ["none"] * 5 + [1]])
def test_hostile_operations_are_refused(operations: Any) -> None:
    with pytest.raises(InvalidInput):
        build_net([{"block": "Cell", "arguments": {"channels": 4, "operations": operations}}])


def test_weights_that_do_not_fit_or_make_no_sense_are_refused() -> None:
    data = dump_net(template(), SHAPE, {})
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    for name, value in (
        ("0.norm.running_var", torch.full((2,), -1.0)),
        ("0.std", torch.zeros(1, 1, 1, 1)),
        ("0.norm.weight", torch.ones(3)),
        ("0.norm.bias", torch.zeros(2, dtype=torch.float64)),
        ("0.norm.bias", torch.full((2,), float("nan"))),
        ("9.more", torch.zeros(2)),
    ):
        tensors = load(data) | {name: value}
        with pytest.raises(InvalidInput):
            load_net(save(tensors, metadata=metadata))
    for broken in (b"", data[:-1], data + b"0", b"\x80\x04" + data, save(load(data))):
        with pytest.raises(InvalidInput):
            load_net(broken)
