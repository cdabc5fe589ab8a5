"""Every kind of record: read back as written, old and newer files, and anything else refused with one sentence."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.library
from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.evaluation.latency.profile import SupernetIdentity
from core.library.alone import AloneRecord
from core.library.chance import FrontChance
from core.library.closer import CloserRecord
from core.library.comparisons import ComparisonRecord
from core.library.device_tables import DeviceTableRecord
from core.library.evaluated import EvaluatedRecord
from core.library.experiments import ExperimentRecord
from core.library.judged import JudgedRecord
from core.library.latency import LatencyCheck, LatencyRecord
from core.library.maps import MapRecord
from core.library.matrices import MatrixRecord
from core.library.mixing import MixedCurve, MixingRecord
from core.library.model_map import Distances
from core.library.order_controls import WAYS, OrderControlsRecord
from core.library.proxies import ProxiesRecord
from core.library.pruned import PruningRecord
from core.library.ranking_check import RankingRecord
from core.library.results import Record, result, results
from core.library.samples import SampleRecord
from core.library.searches import SearchRecord
from core.library.tuned import TunedRecord
from core.records import RunState
from core.store import MemoryLedger, RunStore
from tests.helpers.latency_world import World, profile_of, small_costs

for module in pkgutil.iter_modules(core.library.__path__):
    importlib.import_module(f"core.library.{module.name}")
# Evidence of lessons has records of its own, with a suite of its own.
KINDS = sorted(
    (kind for kind in Record.__subclasses__() if kind.__module__.startswith("core.library.")),
    key=lambda kind: kind.__name__,
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=12)
LINE = st.lists(NUMBER, min_size=2, max_size=6).map(tuple)

NET = st.fixed_dictionaries(
    {
        "index": st.integers(0, 9),
        "method": TEXT,
        "label": TEXT,
        "config": st.lists(st.tuples(TEXT, st.one_of(NUMBER, TEXT, st.booleans())), max_size=3),
        "removes": TEXT,
        "asked": NUMBER,
        "sparsity": NUMBER,
        "numbers": st.dictionaries(TEXT, NUMBER, max_size=3),
        "stages": st.lists(TEXT, max_size=3),
        "note": TEXT,
        "seconds": NUMBER,
        "tuning_epochs": st.integers(0, 99),
        "surgery": st.booleans(),
        "sha256": TEXT,
    }
)
PROFILE = profile_of(
    World(small_costs()),
    SupernetIdentity(title="Toy", family="elastic_cnn", layout="a" * 64, space="b" * 64),
    n=16,
)
SHARE = st.floats(0, 1)
FIELDS: dict[type[Record], st.SearchStrategy[dict[str, Any]]] = {
    AloneRecord: st.fixed_dictionaries(
        {
            "supernet": TEXT,
            "sha256": TEXT,
            "arch_id": TEXT,
            "arch": st.dictionaries(TEXT, st.one_of(st.booleans(), st.integers(), NUMBER, TEXT), max_size=3),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "training": st.fixed_dictionaries({"epochs": st.integers(), "learning_rate": NUMBER}),
            "training_from_card": st.booleans(),
            "asked": st.integers(),
            "inside": st.dictionaries(TEXT, NUMBER, max_size=2),
            "versions": st.dictionaries(TEXT, TEXT, max_size=2),
        }
    ),
    OrderControlsRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "sha256", "title", "criterion"), TEXT),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "training": st.dictionaries(TEXT, NUMBER, max_size=2),
            "arch_ids": st.tuples(TEXT, TEXT, TEXT),
            "macs": st.tuples(NUMBER, NUMBER, NUMBER),
            "params": st.tuples(NUMBER, NUMBER, NUMBER),
            "samples": st.tuples(st.integers(), st.integers()),
            "given": NUMBER,
            "seeds": st.lists(st.integers(), max_size=3),
            "alone": st.booleans(),
            "planned": st.dictionaries(TEXT, st.integers(), max_size=2),
            "reached": st.lists(
                st.fixed_dictionaries(
                    {
                        "way": st.sampled_from(WAYS),
                        "seed": st.integers(),
                        "size": st.integers(),
                        **dict.fromkeys(("accuracy", "test_accuracy", "seconds"), NUMBER),
                        "epochs": st.integers(),
                    }
                ),
                max_size=2,
            ),
        }
    ),
    ComparisonRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("title", "family", "budget"), TEXT),
            **dict.fromkeys(("config", "choice", "training"), st.dictionaries(TEXT, NUMBER, max_size=2)),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "space": st.lists(st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
            "size": st.integers(),
            "arch_ids": st.lists(TEXT, max_size=3),
            "macs": LINE,
            "params": LINE,
            "classes": st.fixed_dictionaries(
                {"most": st.lists(st.integers(), max_size=3), "shares": st.lists(NUMBER, max_size=3)}
            ),
            "sizes": st.lists(st.integers(), max_size=3),
            "stages": st.lists(TEXT, max_size=3),
            "batch": st.integers(),
            "samples": st.tuples(st.integers(), st.integers()),
            "methods": st.lists(
                st.fixed_dictionaries(
                    {
                        **dict.fromkeys(("label", "strategy"), TEXT),
                        **dict.fromkeys(("settings", "training"), st.dictionaries(TEXT, NUMBER, max_size=2)),
                        "budget": st.fixed_dictionaries(
                            {"epochs": st.integers(), "passes": NUMBER, "share": NUMBER}
                        ),
                    }
                ),
                max_size=2,
            ),
            "seeds": st.lists(st.integers(), max_size=3),
            "trainings": st.lists(
                st.fixed_dictionaries(
                    {
                        **dict.fromkeys(("index", "method", "seed", "bytes"), st.integers()),
                        **dict.fromkeys(("seconds", "passes"), NUMBER),
                        "sha256": TEXT,
                        **dict.fromkeys(("accuracy", "test_accuracy"), st.lists(NUMBER, max_size=2)),
                    }
                ),
                max_size=2,
            ),
        }
    ),
    EvaluatedRecord: st.fixed_dictionaries({"files": st.dictionaries(TEXT, TEXT)}),
    ExperimentRecord: st.fixed_dictionaries(
        {
            "parts": st.lists(
                st.lists(
                    st.fixed_dictionaries(
                        {"condition": TEXT, "seed": st.integers(), "x": NUMBER, "y": NUMBER}
                    ),
                    max_size=2,
                ),
                max_size=2,
            ),
            "verdict": st.lists(TEXT, max_size=2),
        }
    ),
    JudgedRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "sha256", "run", "objective", "source"), TEXT),
            "beside": st.lists(TEXT, max_size=2),
            "arch_ids": st.lists(TEXT, max_size=3),
            "values": LINE,
            "folds": st.lists(st.integers(), max_size=3),
            "seed": st.integers(),
            "asked": st.integers(),
            "predictors": st.lists(
                st.fixed_dictionaries(
                    {
                        **dict.fromkeys(("name", "label", "refused"), TEXT),
                        "guesses": LINE,
                        "deviations": LINE,
                        "seconds": NUMBER,
                    }
                ),
                max_size=2,
            ),
        }
    ),
    ProxiesRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "sha256", "objective", "source", "weights", "by_layer"), TEXT),
            **dict.fromkeys(("learned", "no_guess"), TEXT),
            **dict.fromkeys(("samples", "seed", "asked", "folds"), st.integers()),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "rows": st.lists(
                st.fixed_dictionaries(
                    {
                        "arch_id": TEXT,
                        "measured": NUMBER,
                        "scores": st.dictionaries(TEXT, st.one_of(st.none(), NUMBER), max_size=2),
                        "layers": LINE,
                    }
                ),
                max_size=2,
            ),
            "refused": st.dictionaries(TEXT, TEXT, max_size=2),
            "guesses": LINE,
        }
    ),
    TunedRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "sha256", "arch_id"), TEXT),
            "arch": st.dictionaries(TEXT, st.one_of(st.booleans(), st.integers(), NUMBER, TEXT), max_size=3),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "training": st.fixed_dictionaries({"epochs": st.integers(), "learning_rate": NUMBER}),
            "scratch": st.fixed_dictionaries({"epochs": st.integers(), "learning_rate": NUMBER}),
            "teacher": st.booleans(),
            "asked": st.integers(),
            "inside": st.dictionaries(TEXT, NUMBER, max_size=2),
            "versions": st.dictionaries(TEXT, TEXT, max_size=2),
        }
    ),
    RankingRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "sha256", "learns", "truth", "chosen", "cost", "front_of"), TEXT),
            "data": st.dictionaries(st.text("abc", min_size=1), TEXT, max_size=2),
            "samples": st.tuples(st.integers(), st.integers()),
            "training": st.none() | st.dictionaries(st.text("abc", min_size=1), NUMBER, max_size=2),
            "training_from_card": st.booleans(),
            "seeds": st.lists(st.integers(), max_size=3),
            "subnets": st.lists(
                st.fixed_dictionaries(
                    {
                        "arch_id": TEXT,
                        **dict.fromkeys(("accuracy", "test_accuracy", "cost", "gap"), NUMBER),
                    }
                ),
                max_size=2,
            ),
            "nets": st.lists(
                st.fixed_dictionaries(
                    {
                        **dict.fromkeys(("arch_id", "run"), TEXT),
                        "seed": st.integers(),
                        "accuracy": st.none() | NUMBER,
                        **dict.fromkeys(("test_accuracy", "seconds"), NUMBER),
                    }
                ),
                max_size=2,
            ),
        }
    ),
    MapRecord: st.fixed_dictionaries(
        {
            "model_ids": st.lists(TEXT),
            "titles": st.lists(TEXT),
            "arch_ids": st.lists(TEXT),
            "left_out": st.dictionaries(TEXT, TEXT),
            "values": st.lists(LINE, max_size=3),
            "points": st.one_of(st.none(), st.lists(LINE, max_size=3)),
        }
    ),
    MatrixRecord: st.fixed_dictionaries(
        {
            "model_ids": st.lists(TEXT),
            "titles": st.lists(TEXT),
            "shorts": st.lists(TEXT),
            "places": st.lists(st.lists(TEXT, max_size=2), max_size=3),
            "values": st.lists(st.lists(st.one_of(st.none(), NUMBER), max_size=3), max_size=3),
            "reasons": st.lists(
                st.fixed_dictionaries({"row": st.integers(), "column": st.integers(), "why": TEXT}),
                max_size=2,
            ),
            "left_out": st.dictionaries(TEXT, TEXT, max_size=2),
            "samples": TEXT,
        }
    ),
    CloserRecord: st.fixed_dictionaries(
        {
            "quality": TEXT,
            "before": st.integers(),
            "n": st.integers(),
            "correct": st.dictionaries(TEXT, st.integers(), max_size=3),
        }
    ),
    DeviceTableRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("supernet", "title", "chosen"), TEXT),
            "found": st.fixed_dictionaries(
                {
                    "data": st.lists(TEXT, max_size=2),
                    "columns": st.lists(
                        st.fixed_dictionaries({"objective": TEXT, "column": TEXT, "missing": st.integers()}),
                        max_size=2,
                    ),
                    "ignored": st.lists(TEXT, max_size=2),
                    "cells": st.integers(),
                }
            ),
        }
    ),
    FrontChance: st.fixed_dictionaries(
        {
            **dict.fromkeys(("table_sha256", "quality", "cost", "word"), TEXT),
            **dict.fromkeys(("n_samples", "resamples", "n_new"), st.integers()),
            **dict.fromkeys(("members", "steps"), st.lists(TEXT, max_size=3)),
            **dict.fromkeys(("share", "stays"), st.dictionaries(TEXT, NUMBER, max_size=3)),
            "cheaper": st.dictionaries(
                TEXT,
                st.fixed_dictionaries(
                    {"arch_id": TEXT, **dict.fromkeys(("difference", "low", "high", "p"), NUMBER)}
                ),
                max_size=2,
            ),
            "knees": st.dictionaries(
                TEXT,
                st.fixed_dictionaries(dict.fromkeys(("low", "high", "same", "found"), NUMBER)),
                max_size=2,
            ),
            "promises": st.dictionaries(
                TEXT,
                st.fixed_dictionaries(dict.fromkeys(("optimism", "value", "low", "high"), NUMBER)),
                max_size=2,
            ),
            "shift": st.one_of(
                st.none(), st.fixed_dictionaries(dict.fromkeys(("difference", "low", "high"), NUMBER))
            ),
        }
    ),
    LatencyCheck: st.fixed_dictionaries(
        {**dict.fromkeys(("objective", "of", "date"), TEXT), "drift": NUMBER, "agreed": st.booleans()}
    ),
    LatencyRecord: st.fixed_dictionaries(
        {
            "profile": st.just(PROFILE.model_dump()),
            "model": st.fixed_dictionaries(
                {
                    "form": st.sampled_from(("log", "linear")),
                    "strength": st.floats(0.001, 10),
                    "intercept": SHARE,
                    "weights": st.lists(SHARE, max_size=4),
                    "columns": st.just("c" * 64),
                }
            ),
            "validation": st.fixed_dictionaries(
                {
                    "n": st.integers(1, 99),
                    "tail": st.floats(1, 9),
                    **dict.fromkeys(("rank_correlation", "median_error", "p95_error", "deviation"), SHARE),
                }
            ),
            "sampled": st.integers(1, 16),
            "settled": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {"objective": TEXT, "confidence": st.just(0.95), "chance": SHARE, "table": TEXT}
                ),
            ),
        }
    ),
    MixingRecord: st.fixed_dictionaries(
        {
            "curves": st.dictionaries(
                TEXT, st.fixed_dictionaries({"t": LINE, "loss": LINE, "accuracy": LINE}), max_size=2
            ),
            "stages": st.dictionaries(TEXT, st.dictionaries(TEXT, NUMBER, max_size=2), max_size=2),
            "models": st.lists(TEXT, max_size=3),
            "labels": st.lists(TEXT, max_size=3),
            "n": st.integers(),
            "split": TEXT,
        }
    ),
    PruningRecord: st.fixed_dictionaries(
        {
            **dict.fromkeys(("model", "model_key", "supernet", "arch_id", "probe"), TEXT),
            "seed": st.integers(),
            "tuning": st.dictionaries(st.text("abc", min_size=1), NUMBER, max_size=2),
            "models": st.lists(NET, max_size=2),
            "failures": st.lists(
                st.fixed_dictionaries(
                    {"number": st.integers(), "method": TEXT, "label": TEXT, "reason": TEXT}
                ),
                max_size=2,
            ),
            "done": st.lists(st.integers(), max_size=3),
            "versions": st.dictionaries(TEXT, TEXT, max_size=2),
        }
    ),
    SearchRecord: st.fixed_dictionaries(
        {
            "evaluations": st.integers(),
            "front_size": st.integers(),
            "hypervolume": NUMBER,
            "reference": st.one_of(st.none(), st.dictionaries(TEXT, NUMBER, max_size=3)),
            "sources": st.lists(TEXT, max_size=3),
            "told": st.integers(),
        }
    ),
    SampleRecord: st.fixed_dictionaries(
        {name: st.integers() for name in ("evaluations", "front_size", "least", "most")}
    ),
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__, scope="module")
def kind(request: pytest.FixtureRequest) -> type[Record]:
    assert request.param in FIELDS, f"say in FIELDS what a {request.param.__name__} may hold"
    return request.param  # type: ignore[no-any-return]


def test_no_two_kinds_share_a_file() -> None:
    assert len({kind.FILE for kind in KINDS}) == len(KINDS)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_every_record_is_read_back_and_written_again_as_it_was(
    data: st.DataObject, kind: type[Record]
) -> None:
    record = kind.model_validate(data.draw(FIELDS[kind]))
    written = record.encode()
    assert kind.decode(written) == record
    assert kind.decode(written).encode() == written
    ledger = MemoryLedger()
    assert kind.so_far(ledger) is None
    record.save(ledger)
    assert kind.so_far(ledger) == record
    assert [(kept.name, kept.media_type) for kept in ledger.artifacts()] == [(kind.FILE, "application/json")]


@settings(deadline=None, max_examples=15)
@given(data=st.data(), ahead=st.integers(1, 50))
def test_a_newer_file_is_refused_and_a_younger_field_is_left_alone(
    data: st.DataObject, ahead: int, kind: type[Record]
) -> None:
    record = kind.model_validate(data.draw(FIELDS[kind]) | {"format": kind.FORMAT})
    fields = json.loads(record.encode())
    with pytest.raises(InvalidInput, match=f"A newer release wrote {kind.FILE}"):
        kind.decode(json.dumps(fields | {"format": kind.FORMAT + ahead}).encode())
    younger = fields | {"of_a_later_release": [1]}
    assert kind.decode(json.dumps(younger).encode()) == record


@settings(deadline=None, max_examples=40)
@given(
    written=st.one_of(
        st.binary(max_size=30),
        st.recursive(
            st.one_of(st.none(), st.booleans(), NUMBER, TEXT),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["format", "files", "parts", "values", "nets"]), inner),
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_is_in_a_file_it_is_a_record_or_one_sentence(kind: type[Record], written: bytes) -> None:
    try:
        record = kind.decode(written)
    except InvalidInput as error:
        said = str(error)
    else:
        said = f"{kind.FILE} was read."
        assert kind.decode(record.encode()) == record
    assert kind.FILE in said
    assert said.endswith(".")


@pytest.mark.parametrize(
    "written", [b"[" * 100_000, b'{"format": 0}', b'{"format": -1}', b'{"format": 1e999}']
)
def test_files_that_break_readers_are_one_sentence(kind: type[Record], written: bytes) -> None:
    with pytest.raises(InvalidInput, match="cannot be read; make it again"):
        kind.decode(written)


def test_nobody_writes_into_a_record_that_is_shared(kind: type[Record]) -> None:
    record = kind.model_construct()
    with pytest.raises(ValueError, match="frozen"):
        record.format = 2


# --- found in a store -----------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'records.db'}", tmp_path) as opened:
        yield opened


def kept(store: RunStore, workflow: str, params: dict[str, str], record: Record | None) -> str:
    run_id = store.create_run(workflow, params, title="t", state=RunState.RUNNING)
    if record is not None:
        record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    return run_id


def test_a_list_holds_the_runs_that_have_a_result_newest_first(store: RunStore) -> None:
    runs = [kept(store, "evaluate_pruned", {"model": m}, EvaluatedRecord(files={m: m})) for m in "aba"]
    empty = kept(store, "evaluate_pruned", {"model": "a"}, None)
    kept(store, "prune_experiment", {"model": "a"}, ExperimentRecord())
    found = results(store, EvaluatedRecord, "evaluate_pruned")
    assert [each.run.run_id for each in found] == runs[::-1]
    assert [list(each.record.files) for each in found] == [["a"], ["b"], ["a"]]
    assert all(set(each.files) == {EvaluatedRecord.FILE} for each in found)
    chosen = results(store, EvaluatedRecord, "evaluate_pruned", {"model": "a"})
    assert [each.run.run_id for each in chosen] == [runs[2], runs[0]]
    assert result(store, EvaluatedRecord, "evaluate_pruned", empty) is None
    assert result(store, EvaluatedRecord, "prune_experiment", runs[0]) is None, "a run of another kind"
    assert results(None, EvaluatedRecord, "evaluate_pruned") == []
    assert result(None, EvaluatedRecord, "evaluate_pruned", runs[0]) is None
    with pytest.raises(NotFound):
        result(store, EvaluatedRecord, "evaluate_pruned", "0" * 32)


def test_a_missing_or_changed_file_leaves_out_its_run_until_it_is_whole_again(store: RunStore) -> None:
    runs = [kept(store, "evaluate_pruned", {}, EvaluatedRecord(files={f"new {m}": m})) for m in "ab"]
    sha256 = store.kept.of_run(runs[0])[EvaluatedRecord.FILE]
    [path] = [p for p in store.home.rglob("*") if p.is_file() and sha256 in p.name]
    whole = path.read_bytes()
    path.chmod(0o600)
    for spoiled in (whole[:-1], b"", None):
        path.unlink() if spoiled is None else path.write_bytes(spoiled)
        assert [each.run.run_id for each in results(store, EvaluatedRecord, "evaluate_pruned")] == [runs[1]]
        assert result(store, EvaluatedRecord, "evaluate_pruned", runs[0]) is None
        with pytest.raises(DamagedArtifact):
            EvaluatedRecord.so_far(store.ledger(runs[0]))
    path.write_bytes(whole)
    assert [each.run.run_id for each in results(store, EvaluatedRecord, "evaluate_pruned")] == runs[::-1]


# --- what they compute ----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 20)), min_size=1, max_size=8))
def test_a_barrier_is_the_highest_rise_above_the_line_between_the_ends(
    inner: list[tuple[float, float]],
) -> None:
    points = [(0.0, 1.0), *sorted(inner), (1.0, 3.0)]
    curve = MixedCurve(t=[t for t, _ in points], loss=[x for _, x in points], accuracy=[0.0] * len(points))
    assert curve.barrier == pytest.approx(max(0, *(x - (1 + 2 * t) for t, x in points)), abs=1e-12)


def test_a_map_is_the_same_as_arrays_before_and_after_it_is_placed() -> None:
    values = np.array([[0, 1 / 3], [1 / 3, 0]])
    found = Distances(("a", "b"), ("A", "B"), ("", "0"), values, {"c": "is gone"})
    before, after = MapRecord.of(found), MapRecord.of(found, np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert before.placed.shape == (0, 2)
    assert after.placed.tolist() == [[0.1, 0.2], [0.3, 0.4]]
    for record in (before, MapRecord.decode(after.encode())):
        again = record.distances
        assert np.array_equal(again.values, values)
        assert (again.model_ids, again.titles, again.arch_ids) == (("a", "b"), ("A", "B"), ("", "0"))
        assert again.left_out == {"c": "is gone"}
