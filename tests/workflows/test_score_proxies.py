"""Proxies of a sample of subnets: what is kept, that it resumes, and what is read from it."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from core.errors import Cancelled, InvalidInput
from core.library import supernets
from core.library.library import Library
from core.library.proxies import ProxiesRecord, ScoredSubnet
from core.library.results import Described
from core.store import MemoryLedger
from core.views import proxies as view
from core.workflows import score_proxies
from core.workflows.score_proxies import Request, drawn, padded


@pytest.fixture(autouse=True)
def found(digits_entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: digits_entry)
    monkeypatch.setattr("core.workflows.score_proxies.LEARNING", {"encoding": False, "steps": 3})


def request(**changes: Any) -> Request:
    plain = {"supernet": "small", "subnets": 8, "samples": 8, "proxies": ("snip", "naswot"), "seed": 4}
    return Request.model_validate(plain | changes)


def run(asked: Request, ledger: MemoryLedger, most: int = 10**6) -> list[float]:
    """The fractions said until the end, or until cancelled after so many."""
    steps, said = score_proxies.run(asked, ledger, Library()), list[float]()
    for step in steps:
        said.append(step.fraction)
        if len(said) == most:
            with pytest.raises(Cancelled):
                steps.throw(Cancelled("stopped"))  # type: ignore[attr-defined]
            break
    return said


def record_of(ledger: MemoryLedger) -> ProxiesRecord:
    record = ProxiesRecord.so_far(ledger)
    assert record is not None
    return record


def test_every_subnet_is_scored_and_held_against_what_was_measured(
    digits_entry: supernets.SupernetEntry,
) -> None:
    ledger = MemoryLedger()
    fractions = run(request(), ledger)
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    record = record_of(ledger)
    assert len(record.rows) == 8
    assert len({row.arch_id for row in record.rows}) == 8
    table = supernets.table(digits_entry)
    assert table is not None
    known = table.set_index("arch_id")["accuracy"]
    assert [row.measured for row in record.rows] == [known[row.arch_id] for row in record.rows]
    assert {name for row in record.rows for name in row.scores} == {"snip", "naswot", "parameters", "macs"}
    # What is counted is what the library counts.
    rows = digits_entry.space.from_ids([row.arch_id for row in record.rows])
    counted = supernets.counted(digits_entry, rows, "macs").tolist()
    assert [row.scores["macs"] for row in record.rows] == counted
    assert all(sum(row.layers) == pytest.approx(row.scores["snip"]) for row in record.rows)
    assert len(record.guesses) == 8


@pytest.mark.slow
def test_it_resumes_from_anywhere_with_the_same_result() -> None:
    expected = MemoryLedger()
    said = run(request(), expected)
    for most in (2, 8, len(said) - 1):
        ledger = MemoryLedger()
        run(request(), ledger, most)
        before = ProxiesRecord.so_far(ledger)
        done = sum(bool(row.scores) for row in before.rows) if before else 0
        again = run(request(), ledger)
        assert ledger.artifact(ProxiesRecord.FILE) == expected.artifact(ProxiesRecord.FILE), most
        assert len(again) <= len(said) - done, "what was kept is not scored again"


@pytest.mark.slow
def test_the_supernets_weights_are_another_question_and_the_seed_decides() -> None:
    scores = []
    for changes in ({}, {"weights": "supernet"}, {"seed": 5}):
        ledger = MemoryLedger()
        run(request(**changes), ledger)
        scores.append({row.arch_id: row.scores["snip"] for row in record_of(ledger).rows})
    assert scores[0].keys() == scores[1].keys()
    assert all(scores[0][arch] != scores[1][arch] for arch in scores[0])
    assert scores[0] != scores[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"proxies": ("snp",)}, "snip"),
        ({"by_layer": "naswot"}, "no sum over layers"),
        ({"objective": "test_accuracy"}, "est"),
        ({"subnets": 7}, "greater than or equal to 8"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        request(**changes)


def test_a_space_that_is_too_small_is_said(digits_entry: supernets.SupernetEntry) -> None:
    class Few:
        title = "Few"
        space = type(digits_entry.space)(digits_entry.space.choices[:1])

    with pytest.raises(InvalidInput, match="too few for a rank correlation"):
        drawn(Few(), request())  # type: ignore[arg-type]


def test_layers_are_padded_to_the_deepest() -> None:
    assert padded([(1.0,), (0.0, 2.0)]).tolist() == [
        [np.log1p(1e6), 0.0],
        [0.0, np.log1p(2e6)],
    ]
    assert padded([(), ()]).shape == (2, 0)


# --- what is read from it -------------------------------------------------------------------------


def planted(n: int = 60, *, objective: str = "accuracy") -> ProxiesRecord:
    rng = np.random.default_rng(0)
    measured = rng.random(n)
    good = measured + 0.05 * rng.standard_normal(n)
    half = measured + 0.5 * rng.standard_normal(n)
    rows = tuple(
        ScoredSubnet(
            arch_id=str(i),
            measured=float(measured[i]),
            scores={
                "snip": float(good[i]),
                "grasp": float(-half[i]),
                "macs": float(half[i]),
                "naswot": None if i < 5 else float(good[i]),
            },
        )
        for i in range(n)
    )
    return ProxiesRecord(
        supernet="s",
        sha256="",
        data=Described(),
        objective=objective,
        source="measured",
        weights="fresh",
        samples=8,
        seed=0,
        asked=n,
        rows=rows,
        refused={"synflow": "Attention has no flow."},
    )


def test_correlations_are_kendalls_with_intervals_that_hold_them() -> None:
    record = planted()
    rows = {row.name: row for row in view.rows(record)}
    assert list(rows) == ["snip", "naswot", "macs", "grasp", "synflow"]
    measured = [row.measured for row in record.rows]
    for name in ("snip", "macs", "grasp"):
        tau = kendalltau([row.scores[name] for row in record.rows], measured).statistic
        assert rows[name].tau == pytest.approx(tau)
        assert rows[name].low < tau < rows[name].high
        assert rows[name].high - rows[name].low < 0.5
    assert (rows["naswot"].last, rows["naswot"].n) == (5, 60)
    assert rows["synflow"].refused == "Attention has no flow."
    assert rows["macs"].kind == "baseline"
    assert "Clearly above it: SNIP, NASWOT." in view.sentence(list(rows.values()))
    low, high = rows["snip"].gain
    assert low < rows["snip"].tau - rows["macs"].tau < high  # type: ignore[operator]
    assert rows["macs"].gain == (0, 0), "a baseline is no better than itself, on any resample"
    assert "Clearly below it: GraSP" in view.sentence(list(rows.values()))


def test_cells_have_real_minus_signs_and_notes_only_where_there_are_any() -> None:
    rows = view.rows(planted())
    cells = {row.name: row for row in rows}, view.table(rows)
    grasp = next(each for each in cells[1] if each["Score"] == "GraSP")
    assert grasp["Kendall's τ"].startswith("\N{MINUS SIGN}0.")
    assert next(each for each in cells[1] if each["Score"] == "NASWOT")["Notes"].startswith("5 of 60")
    assert "Notes" not in view.table([cells[0]["snip"]])[0]


def test_what_should_be_small_is_turned_around() -> None:
    [loss] = [row for row in view.rows(planted(objective="loss")) if row.name == "snip"]
    assert loss.tau is not None
    assert loss.tau < -0.8


def test_files_say_what_is_a_proxy_and_what_was_counted(digits_entry: supernets.SupernetEntry) -> None:
    ledger = MemoryLedger()
    run(request(), ledger)
    record = record_of(ledger)
    lines = list(csv.DictReader(io.StringIO(view.csv(record, digits_entry.space).decode())))
    assert len(lines) == 8
    assert list(lines[0])[:2] == ["architecture", "accuracy"]
    assert "counted: macs, parameters" in lines[0]["source"]
    assert "proxy: naswot, snip" in lines[0]["source"]
    correlations = list(csv.DictReader(io.StringIO(view.correlations_csv(record).decode())))
    assert {line["score"] for line in correlations} == {"snip", "naswot", "macs", "parameters", "parzc"}
