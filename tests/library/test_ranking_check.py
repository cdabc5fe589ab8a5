"""What was trained alone before counts in a ranking check: with the same settings, whoever trained it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.library import supernets
from core.library.alone import KIND as ALONE
from core.library.alone import AloneRecord
from core.library.ranking_check import KIND, CheckedNet, known_nets, learns
from core.library.trainings import training_of
from core.records import RunState
from core.store import RunStore
from tests.views.test_ranking import planted

CONFIG = {"epochs": 3, "learning_rate": 0.1}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path) as opened:
        yield opened


def kept(store: RunStore, kind: str, record: Any) -> str:
    run_id = store.create_run(kind, {}, title="kept", state=RunState.RUNNING)
    record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    return run_id


def test_the_key_is_of_space_data_and_settings_and_of_nothing_else() -> None:
    entry = supernets.find(None, "digits-lesson")
    config, _ = training_of(entry, epochs=3)
    key = learns(entry, config, "data")
    assert learns(entry, config.model_copy(update={"seed": 5, "strategy": "uniform"}), "data") == key
    assert learns(replace(entry, sha256="0" * 64, supernet_id="other"), config, "data") == key
    others = [
        learns(entry, config.model_copy(update={"epochs": 4}), "data"),
        learns(entry, config.model_copy(update={"batch_size": 32}), "data"),
        learns(entry, config, "other data"),
        learns(supernets.find(None, "digits-cnn"), config, "data"),
    ]
    assert len({key, *others}) == 5


def test_networks_of_equal_settings_are_found_and_no_others(store: RunStore) -> None:
    entry = supernets.find(None, "digits-lesson")
    config, _ = training_of(entry, **CONFIG)
    key = learns(entry, config, "data")
    ids = tuple(entry.space.arch_ids(entry.space.array()[:3]))
    record = planted(np.zeros(3), np.full((3, 1), 0.5), ids=ids).model_copy(update={"learns": key})
    first = kept(store, KIND, record)
    kept(
        store, KIND, planted(np.ones(3), np.full((3, 2), 0.7), ids=ids).model_copy(update={"learns": "other"})
    )

    def alone(arch_id: str, accuracy: float, sha256: str = entry.sha256, **changes: Any) -> str:
        told = config.model_copy(update=changes).model_dump(
            mode="json", exclude={"strategy", "strategy_config", "seed"}
        )
        net = {
            "index": 0,
            "seed": 1,
            "sha256": "",
            "seconds": 1,
            "accuracy": accuracy,
            "test_accuracy": accuracy,
        }
        fields: dict[str, Any] = {
            "supernet": "x",
            "sha256": sha256,
            "arch_id": arch_id,
            "arch": {},
            "data": {},
            "training": told,
            "training_from_card": True,
            "asked": 1,
            "inside": {},
            "versions": {},
            "nets": [net],
        }
        return kept(store, ALONE, AloneRecord.model_validate(fields))

    second = alone(ids[1], 0.6)
    alone(ids[2], 0.9, learning_rate=0.2)
    alone(ids[2], 0.9, sha256="1" * 64)
    found = known_nets(store, entry, config, key)
    assert {place: net.test_accuracy for place, net in found.items()} == {
        (ids[0], 1): 0.5,
        (ids[1], 1): 0.6,
        (ids[2], 1): 0.5,
    }
    assert [found[i, 1].run for i in ids] == [first, second, first]
    # Who counted a network says who had trained it.
    third = record.model_copy(
        update={"nets": (CheckedNet(arch_id="z", seed=1, accuracy=0.1, test_accuracy=0.1, run="elsewhere"),)}
    )
    kept(store, KIND, third)
    assert known_nets(store, entry, config, key)["z", 1].run == "elsewhere"
    assert known_nets(None, entry, config, key) == {}
