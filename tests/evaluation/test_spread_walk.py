"""A walk in shards gives the bits of one walk: in any order, after a loss, after a second run, in other processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.chance.bits import bits_column
from core.device import device_of, using
from core.errors import CoreError, InvalidInput
from core.evaluation import shard, shards, spread_walk
from core.evaluation.by_network import with_networks
from core.evaluation.evaluator import walk
from core.evaluation.spread_walk import walk_on
from core.executors import EXECUTORS, Desk
from core.tasks.base import evaluation_data
from tests.helpers.nets import random_dataset, small_cnn
from tests.helpers.shuffled import Shuffled

MEASURED = ("accuracy", "loss", "test_accuracy")


@pytest.fixture(scope="module")
def net():
    return small_cnn()


@pytest.fixture(scope="module")
def data():
    return evaluation_data(random_dataset())


@pytest.fixture
def many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the work were longer."""
    monkeypatch.setattr(spread_walk, "cut_in_turn", partial(shards.cut, smallest=1e-4, largest=2e-3))


def columns(steps: Iterator[Any], names: Sequence[str], n: int) -> tuple[dict[str, bytes], list[int]]:
    """Objective -> bytes of its column (and of its bits), with how often each row came."""
    kept: dict[str, dict[int, bytes]] = {}
    times = [0] * n
    for indices, values in steps:
        assert set(names) <= set(values)
        for at, index in enumerate(indices):
            times[index] += 1
            for name, column in values.items():
                kept.setdefault(name, {})[index] = np.asarray(column[at]).tobytes()
        assert all(len(column) == len(indices) for column in values.values())
    return {name: b"".join(found[i] for i in range(n)) for name, found in kept.items()}, times


@pytest.mark.parametrize("seed", [0, 1])
def test_any_order_losses_and_second_runs_change_nothing(net, data, many_shards: None, seed: int) -> None:
    rows = net.space.array()[:160]
    executor = Shuffled(seed)
    spread, times = columns(walk_on(executor, net, rows, MEASURED, data, keep_bits=True), MEASURED, len(rows))
    whole, _ = columns(walk(net, rows, MEASURED, data, keep_bits=True), MEASURED, len(rows))
    assert spread == whole
    assert bits_column("accuracy") in whole
    assert times == [1] * len(rows)
    assert len(executor.backend.performed) > len(set(executor.backend.performed)) >= 16


@pytest.mark.slow
def test_what_is_measured_on_extracted_networks_is_spread_too(net, data) -> None:
    rows = net.space.array()[:: net.space.size // 8]
    names = ("accuracy", "robust_accuracy")
    spread, times = columns(walk_on(Shuffled(), net, rows, names, data), names, len(rows))
    alone = with_networks(walk(net, rows, ["accuracy"], data), net, rows, names, data)
    assert spread == columns(alone, names, len(rows))[0]
    assert times == [1] * len(rows)
    assert len({spread["robust_accuracy"][i : i + 8] for i in range(0, 8 * len(rows), 8)}) > 1


def test_nothing_is_given_out_for_no_rows(net, data) -> None:
    assert list(walk_on(Shuffled(), net, net.space.array()[:0], MEASURED, data)) == []


def test_a_split_that_the_data_lack_is_named(net, data) -> None:
    short = type(data)(data.inputs, data.targets, data.calibration_rows, {"test": data.spans["test"]})
    with pytest.raises(InvalidInput, match="lacks the validation split"):
        list(walk_on(Shuffled(), net, net.space.array()[:2], ("accuracy",), short))


def test_who_computes_elsewhere_than_the_driver_says_so(net, data) -> None:
    with using(device_of("cpu", "bf16")):
        shared = shard.shared_bytes(net, data, ("accuracy",), keep_bits=False)
        desk = Desk(shared, None, lambda checkpoint, fraction: None, lambda: False)
        assert shard.measure(bytes(net.smallest), desk)
    with pytest.raises(InvalidInput, match=r"done on cpu bf16, and .* has the processor: give both the same"):
        shard.measure(bytes(net.smallest), desk)


def test_shards_that_never_come_back_are_noticed(net, data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_walk, "cut_in_turn", lambda *args, **given: shards.cut(*args, **given)[1:])
    with pytest.raises(CoreError, match="9 of 9 architectures did not come back"):
        list(walk_on(Shuffled(), net, net.space.array()[:9], ("accuracy",), data))


def workers() -> list[int]:
    """Processes of ours that perform calls."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"process_worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_processes_give_the_same_bits_although_they_are_killed(
    net, data, many_shards: None, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = net.space.array()[:200]
    executor = EXECUTORS.create("processes", {"processes": 2})

    def killed() -> Iterator[Any]:
        came = 0
        for step in walk_on(executor, net, rows, MEASURED, data, keep_bits=True):
            came += bool(step[0])
            if step[0] and came <= 2:
                for pid in workers():
                    os.kill(pid, signal.SIGKILL)
            yield step
        assert came >= 8

    spread, times = columns(killed(), MEASURED, len(rows))
    assert spread == columns(walk(net, rows, MEASURED, data, keep_bits=True), MEASURED, len(rows))[0]
    assert times == [1] * len(rows)
    assert "is started again: its process was ended by the system (SIGKILL" in capfd.readouterr().err
    assert workers() == []
