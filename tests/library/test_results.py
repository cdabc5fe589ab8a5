"""Results of runs: typed, found without scanning, old ones readable, damaged ones alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from core.errors import InvalidInput
from core.library import supernets
from core.library.alone import KIND, AloneRecord, find_alone, list_alone, net_file
from core.library.evaluated import EvaluatedRecord
from core.library.experiments import ExperimentRecord
from core.library.networks import describe
from core.library.pruned import FailedMethod, PrunedNet, PruningRecord, list_pruned
from core.library.suggestions import suggestions
from core.pruning.experiments.base import Row
from core.records import RunState
from core.store import RunStore

ARCH = "311131113111"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'results.db'}", tmp_path) as opened:
        yield opened


@pytest.fixture
def reads() -> Iterator[list[str]]:
    """Every question that the database is asked."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


def summary(index: int) -> dict[str, Any]:
    """As release 0.1 wrote it."""
    return {
        "format": 1,
        "supernet": "digits-cnn",
        "sha256": "0" * 64,
        "arch_id": ARCH,
        "arch": {"width1": 8},
        "data": {"title": "Digits"},
        "training": {"epochs": 2, "learning_rate": 0.1, "shift": 1},
        "training_from_card": True,
        "asked": 1,
        "inside": {"accuracy": 0.5, "test_accuracy": 0.4},
        "versions": {"torch": "2"},
        "nets": [
            {
                "index": 0,
                "seed": index,
                "sha256": "1" * 64,
                "seconds": 1.5,
                "accuracy": 0.9,
                "test_accuracy": 0.8,
            }
        ],
    }


def trained_alone(store: RunStore, index: int) -> str:
    run_id = store.create_run(KIND, {"supernet": "digits-cnn"}, title="alone", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    ledger.save_artifact(net_file(0), f"net {index}".encode(), "application/octet-stream")
    ledger.save_artifact(AloneRecord.FILE, json.dumps(summary(index)).encode(), "application/json")
    store.set_state(run_id, RunState.DONE)
    return run_id


def test_suggestions_ask_the_database_as_often_for_forty_networks_as_for_four(
    store: RunStore, reads: list[str]
) -> None:
    entry = supernets.find(None, "digits-cnn")
    asked = {}
    for count in (4, 40):
        for index in range(len(list_alone(store)), count):
            trained_alone(store, index)
        reads.clear()
        found = suggestions(store, entry)
        asked[count] = len(reads)
        assert sum(info.origin == "alone" for info in found) == count
    assert asked[40] == asked[4] <= 4


def test_one_network_is_found_by_its_id_whatever_else_there_is(store: RunStore, reads: list[str]) -> None:
    runs = [trained_alone(store, index) for index in range(12)]
    reads.clear()
    assert describe(store, f"alone:{runs[3]}:0").seed == 3
    first = len(reads)
    reads.clear()
    found = find_alone(store, runs[5], 0)
    assert found is not None
    assert (found.seed, found.epochs, found.accuracy, found.finished) == (5, 2, 0.9, True)
    assert max(first, len(reads)) <= 4
    assert find_alone(store, runs[5], 1) is None


def test_a_damaged_result_leaves_the_others(store: RunStore) -> None:
    broken, whole = trained_alone(store, 0), trained_alone(store, 1)
    for content in (b"{", b"[]", b'{"format": 1}', b'{"format": "x"}', b"\xff"):
        store.ledger(broken).save_artifact(AloneRecord.FILE, content, "application/json")
        assert [net.run_id for net in list_alone(store)] == [whole]


def test_a_file_of_a_newer_release_says_so_and_one_of_an_older_is_read() -> None:
    with pytest.raises(InvalidInput, match="newer release"):
        AloneRecord.decode(json.dumps(summary(0) | {"format": 2}).encode())
    # The first format of later evaluations was the mapping itself.
    assert EvaluatedRecord.decode(b'{"pruned:a:1": "margins-0.safetensors"}').files == {
        "pruned:a:1": "margins-0.safetensors"
    }
    new = EvaluatedRecord(files={"pruned:a:1": "margins-1.safetensors"})
    assert EvaluatedRecord.decode(new.encode()) == new


def test_records_are_read_back_as_they_were_written() -> None:
    rows = tuple(Row("ticket", seed, 0.5, 0.25 * seed) for seed in (0, 1))
    experiment = ExperimentRecord(parts=(rows, rows[:1]), verdict=("It shows.",))
    assert ExperimentRecord.decode(experiment.encode()) == experiment
    assert [asdict(row) for row in ExperimentRecord.decode(experiment.encode()).rows] == [
        asdict(row) for row in (*rows, rows[0])
    ]
    alone = AloneRecord.decode(json.dumps(summary(3)).encode())
    assert AloneRecord.decode(alone.encode()) == alone
    assert json.loads(alone.encode())["training"]["shift"] == 1


def pruned_net(index: int, **changes: Any) -> PrunedNet:
    fields = {
        "index": index,
        "method": "magnitude",
        "label": "Magnitude",
        "config": (("rounds", 3),),
        "removes": "weights",
        "asked": 0.5,
        "sparsity": 0.49,
        "numbers": {"accuracy": 0.9},
        "stages": ("stem",),
        "note": "",
        "seconds": 1.0,
        "tuning_epochs": 2,
        "surgery": False,
        "sha256": "2" * 64,
    }
    return PrunedNet.model_validate(fields | changes)


def test_a_pruning_record_keeps_the_newest_of_each_place_and_is_listed(store: RunStore) -> None:
    record = PruningRecord(
        model=f"subnet:digits-cnn:{ARCH}",
        model_key="k",
        supernet="digits-cnn",
        arch_id=ARCH,
        seed=4,
        tuning={"epochs": 2},
        probe="p",
        versions={},
    )
    for net in (pruned_net(2), pruned_net(0, method=""), pruned_net(2, asked=0.9)):
        record = record.with_net(net)
    lost = FailedMethod(number=1, method="taylor", label="Taylor", reason="no")
    record = record.finished(0, None).finished(1, lost)
    assert ([n.index for n in record.models], record.done, record.failures) == ([0, 2], (0, 1), (lost,))
    run_id = store.create_run("prune_models", {"model": record.model}, title="p", state=RunState.RUNNING)
    record.save(store.ledger(run_id))
    assert PruningRecord.so_far(store.ledger(run_id)) == record
    parent, net = list_pruned(store, record.model)
    assert (parent.model_id, parent.is_parent) == (record.model, True)
    assert (net.model_id, net.asked, net.config, net.seed) == (f"pruned:{run_id}:2", 0.9, (("rounds", 3),), 4)
    assert list_pruned(store, "subnet:digits-cnn:0") == []
