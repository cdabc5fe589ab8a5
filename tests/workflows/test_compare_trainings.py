"""A comparison trains what each training alone would train, counts what it promised, and goes on wherever it is cut."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import Cancelled, InvalidInput
from core.library import supernets
from core.library.comparisons import KIND, ComparisonRecord, keep, kept_of, supernet_of
from core.library.library import Library
from core.library.presets import PRESETS
from core.records import RunState
from core.store import MemoryLedger
from core.supernets.files import load_supernet
from core.training.watch_rows import CONFLICT, conflict_of, sizes_of
from core.training.watched import train_watched
from core.views.trainings_watched import conflicts, drawn, sizes_over_time
from core.workflows import compare_trainings, train_supernet
from core.workflows.compare_trainings import Request
from tests.helpers.earlier_parts import EarlierLedger
from tests.helpers.elsewhere import InCalls, advance, workers
from tests.store.databases import open_store
from tests.training.small import digest
from tests.workflows.test_cut_anywhere import CutLedger

DATA = {
    "name": "digits",
    "config": {"limit_train": 64, "calibration": 32, "limit_validation": 40, "limit_test": 40},
}


def request(**more: Any) -> Request:
    groups = [{"widths": [2, 3]}, {"widths": [3], "kernels": [1, 3]}]
    plain: dict[str, Any] = {
        "title": "Tiny",
        "family": "elastic_cnn",
        "config": {"groups": groups},
        "data": DATA,
        "training": {"epochs": 2, "batch_size": 32},
        "methods": [
            {"strategy": "sandwich", "settings": {"n_random": 0}},
            {"strategy": "uniform", "training": {"final_share": 0.05}},
        ],
        "seeds": 2,
        "seed": 5,
        "subnets": 4,
        "budget": "passes",
    }
    return Request.model_validate(plain | more)


@pytest.fixture(scope="module")
def whole() -> MemoryLedger:
    """A comparison that nobody disturbed."""
    ledger = MemoryLedger()
    fractions = [step.fraction for step in compare_trainings.run(request(), ledger, Library())]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    return ledger


def record_of(ledger: MemoryLedger) -> ComparisonRecord:
    record = ComparisonRecord.so_far(ledger)
    assert record is not None
    return record


@pytest.mark.slow
def test_each_is_the_training_that_one_by_itself_is(whole: MemoryLedger) -> None:
    record = record_of(whole)
    assert [(t.method, t.seed) for t in record.trainings] == [(0, 5), (1, 5), (0, 6), (1, 6)]
    alone = MemoryLedger()
    asked = train_supernet.Request.model_validate(record.request(record.find(3), "By itself"))
    assert (asked.training.strategy, asked.training.seed, asked.training.epochs) == ("uniform", 6, 4)
    assert asked.training.final_share == 0.05, "a setting of its own"
    list(train_supernet.run(asked, alone, Library()))
    mine, card = load_supernet(supernet_of(whole, 3))
    other, _ = load_supernet(alone.artifact(supernets.SUPERNET_FILE))
    assert digest(mine) == digest(other), "looking at gradients changed no bit"
    assert card["title"] == "Tiny: Uniform single path, seed 6"
    assert card["training"] == asked.training.model_dump(mode="json")
    assert not [name for name in card["final"] if name.startswith(CONFLICT)]
    rows = dict(zip(record.arch_ids, record.find(3).test_accuracy, strict=True))
    assert len(rows) == 4
    assert record.macs == tuple(sorted(record.macs)) or len(set(record.macs)) == 4


def test_equal_passes_are_promised_and_counted(whole: MemoryLedger) -> None:
    record = record_of(whole)
    assert [(m.budget.epochs, m.budget.passes, m.budget.share) for m in record.methods] == [
        (2, 4.0, 1.0),
        (4, 4.0, 1.0),
    ]
    assert [t.passes for t in record.trainings] == [4.0] * 4


def test_what_happened_is_written_down_epoch_by_epoch(whole: MemoryLedger) -> None:
    record, rows = record_of(whole), whole.metrics()
    assert len(rows) == 2 * (2 + 4)
    sandwich, uniform = drawn(record, rows)
    assert (sandwich.seeds, sandwich.epochs, uniform.epochs) == (2, (1, 2), (1, 2, 3, 4))
    assert sandwich.shares.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    # Only the smallest and the largest are drawn: half in the cheapest class, half in the dearest.
    assert sandwich.shares[:, [0, -1]].tolist() == [[0.5, 0.5]] * 2
    assert sum(uniform.uniform) == pytest.approx(1.0)
    told = conflict_of(rows[0], len(record.stages))
    assert told is not None
    assert len(told) == 3
    first, second = conflicts(record, rows)
    assert (first.at, second.at) == ((0.5, 1.0), (0.25, 0.5, 0.75, 1.0))
    assert first.values.shape == (2, 2, 3, len(record.stages))
    assert first.by_stage(0, 1).n == 2
    ends = sizes_over_time(record, rows)[0].values
    assert ends["largest"].shape == (2, 2)
    assert sizes_of(rows[0])[2] == ends["largest"][0, 0] == rows[0]["largest"]


@pytest.mark.slow
def test_cut_at_every_writing_it_makes_the_same_bits() -> None:
    """Just before a writing and just after one, in turn."""
    asked, whole, ledger = request(seeds=1, budget="steps"), MemoryLedger(), CutLedger(0, after=True)
    list(compare_trainings.run(asked, whole, Library()))
    attempts = 0
    while True:
        ledger.after = attempts % 2 == 0
        ledger.left = 0 if ledger.after else 2  # or a supernet and its summary would never both be there
        try:
            list(compare_trainings.run(asked, ledger, Library()))
            break
        except Cancelled:
            attempts += 1
    assert attempts > 4
    mine, other = record_of(ledger), record_of(whole)
    for one, two in zip(mine.trainings, other.trainings, strict=True):
        timed = {"seconds", "sha256", "bytes"}
        assert one.model_dump(exclude=timed) == two.model_dump(exclude=timed)
        weights = [digest(load_supernet(supernet_of(each, one.index))[0]) for each in (ledger, whole)]
        assert weights[0] == weights[1]
    assert (
        [row["epoch"] for row in ledger.metrics()]
        == [row["epoch"] for row in whole.metrics()]
        == [1, 2, 1, 2]
    )


def half_done(whole: MemoryLedger) -> MemoryLedger:
    """A run of an earlier release: three trainings are done, of the fourth two epochs and a third one's numbers."""
    record, ledger = record_of(whole), MemoryLedger()
    for row in whole.metrics():
        if row["part"] < 3:
            ledger.log_metrics(int(row["step"]), {n: v for n, v in row.items() if n != "step"})
    for index in range(3):
        name = f"part-{index}-{supernets.SUPERNET_FILE}"
        ledger.save_artifact(name, whole.artifact(name), "application/octet-stream")
    record.model_copy(update={"trainings": record.trainings[:3]}).save(ledger)
    asked = train_supernet.Request.model_validate(
        record.request(record.find(3), "Tiny: Uniform single path, seed 6")
    )
    net, dataset = train_supernet.untrained(asked)
    sizes = tuple(record.described.from_id(record.arch_ids[at]) for at in record.sizes)
    earlier: Any = EarlierLedger(ledger, 3)
    steps = train_watched(net, dataset, asked.training, earlier, sizes)
    while sum(row["part"] == 3 for row in ledger.metrics()) < 2:
        next(steps)
    steps.close()
    ledger.log_metrics(
        3_000_003, {"epoch": 3, "part": 3, "seconds": 1e9, "phase": "cut before its checkpoint"}
    )
    return ledger


