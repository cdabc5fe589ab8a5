"""Samples of a space: what is measured, that a cut run goes on exactly, neighbors, and how it is told."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.library import supernets
from core.library.library import Library
from core.library.samples import SampleRecord
from core.library.searches import EVALUATIONS_FILE
from core.store import MemoryLedger
from core.workflows.measure_sample import Request, planned, run
from tests.helpers.huge import SIZE, huge_file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("huge") / "huge.safetensors"
    path.write_bytes(huge_file())
    return str(path)


def request_of(file: str, **more: object) -> Request:
    return Request.model_validate({"supernet": file, "n": 36, "objectives": ["accuracy", "macs"], **more})


@pytest.fixture(scope="module")
def whole(file: str) -> MemoryLedger:
    ledger = MemoryLedger()
    steps = list(run(request_of(file), ledger, Library()))
    assert steps[-1].fraction == 1.0
    return ledger


def test_a_space_too_large_to_measure_is_sampled(file: str, whole: MemoryLedger) -> None:
    ledger = whole
    measured = [m for _, m in ledger.measurements()]
    entry = supernets.resolve(None, file)
    assert entry.space.size == SIZE > 10**10
    archs = [m.arch for m in measured]
    assert len(set(archs)) == len(archs) == 36
    assert {entry.space.smallest, entry.space.largest} <= set(archs)
    found = SampleRecord.decode(ledger.artifact(SampleRecord.FILE))
    ends = supernets.counted(entry, np.array(entry.space.ends, np.uint8), "macs").tolist()
    assert [found.least, found.most] == ends
    assert found.evaluations == 36
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    assert {row["source"] for row in rows} == {"measured (sample)"}
    assert sum(row["on_front"] == "True" for row in rows) == found.front_size > 0


def test_a_run_that_was_cut_goes_on_to_the_same_rows(file: str, whole: MemoryLedger) -> None:
    cut = MemoryLedger()
    steps = run(request_of(file), cut, Library())
    for _ in range(34):  # in the second batch
        next(steps)
    steps.close()
    assert 0 < len(cut.measurements()) < 36
    list(run(request_of(file), cut, Library()))
    assert cut.measurements() == whole.measurements()
    assert cut.artifact(EVALUATIONS_FILE) == whole.artifact(EVALUATIONS_FILE)
    with pytest.raises(InvalidInput, match="start a new sample"):
        list(run(request_of(file, seed=1), cut, Library()))


def test_neighbors_differ_in_one_choice(file: str) -> None:
    entry = supernets.resolve(None, file)
    space = entry.space
    center = space.largest
    rows = planned(request_of(file, around=[space.arch_id(center)]), entry)
    found = {tuple(row) for row in rows.tolist()}
    assert found == {center, *space.neighbors(center)}
    with pytest.raises(InvalidInput):
        planned(request_of(file, around=["zz"]), entry)


def test_what_only_a_profile_knows_is_refused(file: str) -> None:
    with pytest.raises(InvalidInput, match="profile"):
        request_of(file, objectives=["latency_ms.phone"])
