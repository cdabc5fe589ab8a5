"""Numbers of another device or precision are named as such, and never mixed with the processor's in silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from core.device import Device, using
from core.errors import InvalidInput
from core.evaluation.evaluator import evaluate
from core.library.latency import LatencyRecord
from core.library.measuring import evaluation_data
from core.library.supernets import TABLE_FILE, SupernetEntry, load
from core.library.tables import parse_table
from core.records import Source
from core.store import MemoryLedger
from core.workflows import evaluate_table, measure_latency
from tests.helpers.fake_device import fake_device
from tests.helpers.small_entry import small_entry

NAMES = ["accuracy", "loss", "macs"]


@pytest.fixture(scope="module")
def entry() -> SupernetEntry:
    return small_entry(limit_validation=40)


def run(entry: SupernetEntry, ledger: MemoryLedger, *, stop: bool = False) -> Any:
    library: Any = SimpleNamespace(supernet=lambda name: entry)
    steps = evaluate_table.run(evaluate_table.Request(supernet="small", objectives=NAMES), ledger, library)
    for step in steps:
        if stop and "evaluations" in step.metrics:
            steps.close()
            return None
    return parse_table(ledger.artifact(TABLE_FILE), entry.space)


@pytest.mark.slow
def test_a_table_says_where_it_was_measured(entry) -> None:
    here = run(entry, MemoryLedger())
    assert not any(column.endswith("_source") for column in here)
    with fake_device():
        there = run(entry, MemoryLedger())
    for name in ("accuracy", "loss"):
        assert set(there[f"{name}_source"]) == {"measured (strict float32)"}
        assert (there[name] == here[name]).all()
    assert "macs_source" not in there, "what is counted is the same everywhere"
    with using(Device("bf16")):
        assert set(run(entry, MemoryLedger())["loss_source"]) == {"measured (cpu bf16)"}


def test_a_run_goes_on_where_it_began(entry) -> None:
    ledger = MemoryLedger()
    run(entry, ledger, stop=True)
    assert ledger.latest_checkpoint() is not None
    with fake_device(), pytest.raises(InvalidInput, match="PARETOSCOPE_DEVICE"):
        run(entry, ledger)
    with using(Device("bf16")), pytest.raises(InvalidInput, match="PARETOSCOPE_PRECISION"):
        run(entry, ledger)
    assert len(run(entry, ledger)) == entry.space.size


def test_a_single_measurement_says_it_too(entry) -> None:
    net, data = load(entry), evaluation_data(entry, None, NAMES)
    (here,) = evaluate(net, [entry.space.largest], NAMES, data)
    assert here.how("loss").detail == ""
    with fake_device():
        (there,) = evaluate(net, [entry.space.largest], NAMES, data)
    assert (there.how("loss").source, there.how("loss").detail) == (Source.MEASURED, "strict float32")
    assert there.how("loss").source.may_stand
    assert there.how("macs").source is Source.COUNTED


@pytest.mark.slow
def test_a_latency_of_the_device_is_an_objective_of_its_own(entry) -> None:
    """Timed by torch there, with the device's clock: every subnet takes as long as it has operations."""
    request = measure_latency.Request(
        supernet="small", on_device=True, subnets=16, most=16, seconds=0.01, batch=2
    )
    library: Any = SimpleNamespace(supernet=lambda name: entry)
    ledger = MemoryLedger()
    with fake_device() as device:
        device.operation = 1e-3
        *_, last = measure_latency.run(request, ledger, library)
    record = LatencyRecord.decode(ledger.artifact(LatencyRecord.FILE))
    said = record.profile.device
    assert (said.runtime, said.provider, said.batch) == ("torch", "strict", 2)
    assert "batch-2" in record.objective
    assert all(ms == pytest.approx(round(ms)) for ms in record.profile.timings.ms), (
        "whole operations of a millisecond"
    )
    assert last.metrics == {"timed": 16}
