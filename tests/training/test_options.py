"""Options of any training: averaged weights, gradients clipped by their norm, an exponential tail, mixed samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.evaluation.evaluator import evaluate_table
from core.networks.chain import fresh_like
from core.seeding import stream
from core.store import MemoryLedger
from core.tasks.base import Batch, task_of
from core.training.actions import ACTIONS
from core.training.alone import train_alone
from core.training.averaging import Average
from core.training.draws import Draw, Phase, Term
from core.training.epochs import train_epoch
from core.training.loop import SupernetRun, train
from core.training.optimizing import apply_gradients, learning_rate
from core.training.plain import PlainStep, fit
from core.training.strategies import STRATEGIES
from core.training.supernet_session import SupernetSession
from tests.training.small import RecordingLedger, digest, fresh_net, settings, weights

DATA = load_dataset("digits", limit_train=64, calibration=32, limit_validation=40, limit_test=20)
ALL = {"ema": 0.9, "clip_norm": 0.05, "schedule": "exponential", "mixup": 0.4, "final_share": 0.05}


def session_of(**changes: object) -> SupernetSession:
    return SupernetSession(
        fresh_net(), DATA, settings(**changes), STRATEGIES.create("sandwich"), Phase("all")
    )


def batch_of(seed: int = 0) -> Batch:
    return next(task_of(DATA).epoch(DATA, batch_size=32, seed=seed, epoch=0, augmentation={}))


# --- together -------------------------------------------------------------------------------------------------


def test_with_all_of_them_a_resumed_training_ends_with_the_same_bits() -> None:
    whole, net = RecordingLedger(), fresh_net()
    list(train(net, DATA, settings(epochs=2, **ALL), whole))
    for cut in (1, 2):
        ledger, again = RecordingLedger(), fresh_net(seed=cut + 10)
        ledger.checkpoint(whole.checkpoints[cut - 1], fraction=cut / 2)
        list(train(again, DATA, settings(epochs=2, **ALL), ledger))
        assert digest(again) == digest(net)
        assert ledger.checkpoints[1:] == whole.checkpoints[cut:]


def test_each_of_them_changes_what_a_training_ends_with() -> None:
    found = set()
    for changes in ({}, *({name: value} for name, value in ALL.items() if name != "final_share")):
        net = fresh_net()
        list(train(net, DATA, settings(epochs=1, warmup_epochs=0, **changes), MemoryLedger()))
        found.add(digest(net))
    assert len(found) == len(ALL)


def test_a_network_alone_resumes_with_its_average_and_ends_with_it() -> None:
    arch = fresh_net().space.largest
    plain = fresh_net().extract(arch, fresh_net().calibrate_on(arch, DATA))
    config, whole, net = settings(epochs=2, **ALL), RecordingLedger(), fresh_like(plain, 1)
    list(train_alone(net, DATA, config, whole))
    ledger, again = RecordingLedger(), fresh_like(plain, 7)
    ledger.checkpoint(whole.checkpoints[0], fraction=1 / 2)
    list(train_alone(again, DATA, config, ledger))
    for one, other in zip(net.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    raw = fresh_like(plain, 1)
    list(train_alone(raw, DATA, config.model_copy(update={"ema": 0.0}), MemoryLedger()))
    ends = [next(n.parameters()).detach() for n in (net, raw)]
    assert not torch.equal(*ends)


# --- averaged weights -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=30), st.floats(0, 0.999))
def test_the_average_is_the_recursion_written_out(values: list[float], decay: float) -> None:
    net = nn.Linear(1, 1, bias=False)
    average = Average(net, decay)
    expected = net.weight.item()
    for n, value in enumerate(values, 1):
        nn.init.constant_(net.weight, value)
        average.update()
        keep = min(decay, n / (n + 9))
        expected = keep * expected + (1 - keep) * value
    assert float(average.state["weight"]) == pytest.approx(expected, abs=1e-4)
    with average.instead():
        assert net.weight.item() == pytest.approx(expected, abs=1e-4)
    assert net.weight.item() == values[-1]


def test_the_average_is_what_is_measured_and_what_a_training_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger, net = RecordingLedger(), fresh_net()
    run = SupernetRun(net, DATA, settings(epochs=2, ema=0.9), ledger)
    measure, measured = run.measure, list[str]()
    monkeypatch.setattr(run, "measure", lambda: (measured.append(digest(net)), measure())[1])
    list(run.go())
    raw = SupernetRun(fresh_net(), DATA, settings(epochs=2), MemoryLedger())
    list(raw.go())
    average = run.session.average
    assert average is not None
    assert average.steps == 2 * 2
    ended = weights(net)
    for name, tensor in average.state.items():
        np.testing.assert_array_equal(ended[name], tensor.numpy())
    assert measured[-1] == digest(net) != digest(raw.supernet)
    # What the last epoch reported is the accuracy of what was returned.
    rows = np.array([net.space.smallest, net.space.largest], np.uint8)
    found = evaluate_table(net, rows, ("accuracy",), run._validation)["accuracy"]
    assert [ledger.metrics()[-1][end] for end in ("smallest", "largest")] == pytest.approx(found.tolist())
    # The training itself went on with the weights as they are: in the last checkpoint both are kept.
    again = session_of(ema=0.9)
    again.restore(ledger.checkpoints[-1])
    assert digest(again.net) == digest(raw.supernet)


def test_the_average_starts_anew_where_channels_change_places() -> None:
    session = session_of(ema=0.9)
    session.train([Draw(session.space.largest)], batch_of())
    assert session.average is not None
    session.average.update()
    ACTIONS["sort_channels"](session)
    assert session.average.steps == 0
    for name, parameter in session.net.named_parameters():
        assert torch.equal(session.average.state[name], parameter)
    other = fresh_net(seed=5)
    session.replace(other)
    session.train([Draw(session.space.largest)], batch_of())
    assert torch.equal(session.average.state["stages.0.conv.weight"], fresh_net(seed=5).chain[0].conv.weight)
    session.average.put()
    assert torch.equal(other.chain[0].conv.weight, fresh_net(seed=5).chain[0].conv.weight)


def test_what_a_strategy_prunes_is_zero_in_the_average_too() -> None:
    net = fresh_net(kernel_transform=False)
    config = {"every": 1}
    run = SupernetRun(
        net,
        DATA,
        settings(epochs=3, ema=0.99, strategy="super_tickets", strategy_config=config),
        MemoryLedger(),
    )
    list(run.go())
    masks = run.session.strategy.state_dict()
    gone = {name.removeprefix("mask."): ~mask for name, mask in masks.items() if not mask.all()}
    assert gone
    named = dict(net.named_parameters())
    assert all(not named[name][pruned].any() for name, pruned in gone.items())


def test_a_training_may_begin_to_average_and_may_stop() -> None:
    """A checkpoint without an average is the start of one; one with it serves a training without."""
    plain, averaged = session_of(), session_of(ema=0.9)
    for session in (plain, averaged):
        session.train([Draw(session.space.largest)], batch_of())
    assert averaged.average is not None
    averaged.average.update()
    begun, ended = session_of(ema=0.9), session_of()
    begun.restore(plain.dump())
    ended.restore(averaged.dump())
    assert begun.average is not None
    assert (begun.average.steps, ended.average) == (0, None)
    assert torch.equal(next(iter(begun.average.state.values())), next(begun.net.parameters()))
    with pytest.raises(ValueError, match="another network"):
        Average(nn.Linear(2, 2), 0.5).load_state_dict(begun.average.state_dict())


# --- clipping and the rate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clip", "norm"), [(0.0, 0.5), (0.3, 0.5), (0.01, 5.0)])
def test_gradients_are_scaled_to_the_norm_once_their_entries_are_clipped(clip: float, norm: float) -> None:
    torch.manual_seed(0)
    net = nn.Linear(5, 4)
    old = [p.detach().clone() for p in net.parameters()]
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape)
    wanted = [p.grad.clamp(-clip, clip) if clip else p.grad.clone() for p in net.parameters()]
    length = math.sqrt(sum(float(g.square().sum()) for g in wanted))
    apply_gradients(net, torch.optim.SGD(net.parameters()), clip, 1.0, norm=norm)
    for parameter, before, gradient in zip(net.parameters(), old, wanted, strict=True):
        change = gradient * min(1.0, norm / length)
        torch.testing.assert_close(before - parameter.detach(), change, atol=1e-5, rtol=1e-4)
    assert (length > norm) is (clip != 0.01)


def test_the_exponential_rate_is_that_of_bignas_over_any_length() -> None:
    """0.97 every 2.4 of 360 epochs, constant once it is at 0.05."""
    config = settings(schedule="exponential", final_share=0.05, warmup_epochs=0, learning_rate=2.0)
    rates = np.array([learning_rate(config, step, 3600, 10) for step in range(3600)]) / 2.0
    bignas = np.maximum(0.05, 0.97 ** (np.arange(3600) / 24))
    np.testing.assert_allclose(rates, bignas, rtol=0.05)
    assert rates[-1] == 0.05
    assert (np.diff(rates) <= 0).all()


# --- mixed samples ------------------------------------------------------------------------------------------------


def test_inputs_and_labels_are_mixed_in_the_same_share_with_the_same_partner() -> None:
    task, batch = task_of(DATA), batch_of()
    partners = np.random.default_rng(0).permutation(32)
    mixed = task.mixed(batch, 0.7, partners)
    torch.testing.assert_close(mixed.inputs, 0.7 * batch.inputs + 0.3 * batch.inputs[partners])
    outputs = torch.randn(32, 10, generator=torch.Generator().manual_seed(0))
    expected = 0.7 * task.losses(outputs, batch.targets) + 0.3 * task.losses(outputs, batch.targets[partners])
    torch.testing.assert_close(task.mixed_losses(outputs, mixed.targets, mixed.mixed), expected)
    part = mixed.part(1, 4)
    assert part.mixed is not None
    assert torch.equal(part.mixed.targets, batch.targets[partners][8:16])
    assert task.mixed_losses(outputs[8:16], part.targets, part.mixed).tolist() == pytest.approx(
        expected[8:16].tolist()
    )


def test_an_epoch_mixes_by_shares_from_beta_and_the_same_way_again() -> None:
    def seen(mixup: float, epoch: int = 0) -> list[Batch]:
        batches: list[Batch] = []
        steps = train_epoch(
            lambda step, batch, rate: batches.append(batch) or 0.0,
            DATA,
            settings(mixup=mixup),
            epoch=epoch,
            order_seed=5,
        )
        assert len(list(steps)) == 2
        return batches

    plain, mixed, again, later = seen(0), seen(0.4), seen(0.4), seen(0.4, 1)
    rng = stream(5, "mixup", 0)
    for before, after, same in zip(plain, mixed, again, strict=True):
        assert before.mixed is None
        assert after.mixed is not None
        share, partners = rng.beta(0.4, 0.4), rng.permutation(32)
        assert after.mixed.share == share
        assert torch.equal(after.mixed.targets, before.targets[partners])
        assert torch.equal(after.inputs, same.inputs)
        assert torch.equal(after.ids, before.ids)
    assert later[0].mixed.share != mixed[0].mixed.share


def test_a_step_learns_both_labels_by_both_doors_and_alone() -> None:
    batch = batch_of()
    mixed = task_of(DATA).mixed(batch, 0.6, np.arange(32)[::-1].copy())
    session = session_of(label_smoothing=0.1)
    outputs = session.forward(session.space.largest, batch).detach()
    half = [
        nn.functional.cross_entropy(outputs, y, label_smoothing=0.1)
        for y in (batch.targets, batch.targets.flip(0))
    ]
    wanted = 0.6 * float(half[0]) + 0.4 * float(half[1])
    assert float(session.loss((Term("labels"),), outputs, mixed, {})) == pytest.approx(wanted, rel=1e-5)
    plain = session_of()
    hard = [nn.functional.cross_entropy(outputs, y) for y in (batch.targets, batch.targets.flip(0))]
    assert float(plain.sample_losses(outputs, mixed).mean()) == pytest.approx(
        0.6 * float(hard[0]) + 0.4 * float(hard[1]), rel=1e-5
    )
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    alone = PlainStep(net, DATA, settings())
    given = net(mixed.inputs).detach()
    hard = [nn.functional.cross_entropy(given, y) for y in (batch.targets, batch.targets.flip(0))]
    assert alone(0, mixed, 0.0) == pytest.approx(0.6 * float(hard[0]) + 0.4 * float(hard[1]), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "config"),
    [("commands", {"texts": 300, "calibration": 24}), ("generated_graph", {"nodes": 300, "calibration": 24})],
)
def test_what_cannot_be_mixed_is_refused_in_a_sentence_before_anything_is_trained(
    name: str, config: dict[str, int]
) -> None:
    data = load_dataset(name, **config)
    with pytest.raises(InvalidInput, match=r"^[A-Z].* cannot be mixed.* Set mixup to 0\.$"):
        SupernetRun(fresh_net(), data, settings(mixup=0.2), MemoryLedger())
    net = nn.Linear(2, 2)
    with pytest.raises(InvalidInput, match="cannot be mixed"):
        list(fit(PlainStep(net, data, settings(mixup=0.2)), data, settings(mixup=0.2), order_seed=0))


# --- losses that look inside ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", ["largest", "teacher", "previous"])
def test_losses_that_look_inside_see_the_activations_of_whom_they_name(teacher: str) -> None:
    """The gradient of a step, against autograd over the stages written out."""
    session, batch = session_of(clip=0.0), batch_of()
    net, space = session.net, session.space
    session.rate = 0.0
    session.freeze_teacher()
    with torch.no_grad():  # the frozen one is another network than the one that learns
        for parameter in session.teacher.parameters():
            parameter *= 1.1
    middle = space.sample(np.random.default_rng(3))

    def inside(of: nn.Module, arch: tuple[int, ...]) -> list[torch.Tensor]:
        x, found = batch.inputs, []
        for stage in list(of.stages)[:-1]:
            x = stage(x, arch) if stage.key(arch) is not None else x
            found.append(x)
        return found

    shown = {
        "largest": inside(net, space.largest),
        "previous": inside(net, middle),
        "teacher": inside(session.teacher, space.largest),
    }[teacher]
    loss = sum(
        ((a - b[:, : a.shape[1]].detach()) ** 2).mean()
        for a, b in zip(inside(net, space.smallest), shown, strict=True)
    ) / len(shown)
    named = dict(net.named_parameters())
    expected = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    silent = (Term("labels", 0.0),)
    term = Term("feature", 1.0, {"teacher": teacher, "stages": "all", "relative": False})
    found = session.train(
        [Draw(space.largest, silent), Draw(middle, silent), Draw(space.smallest, (term,))], batch
    )
    assert found[2] == pytest.approx(float(loss.detach()), rel=1e-4)
    for (name, parameter), gradient in zip(named.items(), expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_activations_are_computed_only_where_a_draw_of_the_step_looks_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, batch = session_of(), batch_of()
    seen: list[int] = []
    original = type(session.net).activations
    monkeypatch.setattr(
        type(session.net), "activations", lambda *a, **k: (seen.append(1), original(*a, **k))[1]
    )
    session.train([Draw(session.space.largest), Draw(session.space.smallest)], batch)
    assert not seen
    session.train([Draw(session.space.largest), Draw(session.space.smallest, (Term("relation"),))], batch)
    assert len(seen) == 2
