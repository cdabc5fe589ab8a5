"""Training alone as a job: what it keeps, that it resumes, and how its networks are found and loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import CoreError, DamagedArtifact, InvalidInput, NotFound
from core.export.subnet import extract_subnet
from core.library import results as results_module
from core.library import supernets
from core.library.alone import KIND, AloneRecord, find_alone, list_alone, load_alone, net_file
from core.library.library import Library
from core.library.trainings import training_of
from core.networks.chain import blocks_of
from core.networks.file import load_net
from core.records import RunState
from core.store import MemoryLedger, RunStore
from core.training.config import TrainingConfig
from core.workflows import train_alone
from core.workflows.train_alone import Request


@pytest.fixture(autouse=True)
def found(digits_entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path) as opened:
        yield opened


def request(entry: supernets.SupernetEntry, **changes: Any) -> Request:
    space = entry.space
    plain = {
        "supernet": entry.supernet_id,
        "arch": space.arch_id(space.smallest),
        "seeds": 2,
        "seed": 5,
        "epochs": 2,
    }
    return Request.model_validate(plain | changes)


def nets(ledger: Any) -> dict[str, str]:
    return {a.name: a.sha256 for a in ledger.artifacts() if a.name != AloneRecord.FILE}


def without_times(ledger: Any) -> Any:
    summary = json.loads(ledger.artifact(AloneRecord.FILE))
    for net in summary["nets"]:
        net.pop("seconds")
    return summary


def test_a_run_keeps_one_network_per_seed_and_a_summary(digits_entry: supernets.SupernetEntry) -> None:
    ledger = MemoryLedger()
    steps = list(train_alone.run(request(digits_entry), ledger, Library()))
    fractions = [s.fraction for s in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert steps[-1].message.startswith("Trained alone with 2 seeds: test accuracy ")
    summary = json.loads(ledger.artifact(AloneRecord.FILE))
    arch = digits_entry.space.smallest
    subnet = extract_subnet(supernets.load(digits_entry), arch, supernets.dataset(digits_entry))
    assert summary["supernet"] == "small"
    assert summary["sha256"] == digits_entry.sha256
    assert summary["arch_id"] == digits_entry.space.arch_id(arch)
    assert summary["inside"] == {n: subnet.card[n].value for n in ("accuracy", "test_accuracy")}
    assert [n["seed"] for n in summary["nets"]] == [5, 6]
    assert summary["training"]["epochs"] == 2
    assert not {"strategy", "seed"} & summary["training"].keys()
    test = supernets.dataset(digits_entry).test
    for net in summary["nets"]:
        data = ledger.artifact(net_file(net["index"]))
        assert hashlib.sha256(data).hexdigest() == net["sha256"]
        loaded, about = load_net(data)
        assert blocks_of(loaded) == blocks_of(subnet.net)
        assert about["seed"] == net["seed"]
        right = (loaded(torch.from_numpy(test.x)).argmax(1) == torch.from_numpy(test.y)).float().mean()
        assert net["test_accuracy"] == pytest.approx(float(right), abs=1e-6)
        assert net["seconds"] > 0
    assert len(set(nets(ledger).values())) == 2
    assert [(m["net"], m["epoch"]) for m in ledger.metrics()] == [(0, 1), (0, 2), (1, 1), (1, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("most", [4, pytest.param(200, marks=pytest.mark.long)])
def test_a_run_stopped_anywhere_and_resumed_keeps_the_same_bytes(
    most: int, digits_entry: supernets.SupernetEntry
) -> None:
    whole = MemoryLedger()
    n_yields = len(list(train_alone.run(request(digits_entry), whole, Library())))
    assert n_yields >= 8
    # A slow machine yields more often, so their number bounds nothing.
    for cut in sorted({round(at) for at in np.linspace(1, n_yields - 1, most)}):
        ledger = MemoryLedger()
        steps = train_alone.run(request(digits_entry), ledger, Library())
        for _ in range(cut):
            next(steps, None)  # yields depend on the clock
        steps.close()
        list(train_alone.run(request(digits_entry), ledger, Library()))
        assert nets(ledger) == nets(whole), f"cut after {cut} yields"
        assert without_times(ledger) == without_times(whole)


@pytest.mark.slow
def test_equal_seeds_give_equal_networks_in_other_runs(digits_entry: supernets.SupernetEntry) -> None:
    first, second = MemoryLedger(), MemoryLedger()
    list(train_alone.run(request(digits_entry, seeds=2, seed=5), first, Library()))
    list(train_alone.run(request(digits_entry, seeds=1, seed=6), second, Library()))
    assert nets(second)[net_file(0)] == nets(first)[net_file(1)]


def test_divergence_is_a_sentence(digits_entry: supernets.SupernetEntry) -> None:
    ledger = MemoryLedger()
    with pytest.raises(CoreError, match=r"^Seed 5: Training diverged in epoch 1: .*\.$"):
        list(train_alone.run(request(digits_entry, learning_rate=1e11), ledger, Library()))
    assert ledger.artifacts() == []


def test_architectures_that_do_not_exist_are_refused(digits_entry: supernets.SupernetEntry) -> None:
    with pytest.raises(InvalidInput):
        list(train_alone.run(request(digits_entry, arch="zzzz"), MemoryLedger(), Library()))


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"epochs": 0}, {"learning_rate": 0}, {"more": 1}])
def test_requests_out_of_bounds_are_refused(digits_entry: supernets.SupernetEntry, wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        request(digits_entry, **wrong)


# --- settings -------------------------------------------------------------------------------------


def test_settings_are_those_of_the_supernet_unless_changed() -> None:
    entry = supernets.find(None, "fashion-cnn")
    config, from_card = training_of(entry)
    card = entry.card.training
    for name in ("epochs", "learning_rate", "batch_size", "optimizer", "momentum", "clip"):
        assert getattr(config, name) == card[name]
    # Cards of release 0.1 name what was done to samples beside the other settings.
    assert config.augmentation == {"shift": card["shift"], "flip": card["flip"]}
    assert from_card
    changed, _ = training_of(entry, epochs=3, learning_rate=0.02)
    assert (changed.epochs, changed.learning_rate, changed.batch_size) == (3, 0.02, card["batch_size"])


def test_a_card_that_says_nothing_usable_gives_the_defaults(digits_entry: supernets.SupernetEntry) -> None:
    assert training_of(digits_entry) == (TrainingConfig(), False)
    header = {
        **digits_entry.header,
        "card": {**digits_entry.header["card"], "training": {"batch_size": "many"}},
    }
    other = supernets.SupernetEntry("x", "x", "uploaded", "0" * 64, header, digits_entry.read)
    assert training_of(other, epochs=2) == (TrainingConfig(epochs=2), False)


# --- finding --------------------------------------------------------------------------------------


def kept_run(
    store: RunStore, entry: supernets.SupernetEntry, *, stop_after: int | None = None, **changes: Any
) -> str:
    asked = request(entry, **changes)
    run_id = store.create_run(KIND, asked.model_dump(), title="alone", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    steps = train_alone.run(asked, ledger, Library())
    for _ in steps:
        if stop_after is not None and len(nets(ledger)) == stop_after:
            break
    store.set_state(run_id, RunState.DONE if stop_after is None else RunState.CANCELLED)
    return run_id


@pytest.mark.slow
def test_networks_are_listed_described_and_loaded(
    store: RunStore, digits_entry: supernets.SupernetEntry
) -> None:
    first = kept_run(store, digits_entry)
    largest = digits_entry.space.arch_id(digits_entry.space.largest)
    second = kept_run(store, digits_entry, arch=largest, seeds=1, seed=9)
    listed = list_alone(store)
    assert [n.model_id for n in listed] == [f"alone:{second}:0", f"alone:{first}:0", f"alone:{first}:1"]
    assert [n.seed for n in listed] == [9, 5, 6]
    assert all(n.finished and n.supernet_id == "small" for n in listed)
    assert list_alone(store, "small", largest) == listed[:1]
    assert list_alone(store, "another") == []
    assert list_alone(None) == []
    assert find_alone(store, first, 1) == listed[2]
    net = load_alone(store, first, 1)
    assert not net.training
    expected = load_net(store.ledger(first).artifact(net_file(1)))[0].state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in net.state_dict().items())


def test_a_stopped_run_has_the_networks_it_finished(
    store: RunStore, digits_entry: supernets.SupernetEntry
) -> None:
    run_id = kept_run(store, digits_entry, stop_after=1)
    [net] = list_alone(store)
    assert (net.model_id, net.of, net.finished) == (f"alone:{run_id}:0", 2, False)


def test_what_is_not_there_is_said(store: RunStore, digits_entry: supernets.SupernetEntry) -> None:
    run_id = kept_run(store, digits_entry, seeds=1)
    other = store.create_run("search_front", {}, title="search")
    for missing in ((run_id, 1), ("nothing", 0), (other, 0)):
        assert find_alone(store, *missing) is None
        with pytest.raises(NotFound):
            load_alone(store, *missing)


def test_damaged_files_are_noticed_and_a_list_goes_on(
    store: RunStore, digits_entry: supernets.SupernetEntry
) -> None:
    run_id = kept_run(store, digits_entry, seeds=1)
    sound = kept_run(store, digits_entry, seeds=1, seed=8)
    results_module._records.clear()
    for artifact in store.ledger(run_id).artifacts():
        [file] = [p for p in store.home.rglob("*") if artifact.sha256 in p.as_posix().replace("/", "")]
        file.chmod(0o644)
        file.write_bytes(b"{}" + file.read_bytes()[2:])
    assert [n.run_id for n in list_alone(store)] == [sound]
    with pytest.raises(DamagedArtifact):
        load_alone(store, run_id, 0)


def test_a_file_of_another_kind_is_refused(store: RunStore, digits_entry: supernets.SupernetEntry) -> None:
    run_id = store.create_run(KIND, {}, title="odd", state=RunState.RUNNING)
    store.ledger(run_id).save_artifact(net_file(0), digits_entry.read(), "application/octet-stream")
    with pytest.raises(InvalidInput):
        load_alone(store, run_id, 0)
