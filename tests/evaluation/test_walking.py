"""The walk on a device with a memory of its own: the same numbers, whatever fits, and nothing lost where it was wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.device import Device, using
from core.errors import CoreError
from core.evaluation.evaluator import evaluate, evaluate_table, predictions, walk
from core.evaluation.kept_activations import KeptActivations
from core.objectives.base import names_of
from core.objectives.extracted import FromNetworks
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.fake_device import FakeDevice, fake_device
from tests.helpers.nets import disturb, random_dataset

NAMES = ("accuracy", "loss", "test_accuracy")


@pytest.fixture(scope="module")
def net() -> Supernet:
    # Its maps are much larger than its weights.
    family = FAMILIES.get("chain")
    torch.manual_seed(0)
    return disturb(family(family.examples()[0]))


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return evaluation_data(random_dataset(400))


@pytest.fixture(scope="module")
def rows(net) -> np.ndarray:
    return np.unique(net.space.sample_array(16, np.random.default_rng(0)), axis=0)


@pytest.fixture(scope="module")
def here(net, data, rows) -> dict[str, np.ndarray]:
    return evaluate_table(net, rows, NAMES, data)


def agrees(here: dict[str, np.ndarray], there: dict[str, np.ndarray]) -> None:
    """The sums of a convolution depend in their last bits on how many samples it takes at once."""
    for name in NAMES:
        np.testing.assert_allclose(there[name], here[name], atol=1e-5, err_msg=name)


def test_weights_and_samples_are_moved_once_a_walk(net, data, rows, here) -> None:
    with fake_device() as device:
        there = evaluate_table(net, rows, NAMES, data)
        moved = device.moved
        assert all(there[name].tobytes() == here[name].tobytes() for name in NAMES)
        evaluate_table(net, rows[:3], NAMES, data)
        assert device.moved == moved + 2, "samples and targets; the weights are there"
    assert all(p.device.type == "cpu" for p in net.parameters())


def whole_size(net: Supernet, data: EvaluationData, rows: np.ndarray) -> int:
    with fake_device() as device:
        evaluate_table(net, rows, NAMES, data)
        return device.most


@pytest.mark.slow
def test_it_takes_no_more_than_is_free(net, data, rows, here) -> None:
    most = whole_size(net, data, rows)
    with fake_device(room=most // 3) as device:
        agrees(here, evaluate_table(net, rows, NAMES, data))
        assert device.most <= most // 3


class Boasting(FakeDevice):
    """Says that there is more room than there is, as one does on which somebody else computes, too."""

    def free_bytes(self) -> int:
        return 1 << 40


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.3, 3])
def test_what_did_not_fit_is_done_again_in_smaller_pieces(net, data, rows, here, share, monkeypatch) -> None:
    monkeypatch.setattr("tests.helpers.fake_device.FakeDevice", Boasting)
    with fake_device(room=int(whole_size(net, data, rows) / share)) as device:
        seen: list[int] = []
        there = {name: np.full(len(rows), np.nan) for name in NAMES}
        for indices, values in walk(net, rows, NAMES, data):
            seen += indices
            for name in NAMES:
                there[name][indices] = values[name]
        assert device.refusals
    assert sorted(seen) == list(range(len(rows))), "each once, whatever had been done before"
    agrees(here, there)


def test_a_device_without_room_for_one_subnet_says_so(net, data, rows) -> None:
    with (
        fake_device(room=70_000),
        pytest.raises(CoreError, match="does not fit into the memory of a strict device"),
    ):
        evaluate_table(net, rows, NAMES, data)


def test_another_error_is_not_taken_for_a_want_of_room(net, data, rows, monkeypatch) -> None:
    def broken(x, archs, context):
        raise RuntimeError("broken")

    monkeypatch.setattr(net.chain[2], "branch", broken)
    with pytest.raises(RuntimeError, match="broken"):
        evaluate_table(net, rows, NAMES, data)
    with fake_device(), pytest.raises(RuntimeError, match="broken"):
        evaluate_table(net, rows, NAMES, data)


@pytest.mark.slow
def test_what_is_kept_lies_on_the_device_and_goes_when_there_is_no_room(net, data, rows, here) -> None:
    values = {tuple(row): v for row, v in zip(rows.tolist(), here["loss"].tolist(), strict=True)}

    def check(kept: KeptActivations) -> None:
        found = {m.arch: m.values["loss"] for m in evaluate(net, rows, NAMES, data, kept)}
        assert found == pytest.approx(values, abs=1e-5)

    kept = KeptActivations(1 << 30)
    with fake_device() as device:
        for _ in range(2):
            check(kept)
        assert kept.reused
        # Somebody else takes the rest.
        device.room = device.taken + 40_000
        check(kept)
        assert device.refusals
        assert kept.used < device.taken


@pytest.mark.slow
def test_answers_and_attacked_networks(net, data, rows) -> None:
    names = ["accuracy", *names_of(FromNetworks)]
    few = rows[::8]
    answered = dict(predictions(net, few, data, "validation"))
    measured = evaluate_table(net, few, names, data)
    with fake_device() as device:
        there = dict(predictions(net, few, data, "validation"))
        assert all(np.array_equal(answered[at], there[at]) for at in answered)
        before = device.operations
        found = evaluate_table(net, few, names, data)
        assert device.operations > before + 10 * len(few), "attacks were computed there"
    for name in names:
        np.testing.assert_allclose(found[name], measured[name], rtol=1e-6)


def test_another_precision_rounds_and_answers_alike(net, data, rows, here) -> None:
    with using(Device("bf16")):
        rounded = evaluate_table(net, rows, NAMES, data)
    assert rounded["loss"].tobytes() != here["loss"].tobytes()
    np.testing.assert_allclose(rounded["loss"], here["loss"], rtol=0.1)
    assert torch.is_autocast_enabled("cpu") is False
