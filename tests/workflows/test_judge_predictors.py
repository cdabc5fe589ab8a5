"""Predictors judged by folds: what is kept, that it resumes, and what is read from it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import Cancelled, InvalidInput
from core.library import supernets
from core.library.judged import JudgedPredictor, JudgedRecord
from core.library.library import Library
from core.predictors.judging import judge
from core.records import Measurement, Obtained, Source
from core.store import MemoryLedger, RunStore
from core.views import predictors as view
from core.workflows import judge_predictors
from core.workflows.judge_predictors import Request
from tests.helpers.planted import QUALITY, Planted, flat_space


@pytest.fixture(autouse=True)
def found(digits_entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)


def request(**changes: Any) -> Request:
    plain = {"supernet": "small", "rows": 24, "predictors": ("ridge", "svr"), "folds": 4, "seed": 2}
    return Request.model_validate(plain | changes)


def run(
    asked: Request, ledger: MemoryLedger, most: int = 10**6, library: Library | None = None
) -> list[float]:
    steps, said = judge_predictors.run(asked, ledger, library or Library()), list[float]()
    for step in steps:
        said.append(step.fraction)
        if len(said) == most:
            with pytest.raises(Cancelled):
                steps.throw(Cancelled("stopped"))  # type: ignore[attr-defined]
            break
    return said


def record_of(ledger: MemoryLedger) -> JudgedRecord:
    record = JudgedRecord.so_far(ledger)
    assert record is not None
    return record


def without_times(record: JudgedRecord) -> list[JudgedPredictor]:
    return [each.model_copy(update={"seconds": 0.0}) for each in record.predictors]


def test_what_is_judged_is_what_was_measured_and_it_resumes(digits_entry: supernets.SupernetEntry) -> None:
    whole = MemoryLedger()
    said = run(request(), whole)
    assert said == sorted(said)
    assert (said[0], said[-1]) == (0.0, 1.0)
    record = record_of(whole)
    table = supernets.table(digits_entry)
    assert table is not None
    known = table.set_index("arch_id")["accuracy"]
    assert list(record.values) == [known[arch_id] for arch_id in record.arch_ids]
    assert len(set(record.arch_ids)) == 24
    assert [each.name for each in record.predictors] == ["ridge", "svr"]
    for most in range(1, len(said)):
        ledger = MemoryLedger()
        run(request(), ledger, most)
        run(request(), ledger)
        assert without_times(record_of(ledger)) == without_times(record), most


def test_a_search_is_judged_by_what_it_measured_first(
    digits_entry: supernets.SupernetEntry, tmp_path: Path
) -> None:
    rows = digits_entry.space.array()[::2]
    with RunStore("sqlite://", tmp_path) as store:
        search = store.create_run("search_front", {"supernet": "small"}, title="a search")
        told = [Measurement(tuple(row), {"accuracy": 0.5 + i / 1000}) for i, row in enumerate(rows.tolist())]
        guess = {"accuracy": Obtained(Source.PREDICTED)}
        store.ledger(search).add_measurements(0, [Measurement(told[0].arch, {"accuracy": 0.1}, guess), *told])
        other = store.create_run("train_alone", {"supernet": "small"}, title="another")
        ledger = MemoryLedger()
        run(request(run=search, rows=20), ledger, library=Library(store))
        record = record_of(ledger)
        assert list(record.values) == [0.5 + i / 1000 for i in range(20)], (
            "what was only predicted is no measurement"
        )
        with pytest.raises(InvalidInput, match="no search of this supernet"):
            run(request(run=other), MemoryLedger(), library=Library(store))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predictors": ("rigde",)}, "ridge"),
        ({"objective": "macs"}, "counted exactly"),
        ({"folds": 1}, "folds"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        request(**changes)


# --- judging --------------------------------------------------------------------------------------


def test_no_row_is_guessed_by_a_fit_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A predictor that remembers what it saw knows nothing of the fold that is left out."""
    from core.predictors import PREDICTORS, Predicted

    class Remembers:
        def __init__(self, **given: Any) -> None:
            self.known: dict[tuple[int, ...], float] = {}

        def fit(self, rows: np.ndarray, values: np.ndarray, beside: Any = None) -> None:
            self.known = dict(zip(map(tuple, rows.tolist()), values.tolist(), strict=True))

        def predict(self, rows: np.ndarray, beside: Any = None) -> Predicted:
            return Predicted(np.array([self.known.get(tuple(row), -1.0) for row in rows.tolist()]))

    monkeypatch.setattr(PREDICTORS, "create", lambda name, settings, **given: Remembers(**given))
    space = flat_space(5)
    rows = space.array()[:60]
    values = np.arange(60.0)
    judged = judge("any", space=space, objective=QUALITY, rows=rows, values=values, folds=4)
    assert (judged.guesses == -1).all()
    assert judged.taus == [0.0] * 4
    assert judged.coverage == {}
    assert np.bincount(judged.folds).tolist() == [15] * 4


