"""What a group of runs ended with: one row per seed, and means that say how many seeds they are of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.library.alone import AloneRecord, TrainedNet
from core.library.searches import SearchRecord
from core.records import RunState
from core.store import RunStore
from core.views.seed_groups import seed_groups
from core.views.seed_results import seed_numbers, seed_rows

SEARCH = {"supernet": "digits-cnn", "objectives": ["accuracy", "macs"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'test.db'}", tmp_path) as opened:
        yield opened


def run(store: RunStore, kind: str, params: dict[str, Any], *, done: bool = True) -> str:
    state = RunState.DONE if done else RunState.CANCELLED
    run_id = store.create_run(kind, params, title="t", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    if kind == "search_front":
        volume = float(10 + params["seed"])
        SearchRecord(evaluations=5, front_size=2, hypervolume=volume, reference=None, sources=()).save(ledger)
    elif kind == "train_supernet":
        seed = params["training"]["seed"]
        for epoch in (0, 1):
            row = {"epoch": epoch, "smallest": 0.1 * seed + 0.1 * epoch, "largest": 0.9, "seconds": 1.0}
            ledger.log_metrics(epoch, row)
    store.set_state(run_id, state)
    return run_id


def test_searches_end_with_a_hypervolume_each(store: RunStore) -> None:
    ids = [run(store, "search_front", SEARCH | {"seed": s}) for s in (1, 0)]
    run(store, "search_front", SEARCH | {"seed": 2}, done=False)
    [group] = seed_groups(store.list_runs())
    assert [(r["seed"], r["run"], r["hypervolume"]) for r in seed_rows(store, group)] == [
        (0, ids[1], 10.0),
        (1, ids[0], 11.0),
    ]
    volume = seed_numbers(store, group)[0]
    assert (volume.label, volume.share, volume.spread.n, volume.spread.mean) == (
        "hypervolume",
        False,
        2,
        10.5,
    )


def test_trainings_end_with_the_accuracies_of_their_last_epoch(store: RunStore) -> None:
    base = {"title": "x", "family": "elastic_cnn", "data": {"name": "digits"}}
    for seed in (0, 2):
        run(store, "train_supernet", base | {"training": {"seed": seed}})
    [group] = seed_groups(store.list_runs())
    numbers = {n.label: n for n in seed_numbers(store, group)}
    assert set(numbers) == {"smallest accuracy", "largest accuracy"}
    assert numbers["smallest accuracy"].share
    assert numbers["smallest accuracy"].spread.mean == pytest.approx(0.2)


def test_a_training_alone_has_a_row_per_network_and_no_seed_twice(store: RunStore) -> None:
    params = {"supernet": "digits-cnn", "arch": "000000000000", "seeds": 2}
    for first in (1, 2):
        run_id = store.create_run("train_alone", params | {"seed": first}, title="t", state=RunState.RUNNING)
        nets = tuple(
            TrainedNet(index=k, seed=first + k, sha256="", seconds=1.0, accuracy=0.5, test_accuracy=0.6)
            for k in range(2)
        )
        schedule = {"epochs": 1, "learning_rate": 0.1}
        where = {"supernet": "digits-cnn", "sha256": "", "arch_id": "0", "arch": {}, "data": {}, "inside": {}}
        told = {"training": schedule, "training_from_card": True, "versions": {}, "asked": 2, "nets": nets}
        record: dict[str, Any] = {**where, **told}
        AloneRecord.model_validate(record).save(store.ledger(run_id))
        store.set_state(run_id, RunState.DONE)
    [group] = seed_groups(store.list_runs())
    assert [r["seed"] for r in seed_rows(store, group)] == [1, 2, 3]
    assert [n.spread.n for n in seed_numbers(store, group)] == [3, 3]


def test_kinds_without_such_numbers_have_none(store: RunStore) -> None:
    run(store, "evaluate_table", {"supernet": "digits-cnn"})
    [group] = seed_groups(store.list_runs())
    assert seed_numbers(store, group) == []
