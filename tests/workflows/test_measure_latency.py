"""The whole way on a small supernet, with real clocks: time, predict, settle, keep; and look again later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import InvalidInput
from core.evaluation.latency.campaign import State
from core.evaluation.latency.profile import FILE, read_profile
from core.library.latency import LatencyCheck, LatencyRecord, latencies
from core.records import RunState
from core.store import MemoryLedger, RunStore
from core.workflows import check_latency, measure_latency
from core.workflows.measure_latency import Request

QUICK = {"supernet": "small", "subnets": 16, "agreement": 0.5, "seconds": 1.0}


@pytest.fixture
def library(digits_entry: Any, tmp_path: Path) -> Any:
    store = RunStore("sqlite://", tmp_path)
    return SimpleNamespace(
        store=store, require_store=lambda: store, supernet=lambda name: digits_entry, entry=digits_entry
    )


@pytest.mark.slow
def test_a_run_keeps_a_profile_and_what_was_made_of_it(library: Any) -> None:
    store = library.store
    run_id = store.create_run("measure_latency", QUICK, title="Latency", state=RunState.RUNNING)
    said = list(measure_latency.run(Request(**QUICK), store.ledger(run_id), library))
    fractions = [step.fraction for step in said]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert "of 48 subnets timed" in said[-1].message
    [found] = latencies(store, library.entry)
    profile = read_profile(store.ledger(run_id).artifact(FILE))
    assert profile == found.record.profile
    assert found.record.sampled == 16
    assert found.record.settled is not None
    assert set(profile.anchors.arch_ids) <= set(profile.timings.arch_ids)
    assert min(profile.timings.ms) > 0
    # Finished work that is started again times nothing.
    again = list(measure_latency.run(Request(**QUICK), store.ledger(run_id), library))
    assert not any("Timing" in step.message for step in again)
    assert read_profile(store.ledger(run_id).artifact(FILE)).timings == profile.timings

    check = store.create_run("check_latency", {"supernet": "small", "run": run_id}, title="Check")
    asked = check_latency.Request(supernet="small", run=run_id, seconds=0.2)
    assert (
        "than when they were timed"
        in list(check_latency.run(asked, store.ledger(check), library))[-1].message
    )
    record = LatencyCheck.so_far(store.ledger(check))
    assert record is not None
    assert (record.of, record.objective) == (run_id, found.record.objective)
    assert -0.9 < record.drift < 20
    with pytest.raises(InvalidInput, match="keeps no latencies"):
        list(check_latency.run(asked.model_copy(update={"run": check}), store.ledger(check), library))


@pytest.mark.slow
def test_a_run_does_not_go_on_on_another_machine(library: Any) -> None:
    ledger = MemoryLedger(params={})
    steps = measure_latency.run(Request(**QUICK), ledger, library)
    while ledger.latest_checkpoint() is None:
        next(steps)
    steps.close()
    kept = State.model_validate_json(ledger.latest_checkpoint() or b"")
    device = kept.device.model_copy(update={"version": "0.0.1"})
    ledger.checkpoint(kept.model_copy(update={"device": device}).model_dump_json().encode(), fraction=0.5)
    with pytest.raises(InvalidInput, match="another one than when"):
        list(measure_latency.run(Request(**QUICK), ledger, library))
    ledger.checkpoint(b"{", fraction=0.5)
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(measure_latency.run(Request(**QUICK), ledger, library))


@pytest.mark.slow
def test_without_a_table_the_sample_is_timed_and_no_front_is_settled(library: Any) -> None:
    bare = replace(library.entry, read_table=None, table_sha256="")
    ledger = MemoryLedger(params={})
    lent = SimpleNamespace(supernet=lambda name: bare, store=None)
    said = list(measure_latency.run(Request(**QUICK), ledger, lent))
    assert "no table of their accuracy" in said[-1].message
    record = LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE))
    assert record.settled is None
    assert len(record.profile.timings.ms) == 16


@pytest.mark.parametrize(
    "wrong",
    [{"threads": 0}, {"batch": 0}, {"subnets": 3}, {"confidence": 1.0}, {"name": "x" * 61}, {"most": 1}],
)
def test_a_request_has_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Request(**(QUICK | wrong))
