"""`train --compare` at a terminal: a verdict, a table, a run that is kept; flags that do not go with it are refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.cli import main
from core.library.comparisons import KIND, ComparisonRecord
from core.records import RunState
from core.store import RunStore

pytestmark = pytest.mark.slow


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["core", *arguments])
    try:
        main.main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    return tmp_path


def test_two_trainings_are_compared(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "compare.csv"
    flags = "--compare sandwich,uniform --seeds 1 --budget passes --epochs 1 --subnets 6 --batch-size 256"
    assert call(monkeypatch, "train", "digits-lesson", *flags.split(), "--csv", str(file)) == 0
    told = capsys.readouterr().out
    assert "One seed says nothing about chance" in told
    assert "The rule: of each training" in told
    assert "Method: Uniform single path; Epochs: 4; Passes: 4 (100 % of the budget)" in told
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == 12
    assert {row["method"] for row in rows} == {"Sandwich rule", "Uniform single path"}
    with RunStore(f"sqlite:///{home / 'home' / 'paretoscope.db'}", home / "home") as store:
        [run] = store.list_runs(kind=KIND)
        assert run.state is RunState.DONE
        found = ComparisonRecord.so_far(store.ledger(run.run_id))
        assert found is not None
        assert len(found.trainings) == 2
        assert run.params["command"] == (
            "python -m core train digits-lesson --data digits --seed 0 --epochs 1 --batch-size 256 "
            "--compare sandwich,uniform --seeds 1 --budget passes --subnets 6"
        )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--compare sandwich,uniform --method uniform", "--compare takes none of"),
        ("--csv x.csv", "--csv goes with --compare"),
        ("--processes 2", "--processes goes with --compare"),
        ("--compare sandwich,uniform --processes 65", "--processes:"),
        ("--compare sandwich", "--compare:"),
        ("--compare sandwich,uniform --seeds 0", "--seeds:"),
        ("--compare sandwich,uniform --budget time", "--budget:"),
        ("--compare sandwich,nothing", "nothing"),
    ],
)
def test_what_does_not_fit_is_one_plain_line(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: str,
    sentence: str,
) -> None:
    assert call(monkeypatch, "train", "digits-lesson", *flags.split()) in (1, 2)
    told = capsys.readouterr().err
    assert sentence in told
    assert len(told.strip().splitlines()) == 1