def test_a_sum_is_ordered_almost_perfectly_and_noise_is_not() -> None:
    space = flat_space(8)
    rows = np.unique(space.sample_array(150, np.random.default_rng(0)), axis=0)
    planted = Planted(space)
    values = np.array([planted.values(tuple(row))["quality"] for row in rows.tolist()])
    ordered = judge("ridge", space=space, objective=QUALITY, rows=rows, values=values)
    assert np.mean(ordered.taus) > 0.95
    noise = np.random.default_rng(1).standard_normal(len(rows))
    lost = judge("ridge", space=space, objective=QUALITY, rows=rows, values=noise)
    assert abs(np.mean(lost.taus)) < 0.2
    assert lost.coverage[0.8] == pytest.approx(0.8, abs=0.12)
    assert lost.error == pytest.approx(float(np.mean(np.abs(lost.guesses - noise))))


# --- what is read from it -------------------------------------------------------------------------


def planted_record() -> JudgedRecord:
    rng = np.random.default_rng(0)
    values = rng.random(50)

    def predictor(name: str, noise: float, said: float) -> JudgedPredictor:
        guesses = values + noise * rng.standard_normal(50)
        return JudgedPredictor(
            name=name, label=name.title(), guesses=tuple(guesses), deviations=(said,) * 50, seconds=0.5
        )

    return JudgedRecord(
        supernet="s",
        sha256="",
        run="",
        objective="accuracy",
        source="measured (table)",
        beside=("macs",),
        arch_ids=tuple(map(str, range(50))),
        values=tuple(values),
        folds=tuple(i % 5 for i in range(50)),
        seed=3,
        asked=3,
        predictors=(
            predictor("poor", 0.5, 0.5),
            predictor("good", 0.02, 0.001),
            JudgedPredictor(name="none", label="None", refused="It needs more."),
        ),
    )


def test_the_best_order_comes_first_and_too_narrow_intervals_show() -> None:
    record = planted_record()
    good, poor, none = view.rows(record)
    assert [row.name for row in (good, poor, none)] == ["good", "poor", "none"]
    assert good.over_folds.mean > 0.85
    assert good.coverage[0.95] < 0.2
    assert poor.coverage[0.95] > 0.85
    assert none.refused == "It needs more."
    assert "Good orders unseen architectures best" in view.sentence([good, poor, none])
    assert "no other reaches that mean" in view.sentence([good, poor, none])
    assert "Within the spread over folds of it: Good." in view.sentence([poor, good])
    told = view.how_measured(record)
    for part in (
        "validation accuracy",
        "50 random architectures",
        "5 folds (seed 3)",
        "± standard deviation",
        "MACs",
    ):
        assert part in told
    assert "search prefers" in view.how_measured(record, "NSGA-II")
    cells = view.table([good, none], "accuracy")
    assert cells[0]["Mean error"].endswith("points")
    assert cells[1]["Processor time"] == "It needs more."


def test_the_file_has_a_row_per_predictor() -> None:
    lines = list(csv.DictReader(io.StringIO(view.csv(planted_record()).decode())))
    assert [line["predictor"] for line in lines] == ["good", "poor", "none"]
    assert float(lines[0]["kendall_tau"]) > 0.85
    assert {"coverage_50", "coverage_80", "coverage_95", "mean_absolute_error", "rows", "folds"} <= set(
        lines[0]
    )
