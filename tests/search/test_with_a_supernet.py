"""Both workflows on a real, tiny supernet file: searching, measuring everything, looking up."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput, NotFound
from core.evaluation import evaluator
from core.library import measuring, supernets
from core.library.library import Library
from core.library.searches import EVALUATIONS_FILE, SearchRecord
from core.library.supernets import TABLE_FILE, SupernetEntry
from core.library.tables import parse_table
from core.objectives.base import quick_names
from core.records import Measurement
from core.search import Problem as problem_type
from core.settings import settings
from core.store import MemoryLedger, RunStore
from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from core.workflows import evaluate_table, search_front
from tests.helpers.nets import small_cnn

OBJECTIVES = ["accuracy", "macs"]
CONFIG = {"population": 8}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = small_cnn(
        groups=(GroupConfig(widths=(2, 4), kernels=(1, 3)), GroupConfig(widths=(3, 6), kernels=(3,)))
    )
    path = tmp_path_factory.mktemp("supernet") / "tiny.safetensors"
    path.write_bytes(dump_supernet(net, {"data": {"name": "digits", "seed": 0}}))
    return path


@pytest.fixture(scope="module")
def table(file: Path) -> bytes:
    ledger = MemoryLedger()
    steps = list(evaluate_table.run(evaluate_table.Request(supernet=str(file)), ledger, Library()))
    assert steps[-1].fraction == 1.0
    assert "on the front of Validation accuracy and MACs" in steps[-1].message
    return ledger.artifact(TABLE_FILE)


@pytest.fixture
def entry(file: Path, table: bytes, monkeypatch: pytest.MonkeyPatch) -> SupernetEntry:
    """The supernet with its table, found under its name."""
    plain = supernets.resolve(None, str(file))
    known = SupernetEntry(
        "tiny", "Tiny", "trained", plain.sha256, plain.header, plain.read, lambda: table, None, "t"
    )
    monkeypatch.setattr(supernets, "resolve", lambda store, name: known)
    return known


def searched(request: search_front.Request) -> list[Measurement]:
    ledger = MemoryLedger()
    list(search_front.run(request, ledger, Library()))
    return [m for _, m in ledger.measurements()]


def test_the_table_holds_every_architecture_with_every_objective(file: Path, table: bytes) -> None:
    space = supernets.resolve(None, str(file)).space
    frame = parse_table(table, space)
    assert frame["arch_id"].tolist() == space.arch_ids(space.array())
    for name in quick_names():
        assert frame[name].notna().all()
    assert frame["accuracy"].between(0, 1).all()
    assert frame["macs"].nunique() > 4


def test_searching_by_measuring_agrees_with_the_table(
    file: Path, table: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = supernets.resolve(None, str(file)).space
    calls: list[int] = []
    real = evaluator.evaluate
    monkeypatch.setattr(
        evaluator, "evaluate", lambda net, archs, *rest: calls.append(len(archs)) or real(net, archs, *rest)
    )
    found = searched(
        search_front.Request(supernet=str(file), objectives=OBJECTIVES, budget=20, config=CONFIG)
    )
    assert calls == [8, 8, 4]
    assert {str(m.how("accuracy")) for m in found} == {"measured"}
    assert {str(m.how("macs")) for m in found} == {"counted"}
    frame = parse_table(table, space).set_index("arch_id")
    for m in found:
        assert m.values == frame.loc[space.arch_id(m.arch), OBJECTIVES].to_dict()


def test_a_complete_table_is_looked_up_and_the_source_says_so(
    entry: SupernetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = search_front.Request(supernet="tiny", objectives=OBJECTIVES, budget=20, config=CONFIG)
    measured = searched(request.model_copy(update={"use_table": False}))

    def forbidden(*_: object) -> None:
        raise AssertionError("the table was not used")

    monkeypatch.setattr(evaluator, "evaluate", forbidden)
    looked_up = searched(request)
    assert [(m.arch, m.values) for m in looked_up] == [(m.arch, m.values) for m in measured]
    assert {m.how("accuracy") for m in looked_up} == {measuring.FROM_TABLE}
    assert {str(m.how("macs")) for m in looked_up} == {"counted"}


def test_the_table_is_not_used_for_other_data_or_missing_columns(entry: SupernetEntry, table: bytes) -> None:
    assert measuring.from_table(entry, ["accuracy", "latency_ms"]) is None
    other = search_front.Request(
        supernet="tiny", objectives=OBJECTIVES, budget=3, data=measuring.DataChoice(name="digits", seed=1)
    )
    assert {str(m.how("accuracy")) for m in searched(other)} == {"measured"}
    frame = pd.read_parquet(io.BytesIO(table))
    holes = io.BytesIO()
    frame.assign(loss=frame["loss"].where(frame.index != 5)).to_parquet(holes)
    holed = dataclasses.replace(entry, read_table=holes.getvalue, table_sha256="holed")
    assert measuring.from_table(holed, ["accuracy"]) is not None
    assert measuring.from_table(holed, ["accuracy", "loss"]) is None


def test_the_reference_is_no_accuracy_and_beyond_the_largest_cost(entry: SupernetEntry) -> None:
    ledger = MemoryLedger()
    request = search_front.Request(
        supernet="tiny", objectives=[*OBJECTIVES, "loss"], budget=16, config=CONFIG, reference={"loss": 9.0}
    )
    list(search_front.run(request, ledger, Library()))
    summary = json.loads(ledger.artifact(SearchRecord.FILE))
    largest = supernets.costs(entry).total("macs", np.array([entry.space.largest], np.uint8))[0]
    assert summary["reference"] == {"accuracy": 0.0, "macs": pytest.approx(1.1 * largest), "loss": 9.0}
    bad = request.model_copy(update={"reference": {"params": 1.0}})
    with pytest.raises(InvalidInput, match="params"):
        searched(bad)


def test_counted_objectives_need_no_data(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "dataset", lambda entry: pytest.fail("the data were loaded"))
    request = search_front.Request(
        supernet=str(file), objectives=["macs", "params"], budget=10, config=CONFIG
    )
    assert len(searched(request)) == 10
    ledger = MemoryLedger()
    list(
        evaluate_table.run(
            evaluate_table.Request(supernet=str(file), objectives=["params"]), ledger, Library()
        )
    )
    assert [a.name for a in ledger.artifacts()] == [TABLE_FILE]


def test_an_unknown_supernet_is_a_plain_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    with pytest.raises(NotFound, match="no supernet called"):
        searched(search_front.Request(supernet="nowhere"))


def test_a_search_in_the_store_on_a_stored_supernet_resumes_to_the_same_record(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    with RunStore(settings().database_url, settings().home) as store:
        supernet_id = store.add_supernet("Tiny", file.read_bytes(), {})
        request = search_front.Request(
            supernet=supernet_id, objectives=OBJECTIVES, budget=20, config=CONFIG, use_table=False
        )
        records = []
        for cut in (None, 1, 12):
            run = store.create_run("search_front", request.model_dump(), title="search")
            run_id = run if isinstance(run, str) else run.run_id
            if cut is not None:
                steps = search_front.run(request, store.ledger(run_id), Library(store))
                for _ in range(cut):
                    next(steps)
                steps.close()  # type: ignore[attr-defined]
            list(search_front.run(request, store.ledger(run_id), Library(store)))
            ledger = store.ledger(run_id)
            rows = [{n: v for n, v in row.items() if "seconds" not in n} for row in ledger.metrics()]
            records.append((ledger.measurements(), rows, [a.sha256 for a in ledger.artifacts()]))
    assert len(records[0][0]) == 20
    assert records[0] == records[1] == records[2]


def test_a_search_starts_from_an_earlier_one_and_keeps_its_bounds(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    with RunStore(settings().database_url, settings().home) as store:
        library = Library(store)
        supernet_id = store.add_supernet("Tiny", file.read_bytes(), {})

        def started(**fields: Any) -> tuple[str, list[tuple[int, Measurement]]]:
            request = search_front.Request(supernet=supernet_id, config=CONFIG, **fields)
            run_id = store.create_run("search_front", request.model_dump(mode="json"), title="search")
            list(search_front.run(request, store.ledger(run_id), library))
            return run_id, store.ledger(run_id).measurements()

        first, before = started(objectives=OBJECTIVES, budget=12, use_table=False)
        macs = [m.values["macs"] for _, m in before]
        bound = {"objective": "macs", "upper": float(np.median(macs))}
        second, found = started(
            objectives=["accuracy", "params"], constraints=[bound], budget=10, from_runs=[first]
        )
        told, own = ([m for s, m in found if (s == -1) is wanted] for wanted in (True, False))
        assert [m.arch for m in told] == [m.arch for _, m in before]
        assert {str(m.how("accuracy")) for m in told} == {"measured (earlier run)"}
        assert {str(m.how("params")) for m in told} == {"counted"}  # the earlier search did not ask for it
        assert len(own) == 10
        assert not {m.arch for m in own} & {m.arch for m in told}
        assert all(m.values["macs"] <= bound["upper"] for m in own)
        rows = list(csv.DictReader(io.StringIO(store.ledger(second).artifact(EVALUATIONS_FILE).decode())))
        assert list(rows[0]) == ["architecture", "accuracy", "params", "macs", "on_front", "source"]
        assert len(rows) == 22
        kept = [r for r in rows if r["on_front"] == "True"]
        assert kept
        assert all(float(r["macs"]) <= bound["upper"] for r in kept)
        assert json.loads(store.ledger(second).artifact(SearchRecord.FILE))["evaluations"] == 10
        # What it was told is in its record: it resumes the same whatever has become of the earlier run.
        with monkeypatch.context() as patch:
            patch.setattr(search_front, "earlier_measurements", lambda *_: pytest.fail("read again"))
            request = search_front.Request.model_validate(store.get_run(second).params)
            list(search_front.run(request, store.ledger(second), library))
        assert store.ledger(second).measurements() == found
        with pytest.raises(NotFound):
            started(from_runs=["gone"])
        with pytest.raises(InvalidInput, match="not measured any architecture in all objectives"):
            started(objectives=["accuracy", "loss"], from_runs=[second])
        other = store.add_supernet("Other", dump_supernet(small_cnn(), {"data": {"name": "digits"}}), {})
        request = search_front.Request(supernet=other, from_runs=[second])
        with pytest.raises(InvalidInput, match="another supernet"):
            list(search_front.run(request, MemoryLedger(), library))


def test_a_space_too_large_to_measure_is_refused(tmp_path: Path) -> None:
    group = GroupConfig(widths=(2, 3, 4, 5), depths=(1, 2, 3, 4), kernels=(1, 3, 5))
    path = tmp_path / "large.safetensors"
    path.write_bytes(dump_supernet(small_cnn(groups=(group, group, group)), {}))
    with pytest.raises(InvalidInput, match="Search it, or measure a sample"):
        list(evaluate_table.run(evaluate_table.Request(supernet=str(path)), MemoryLedger(), Library()))


def test_importing_the_workflows_loads_no_torch_and_no_pymoo() -> None:
    code = (
        "import sys, core.workflows.search_front, core.workflows.evaluate_table; "
        "assert not {'torch', 'pymoo', 'sqlalchemy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_two_processes_give_the_same_table_and_resume_like_one(
    file: Path, table: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = evaluate_table.Request(supernet=str(file), processes=2)
    ledger = MemoryLedger()
    steps = evaluate_table.run(request, ledger, Library())
    for step in steps:
        if step.metrics.get("evaluations"):
            break
    steps.close()  # type: ignore[attr-defined]
    kept = ledger.latest_checkpoint()
    assert kept is not None
    assert TABLE_FILE not in {artifact.name for artifact in ledger.artifacts()}
    list(evaluate_table.run(request, ledger, Library()))
    assert ledger.artifact(TABLE_FILE) == table


def test_what_is_kept_between_batches_changes_no_measurement(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.evaluation.kept_activations import KeptActivations

    made: list[KeptActivations] = []
    original = KeptActivations.__init__

    def seen(self: KeptActivations, limit: int) -> None:
        original(self, limit)
        made.append(self)

    monkeypatch.setattr(KeptActivations, "__init__", seen)
    asked = {
        "supernet": str(file),
        "algorithm": "nsga2",
        "config": CONFIG,
        "objectives": OBJECTIVES,
        "budget": 24,
    }
    found = [searched(search_front.Request.model_validate(asked | {"keep_mb": mb})) for mb in (0, 1000)]
    assert found[0] == found[1]
    [kept] = made
    assert kept.reused > 0
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", "0.5G")
    measuring.by_forward_pass(supernets.resolve(None, str(file)), None, OBJECTIVES, keep=10**9)
    allowed = settings().worker_memory // 4
    assert made[-1]._bytes.limit == allowed - allowed // 10 < 10**9


def test_a_search_is_told_what_stages_cost_and_what_is_kept(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[search_front.Problem] = []
    monkeypatch.setattr(
        search_front, "Problem", lambda *a, **k: told.append(problem_type(*a, **k)) or told[-1]
    )
    searched(
        search_front.Request(
            supernet=str(file),
            algorithm="planned",
            config={"first": 8},
            objectives=OBJECTIVES,
            budget=20,
            keep_mb=7,
        )
    )
    work = told[0].work
    assert work is not None
    assert work.memory == 7_000_000
    assert (work.seconds(told[0].space.array()).sum(axis=1) > 0).all()
