"""Latencies as columns: timed where timed, predicted elsewhere, and a prediction never stands on a front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.evaluation.latency.campaign import Settled
from core.evaluation.latency.device import this_device
from core.evaluation.latency.model import LatencyModel
from core.evaluation.latency.profile import LatencyProfile
from core.library import supernets
from core.library.evaluations import source_column
from core.library.fronts import front
from core.library.latency import (
    LatencyCheck,
    LatencyRecord,
    attach,
    checks,
    identity_of,
    latencies,
    stale,
    with_latencies,
)
from core.library.supernets import SupernetEntry
from core.records import RunState
from core.store import RunStore
from core.views.latency import known_latencies, offer, with_note
from tests.helpers.latency_world import World, profile_of

EASY = LatencyModel(form="linear", strength=0.003, intercept=0.0, weights=(), columns="0" * 64)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def profile(digits_entry: SupernetEntry) -> LatencyProfile:
    world = World(supernets.costs(digits_entry))
    return profile_of(world, identity_of(digits_entry), n=24)


@pytest.fixture(scope="module")
def record(digits_entry: SupernetEntry, profile: LatencyProfile) -> LatencyRecord:
    return LatencyRecord.of(profile, supernets.costs(digits_entry), like=EASY)


def keep(
    store: RunStore, record: LatencyRecord, supernet: str = "small", kind: str = "measure_latency"
) -> str:
    run_id = store.create_run(kind, {"supernet": supernet}, title="Latency", state=RunState.DONE)
    record.save(store.ledger(run_id))
    return run_id


def test_timed_where_timed_and_predicted_elsewhere(
    digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    table = supernets.table(digits_entry)
    assert table is not None
    found = attach([record], supernets.costs(digits_entry), table)
    timed = dict(zip(record.profile.timings.arch_ids, record.profile.timings.ms, strict=True))
    predicted = record.model.predict(
        supernets.costs(digits_entry), digits_entry.space.from_ids(table["arch_id"].tolist())
    )
    for index, arch_id in enumerate(table["arch_id"]):
        assert found[source_column(record.objective)].iat[index] == (
            "measured" if arch_id in timed else "predicted"
        )
        assert found[record.objective].iat[index] == timed.get(arch_id, predicted[index])
    assert record.objective not in table, "the shared table is not written into"


def test_a_record_of_an_earlier_release_is_fitted_anew(
    digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    table, costs = supernets.table(digits_entry), supernets.costs(digits_entry)
    assert table is not None
    old = record.model_copy(update={"model": record.model.model_copy(update={"columns": "f" * 64})})
    found, expected = attach([old], costs, table), attach([record], costs, table)
    np.testing.assert_allclose(found[record.objective], expected[record.objective])


def test_a_prediction_never_stands_on_a_front(digits_entry: SupernetEntry, record: LatencyRecord) -> None:
    table = supernets.table(digits_entry)
    assert table is not None
    # Predictions that are too good to be true.
    found = attach([record], supernets.costs(digits_entry), table)
    guessed = found[source_column(record.objective)] == "predicted"
    found.loc[guessed, record.objective] = 1e-6
    found.loc[guessed, "accuracy"] = 1.0
    view = front(found, ("accuracy", record.objective))
    assert len(view.members)
    assert set(view.members["arch_id"]) <= set(record.profile.timings.arch_ids)
    assert f"{int(guessed.sum()):,} subnets are left out" in view.left_out
    assert "latency on Toy machine" in view.left_out


def test_one_latency_per_device_and_the_newest_counts(
    store: RunStore, digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    assert latencies(store, digits_entry) == latencies(None, digits_entry) == []
    table = supernets.table(digits_entry)
    assert table is not None
    assert with_latencies(store, digits_entry, "r", table) == ("r", table)
    keep(store, record)
    newer = record.model_copy(update={"sampled": 20})
    second = keep(store, newer)
    keep(store, record, supernet="another of this structure")
    [only] = latencies(store, digits_entry)
    assert (only.run.run_id, only.record.sampled) == (second, 20)
    device = record.profile.device.model_copy(update={"threads": 2})
    keep(store, record.model_copy(update={"profile": record.profile.model_copy(update={"device": device})}))
    names = [each.record.objective for each in latencies(store, digits_entry)]
    assert len(set(names)) == 2
    revision, both = with_latencies(store, digits_entry, "r", table)
    assert revision != "r"
    assert set(names) <= set(both)


def test_a_latency_of_another_structure_is_not_for_this_one(
    store: RunStore, digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    foreign = record.profile.supernet.model_copy(update={"layout": "f" * 64})
    keep(
        store, record.model_copy(update={"profile": record.profile.model_copy(update={"supernet": foreign})})
    )
    run_id = store.create_run("measure_latency", {"supernet": "small"}, title="Damaged", state=RunState.DONE)
    store.ledger(run_id).save_artifact(LatencyRecord.FILE, b'{"format": 1, "profile": 3}', "application/json")
    assert latencies(store, digits_entry) == []


def test_drift_is_noticed_and_a_stale_profile_says_so(record: LatencyRecord) -> None:
    here = this_device(name="Toy machine")
    assert stale(record, None, here) == ""
    assert "another one" in stale(record, None, this_device().model_copy(update={"version": "0.1"}))
    assert stale(record, None, None) == "", "a profile of another machine is not held against this one"
    look: dict[str, Any] = {
        "objective": record.objective,
        "of": "r",
        "agreed": True,
        "date": "2026-11-28T09:00:00Z",
    }
    assert stale(record, LatencyCheck(drift=0.05, **look), here) == ""
    assert "20 % slower" in stale(record, LatencyCheck(drift=0.2, **look), here)
    assert "20 % faster" in stale(record, LatencyCheck(drift=-0.2, **look), here)
    start = record.profile.anchors.start
    anchors = record.profile.anchors.model_copy(update={"end": tuple(1.3 * ms for ms in start)})
    moved = record.model_copy(update={"profile": record.profile.model_copy(update={"anchors": anchors})})
    assert "30 %" in stale(moved, None, here)


def test_the_panel_tells_what_is_known(
    store: RunStore, digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    settled = Settled(objective="accuracy", confidence=0.95, chance=0.02, table=digits_entry.table_sha256)
    run_id = keep(store, record.model_copy(update={"settled": settled}))
    check = store.create_run("check_latency", {"supernet": "small", "run": run_id}, title="Check")
    LatencyCheck(
        objective=record.objective, of=run_id, drift=0.25, agreed=True, date="2026-11-28T10:00:00Z"
    ).save(store.ledger(check))
    assert checks(store)[run_id].drift == 0.25
    [known] = known_latencies(store, digits_entry)
    assert (known.device, known.here, known.name) == ("Toy machine, 1 thread", True, record.objective)
    assert "25 % slower" in known.stale
    assert known.facts["Timed"] == "24 of 48 subnets, the others are predicted"
    assert "consists of timed subnets" in known.front
    _, table = with_latencies(store, digits_entry, "r", supernets.table(digits_entry))  # type: ignore[arg-type]
    view = front(table, ("accuracy", record.objective))
    assert "at most 2.0 %" in with_note(view, store, digits_entry).left_out
    other = front(table, ("loss", record.objective))
    assert with_note(other, store, digits_entry).left_out == other.left_out
    assert offer(digits_entry).sample == 48


def test_a_front_settled_for_another_table_is_not_called_settled(
    store: RunStore, digits_entry: SupernetEntry, record: LatencyRecord
) -> None:
    settled = Settled(objective="accuracy", confidence=0.95, chance=0.02, table="another")
    keep(store, record.model_copy(update={"settled": settled}))
    [known] = known_latencies(store, digits_entry)
    assert "another table" in known.front
    _, table = with_latencies(store, digits_entry, "r", supernets.table(digits_entry))  # type: ignore[arg-type]
    view = front(table, ("accuracy", record.objective))
    assert with_note(view, store, digits_entry) == view
    assert np.isfinite(table[record.objective]).all()
