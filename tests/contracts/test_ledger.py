"""One contract for every ledger: in memory, in a store on every database, and of a part of a run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, NotFound
from core.ledger import Ledger
from core.library.parts import PartLedger
from core.records import Measurement, Obtained, RunState, Source
from core.store import MemoryLedger
from core.store.ledger import decode_measurement, encode_measurement
from tests.store.databases import DATABASES, open_store

PREDICTED = {"accuracy": Obtained(Source.PREDICTED)}
PARAMS = {"epochs": 3, "nested": {"a": [1, 2]}}


@pytest.fixture(params=["memory", "part", *DATABASES])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger("some-run", PARAMS)
        return
    if request.param == "part":
        part = PartLedger(None, lambda state: None)
        part.params = PARAMS
        yield part
        return
    with open_store(request.param, tmp_path) as store:
        yield store.ledger(store.create_run("train_toy", PARAMS, title="t", state=RunState.RUNNING))


def test_knows_its_run_and_request(ledger: Ledger) -> None:
    assert ledger.run_id
    assert dict(ledger.params) == PARAMS


def test_starts_empty(ledger: Ledger) -> None:
    assert ledger.latest_checkpoint() is None
    assert (ledger.measurements(), ledger.metrics(), ledger.artifacts()) == ([], [], [])


def test_gives_back_the_newest_checkpoint(ledger: Ledger) -> None:
    for generation in range(5):
        ledger.checkpoint(bytes([generation]) * 1000, fraction=generation / 5)
        assert ledger.latest_checkpoint() == bytes([generation]) * 1000


def test_the_same_checkpoint_twice_stays_readable(ledger: Ledger) -> None:
    for data in (b"a", b"a", b"b", b"a", b"a", b"a"):
        ledger.checkpoint(data, fraction=0.5)
        assert ledger.latest_checkpoint() == data


def test_an_empty_checkpoint_is_a_checkpoint(ledger: Ledger) -> None:
    ledger.checkpoint(b"", fraction=0.0)
    assert ledger.latest_checkpoint() == b""


def test_measurements_keep_their_order_over_calls(ledger: Ledger) -> None:
    first = [
        Measurement((2, 0, 1), {"accuracy": 0.5, "macs": 10.0}),
        Measurement((0, 0, 0), {"accuracy": 0.1}),
    ]
    ledger.add_measurements(3, first)
    ledger.add_measurements(1, [Measurement((2, 0, 1), {"accuracy": 0.7}, PREDICTED)])
    ledger.add_measurements(9, [])
    assert ledger.measurements() == [
        (3, first[0]),
        (3, first[1]),
        (1, Measurement((2, 0, 1), {"accuracy": 0.7}, PREDICTED)),
    ]
    assert ledger.measurements(after=2) == ledger.measurements()[2:]
    assert ledger.measurements(after=7) == []


def test_how_each_value_was_obtained_is_kept_value_by_value(ledger: Ledger) -> None:
    told = {
        "accuracy": Obtained(Source.MEASURED, "table"),
        "latency_ms": Obtained(Source.PREDICTED, "from a table of blocks, within a tenth of a millisecond"),
        "macs": Obtained(Source.COUNTED),
        "loss": Obtained(Source.MEASURED),
    }
    measured = Measurement((1,), dict.fromkeys(told, 0.25), told)
    ledger.add_measurements(0, [measured])
    ((_, stored),) = ledger.measurements()
    assert stored == measured
    assert {name: stored.how(name) for name in told} == told


def test_rows_of_release_0_1_have_one_source_for_all_values() -> None:
    old = decode_measurement("[2, 0]", '{"accuracy": 0.5, "macs": 10.0}', "measured (noisy latency)")
    assert (old.arch, old.values) == ((2, 0), {"accuracy": 0.5, "macs": 10.0})
    assert old.how("macs") == old.how("accuracy") == Obtained(Source.MEASURED, "noisy latency")
    plain = encode_measurement(0, Measurement((2, 0), {"accuracy": 0.5, "macs": 10.0}))
    assert (plain["objective_values"], plain["source"]) == ('{"accuracy": 0.5, "macs": 10.0}', "measured")


@pytest.mark.parametrize("text", ["guessed", "", "predicted?", "measured?"])
def test_a_source_nobody_knows_keeps_its_value_off_fronts(text: str) -> None:
    row = decode_measurement("[0]", '{"accuracy": 0.5}', text)
    assert not row.may_stand(["accuracy"])


def test_stores_plain_python_values(ledger: Ledger) -> None:
    measured = Measurement(
        tuple(np.array([1, 2], np.uint8)), {"accuracy": np.float32(0.25), "macs": np.int64(7)}
    )
    ledger.add_measurements(int(np.int64(4)), [measured])
    ((step, stored),) = ledger.measurements()
    assert (step, stored) == (4, Measurement((1, 2), {"accuracy": 0.25, "macs": 7.0}))
    assert {type(value) for value in (*stored.arch, *stored.values.values())} == {int, float}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_numbers_come_back_to_the_last_bit(ledger: Ledger, values: list[float]) -> None:
    before = len(ledger.measurements())
    ledger.add_measurements(0, [Measurement((0,), {f"o{i}": value for i, value in enumerate(values)})])
    assert list(ledger.measurements()[before][1].values.values()) == values


def test_a_missing_number_stays_missing(ledger: Ledger) -> None:
    ledger.add_measurements(0, [Measurement((0,), {"accuracy": math.nan})])
    assert math.isnan(ledger.measurements()[0][1].values["accuracy"])


def test_logging_a_step_again_replaces_it(ledger: Ledger) -> None:
    ledger.log_metrics(2, {"loss": 3.0, "only_first": 1})
    ledger.log_metrics(1, {"loss": np.float64(5.0), "curve": np.arange(2)})
    ledger.log_metrics(2, {"loss": 4.0})
    assert ledger.metrics() == [{"step": 1, "loss": 5.0, "curve": [0, 1]}, {"step": 2, "loss": 4.0}]


def test_metrics_that_are_no_json_are_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="cannot be stored"):
        ledger.log_metrics(1, {"loss": object()})
    assert ledger.metrics() == []


def test_artifacts_come_back_with_their_hash(ledger: Ledger) -> None:
    sha256 = ledger.save_artifact("b.bin", b"\x00" * 10, "application/octet-stream")
    ledger.save_artifact("a.txt", b"text", "text/plain")
    assert sha256 == hashlib.sha256(b"\x00" * 10).hexdigest()
    assert ledger.artifact("b.bin") == b"\x00" * 10
    assert [(a.name, a.size, a.media_type) for a in ledger.artifacts()] == [
        ("a.txt", 4, "text/plain"),
        ("b.bin", 10, "application/octet-stream"),
    ]


def test_an_artifact_of_the_same_name_is_replaced(ledger: Ledger) -> None:
    ledger.save_artifact("card", b"old", "text/plain")
    ledger.save_artifact("twin", b"old", "text/plain")
    ledger.save_artifact("card", b"new", "text/markdown")
    assert (ledger.artifact("card"), ledger.artifact("twin")) == (b"new", b"old")
    assert len(ledger.artifacts()) == 2


def test_an_unknown_artifact_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match=r"missing\.bin"):
        ledger.artifact("missing.bin")


@pytest.mark.parametrize("name", ["", "x" * 201, "line\nbreak", "\x00"])
def test_bad_names_are_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(InvalidInput):
        ledger.save_artifact(name, b"", "text/plain")
    assert ledger.artifacts() == []


def test_what_was_handed_out_is_not_changed_by_later_writes(ledger: Ledger) -> None:
    ledger.add_measurements(0, [Measurement((0,), {"accuracy": 0.5})])
    measurements, metrics = ledger.measurements(), ledger.metrics()
    ledger.add_measurements(1, [Measurement((1,), {"accuracy": 0.6})])
    ledger.log_metrics(0, {"loss": 1.0})
    assert (len(measurements), metrics) == (1, [])