def same(one: MemoryLedger, other: MemoryLedger) -> None:
    """Whether two comparisons found the same to the last bit, but for what the clock decides and what is in use."""

    def told(ledger: MemoryLedger) -> Any:
        apart = {"seconds", "memory"}
        rows = [{n: v for n, v in row.items() if n not in apart} for row in ledger.metrics()]
        record = record_of(ledger).model_dump(mode="json")
        for training in record["trainings"]:
            for name in ("seconds", "sha256", "bytes"):
                del training[name]
        found = [load_supernet(supernet_of(ledger, index)) for index in range(record_of(ledger).asked)]
        cards = [{n: v for n, v in card.items() if n not in ("seconds", "final")} for _, card in found]
        return [rows, record, cards, [digest(net) for net, _ in found]]

    for mine, theirs in zip(told(one), told(other), strict=True):
        assert mine == theirs


@pytest.mark.parametrize("where", ["here", "in calls"])
def test_a_half_done_run_of_an_earlier_release_is_taken_up(
    whole: MemoryLedger, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = half_done(whole)
    before = {row["step"]: row for row in ledger.metrics()}
    del before[3_000_003]
    assert len(before) == 2 + 4 + 2 + 2
    if where == "in calls":
        monkeypatch.setattr(compare_trainings, "chosen", lambda _: InCalls())
    fractions = [step.fraction for step in compare_trainings.run(request(), ledger, Library())]
    assert fractions[1:] == sorted(fractions[1:])
    assert fractions[1] > 0.7, "what was done before counts"
    same(ledger, whole)
    # An epoch that was trained twice would have taken another time.
    after = {row["step"]: row for row in ledger.metrics()}
    assert {step: after[step] for step in before} == before
    whole_seconds = sum(float(row["seconds"]) for row in after.values() if row["part"] == 3)
    assert record_of(ledger).find(3).seconds == pytest.approx(whole_seconds, abs=0.01)


@pytest.mark.slow
def test_in_processes_with_a_stop_it_comes_to_the_same(whole: MemoryLedger) -> None:
    ledger = MemoryLedger()
    steps = compare_trainings.run(request(processes=2), ledger, Library())
    # One process may begin much later than the other.
    advance(
        steps, lambda: ComparisonRecord.so_far(ledger) and len({row["part"] for row in ledger.metrics()}) > 1
    )
    started = time.monotonic()
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 2
    assert not workers()
    before = {row["step"]: row for row in ledger.metrics()}
    list(compare_trainings.run(request(), ledger, Library()))
    same(ledger, whole)
    # An epoch that was trained twice would have taken another time.
    after = {row["step"]: row for row in ledger.metrics()}
    assert {step: after[step] for step in before} == before


LEAST = {"limit_train": 32, "calibration": 16, "limit_validation": 16, "limit_test": 16}


def kind(preset: str, limits: dict[str, int] = LEAST) -> dict[str, Any]:
    """What a comparison of a preset's trainings asks for, on a little of its data."""
    found = PRESETS[preset]
    data = {**found["data"], "config": {**found["data"]["config"], **limits}}
    return {"family": found["family"], "config": found["config"], "data": data}


KINDS: dict[str, dict[str, Any]] = {
    "parts of a space": {
        "methods": [{"strategy": "few_shot"}, {"strategy": "uniform"}],
        "training": {"epochs": 3, "batch_size": 32},
    },
    "a graph": kind("communities-gcn", {}),
    "texts": kind("licenses-decoder"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [pytest.param(told, marks=[] if name == "a graph" else pytest.mark.long) for name, told in KINDS.items()],
    ids=list(KINDS),
)
def test_whatever_can_be_compared_travels(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there, of_both = MemoryLedger(), MemoryLedger(), request(seeds=1, budget="steps", **asked)
    list(compare_trainings.run(of_both, here, Library()))
    monkeypatch.setattr(compare_trainings, "chosen", lambda _: InCalls())
    list(compare_trainings.run(of_both, there, Library()))
    same(there, here)


def test_a_supernet_that_is_kept_is_one_of_the_gallery(whole: MemoryLedger, tmp_path: Path) -> None:
    with open_store("sqlite", tmp_path) as store:
        params = request().model_dump(mode="json")
        run_id = store.create_run(KIND, params, title="Tiny", state=RunState.RUNNING)
        ledger = store.ledger(run_id)
        for row in whole.metrics():
            ledger.log_metrics(int(row["step"]), {n: v for n, v in row.items() if n != "step"})
        for each in whole.artifacts():
            ledger.save_artifact(each.name, whole.artifact(each.name), each.media_type)
        record = record_of(whole)
        assert kept_of(store, record) == {}
        kept = keep(store, run_id, 2, "The one I want")
        entry = supernets.find(store, kept)
        assert (entry.title, entry.origin, entry.sha256) == (
            "The one I want",
            "trained",
            record.find(2).sha256,
        )
        assert kept_of(store, record) == {2: kept}
        run = store.get_run(kept)
        assert train_supernet.Request.model_validate(run.params).training.seed == run.seed == 6
        epochs = store.ledger(kept).metrics()
        assert [row["epoch"] for row in epochs] == [1, 2]
        assert not [name for row in epochs for name in row if name.startswith((CONFLICT, "part"))]


def test_what_cannot_be_compared_is_refused_beforehand() -> None:
    ledger = MemoryLedger()
    cells = request(
        family="nas_bench_201",
        config={"channels": 1, "cells_per_stage": 1},
        methods=[{"strategy": "uniform"}, {"strategy": "sorted_net"}],
    )
    with pytest.raises(InvalidInput, match="Choose another strategy"):
        list(compare_trainings.run(cells, ledger, Library()))
    assert ledger.metrics() == []
    few = request(budget="steps", methods=[{"strategy": "uniform"}, {"strategy": "progressive_shrinking"}])
    with pytest.raises(InvalidInput, match="phases"):
        list(compare_trainings.run(few, MemoryLedger(), Library()))
    with pytest.raises(ValueError, match="two methods are the same"):
        request(methods=[{"strategy": "uniform"}, {"strategy": "uniform"}])
