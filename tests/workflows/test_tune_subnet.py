"""Tuning a subnet as a job: what it keeps, that it resumes, that only the start differs from training from scratch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.export.subnet import extract_subnet
from core.library import networks, supernets
from core.library.extract_trained import extract_trained
from core.library.library import Library
from core.library.tuned import KIND, TunedRecord, list_tuned
from core.networks.chain import blocks_of
from core.networks.file import load_net
from core.records import RunState, Source
from core.store import MemoryLedger, RunStore
from core.tasks.base import task_of
from core.training.config import TrainingConfig
from core.training.plain import PlainStep
from core.workflows import train_alone, tune_subnet
from core.workflows.tune_subnet import Request


@pytest.fixture(autouse=True)
def found(digits_entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)
    monkeypatch.setattr(supernets, "find", lambda store, name: digits_entry)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path) as opened:
        yield opened


def request(entry: supernets.SupernetEntry, **changes: Any) -> Request:
    arch = entry.space.arch_id(entry.space.smallest)
    return Request.model_validate(
        {"supernet": "small", "arch": arch, "seeds": 2, "epochs": 1, "seed": 3, **changes}
    )


def record_of(ledger: Any) -> dict[str, Any]:
    summary = json.loads(ledger.artifact(TunedRecord.FILE))
    for net in summary["nets"]:
        assert net.pop("seconds") > 0
    return summary


def ended(ledger: Any, asked: Request) -> dict[str, Any]:
    list(tune_subnet.run(asked, ledger, Library()))
    return record_of(ledger)


@pytest.mark.slow
def test_a_run_keeps_what_was_tuned_and_from_scratch_and_a_stop_changes_nothing(
    digits_entry: supernets.SupernetEntry,
) -> None:
    whole, asked = MemoryLedger(), request(digits_entry, teacher=True)
    steps = list(tune_subnet.run(asked, whole, Library()))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert "tuned" in steps[-1].message
    summary = record_of(whole)
    assert [(net["start"], net["seed"], net["index"]) for net in summary["nets"]] == [
        ("tuned", 3, 0),
        ("scratch", 3, 1),
        ("tuned", 4, 2),
        ("scratch", 4, 3),
    ]
    assert (summary["training"]["learning_rate"], summary["scratch"]["learning_rate"]) == (0.1, 0.1)
    subnet = extract_subnet(
        supernets.load(digits_entry), digits_entry.space.smallest, supernets.dataset(digits_entry)
    )
    assert summary["inside"]["test_accuracy"] == subnet.card["test_accuracy"].value
    test = supernets.dataset(digits_entry).test
    for net in summary["nets"]:
        loaded, about = load_net(whole.artifact(f"net-{net['index']}.safetensors"))
        assert blocks_of(loaded) == blocks_of(subnet.net)
        assert about["seed"] == net["seed"]
        right = (loaded(torch.from_numpy(test.x)).argmax(1) == torch.from_numpy(test.y)).float().mean()
        assert net["test_accuracy"] == pytest.approx(float(right), abs=1e-6)
    for kept in (1, 2):  # stopped in the midst of the second and of the third network
        ledger = MemoryLedger()
        running = tune_subnet.run(asked, ledger, Library())
        for step in running:
            if step.fraction > kept / 4:
                break
        running.close()
        assert ended(ledger, asked) == summary


@pytest.mark.slow
def test_without_a_teacher_scratch_is_training_alone_and_the_subnet_itself_stays(
    digits_entry: supernets.SupernetEntry,
) -> None:
    ledger, other = MemoryLedger(), MemoryLedger()
    summary = ended(ledger, request(digits_entry, seeds=1, epochs=2))
    alone = train_alone.Request(supernet="small", arch=summary["arch_id"], seeds=1, seed=3, epochs=2)
    list(train_alone.run(alone, other, Library()))
    assert ledger.artifact("net-1.safetensors") == other.artifact("net-0.safetensors")
    assert ledger.artifact("net-0.safetensors") != ledger.artifact("net-1.safetensors")
    tuned_only = ended(MemoryLedger(), request(digits_entry, seeds=1, epochs=2, scratch=False))
    assert [net["start"] for net in tuned_only["nets"]] == ["tuned"]
    assert tuned_only["nets"][0]["sha256"] == summary["nets"][0]["sha256"], (
        "what stands beside it changes nothing"
    )
    # A rate of next to nothing leaves the weights of the supernet where they are.
    still = MemoryLedger()
    ended(still, request(digits_entry, seeds=1, learning_rate=1e-12, scratch=False))
    subnet = extract_subnet(
        supernets.load(digits_entry), digits_entry.space.smallest, supernets.dataset(digits_entry)
    )
    kept, _ = load_net(still.artifact("net-0.safetensors"))
    for (name, now), before in zip(kept.named_parameters(), subnet.net.parameters(), strict=True):
        assert torch.allclose(now, before, atol=1e-6), name


def test_half_of_the_loss_imitates_the_teacher(digits_entry: supernets.SupernetEntry) -> None:
    data = supernets.dataset(digits_entry)
    config = TrainingConfig(batch_size=32, learning_rate=0.1)
    batch = next(iter(task_of(data).epoch(data, batch_size=32, seed=0, epoch=0, augmentation={})))

    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    teacher = made(1).eval().requires_grad_(False)
    before = [p.clone() for p in teacher.parameters()]
    outputs, answers = made(0)(batch.inputs).detach(), teacher(batch.inputs)
    labels = -torch.log_softmax(outputs, 1)[torch.arange(32), batch.targets].mean()
    imitation = -(answers.softmax(1) * torch.log_softmax(outputs, 1)).sum(1).mean()
    assert PlainStep(made(0), data, config)(0, batch, 0.1) == pytest.approx(float(labels), rel=1e-5)
    taught = PlainStep(made(0), data, config, teacher=teacher)(0, batch, 0.1)
    assert taught == pytest.approx(float(labels + imitation) / 2, rel=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))


def test_networks_are_listed_described_and_downloaded(
    store: RunStore, digits_entry: supernets.SupernetEntry
) -> None:
    asked = request(digits_entry, seeds=1)
    run_id = store.create_run(KIND, asked.model_dump(mode="json"), title="tuned", state=RunState.RUNNING)
    list(tune_subnet.run(asked, store.ledger(run_id), Library(store)))
    store.set_state(run_id, RunState.DONE)
    nets = list_tuned(store, "small", asked.arch)
    assert [(net.start, net.seed, net.finished) for net in nets] == [("tuned", 3, True), ("scratch", 3, True)]
    assert list_tuned(store, "small", "other") == [] == list_tuned(None)
    for net in nets:
        info, known = networks.describe(store, net.model_id), networks.known(store, net.model_id)
        assert info.arch_id == asked.arch
        assert ("from scratch" in info.title) == (net.start == "scratch")
        assert known.values["test_accuracy"] == net.test_accuracy
        assert known.obtained["accuracy"].source is Source.TRAINED
        extracted = extract_trained(store, net.model_id)
        assert extracted.card["test_accuracy"].value == net.test_accuracy
        assert net.history in extracted.history
        assert f"{net.start}-1-seed-3" in extracted.file_name("zip")
    model = networks.load_model(store, nets[0].model_id)
    x = torch.from_numpy(np.zeros((2, 1, 8, 8), np.float32))
    assert torch.equal(model.net(x), extract_trained(store, nets[0].model_id).net(x))
