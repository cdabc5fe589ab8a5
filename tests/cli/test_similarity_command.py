"""`python -m core similarity`: the table the page shows, and one plain line where something is wrong."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from core.library.networks import load_model
from core.views.compare_models import Question, compare_models

A, B = "subnet:digits-cnn:000000000000", "subnet:digits-cnn:311131113111"


def command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "PARETOSCOPE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "core", "similarity", *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )


def test_the_table_is_the_comparison(tmp_path: Path) -> None:
    done = command(A, B, home=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    expected = compare_models(load_model(None, A), load_model(None, B), Question()).result
    assert len(rows) == expected.values.size
    assert [float(r["value"]) for r in rows] == pytest.approx(expected.values.ravel().tolist(), abs=1e-12)
    assert {r["layer_a"] for r in rows} == {"stem", "block 1.1", "block 2.1", "block 3.1", "head"}
    assert {r["n"] for r in rows} == {"359"}


def test_settings_of_the_measure_are_flags(tmp_path: Path) -> None:
    out = tmp_path / "layers.csv"
    done = command(
        A, B, "--measure", "mutual-knn", "--k", "3", "--samples", "100", "--csv", str(out), home=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert out.read_text().count("mutual_knn") == 40


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((A, "nonsense"), "names no network"),
        ((A, B, "--measure", "magic"), "no measure"),
        ((A, B, "--k", "3"), "no setting"),
        ((A, B, "--samples", "2"), "--samples"),
        ((A, B, "--pooling", "max"), "pooling"),
        ((A, B, "--measure", "agreement"), "answers, not layers"),
    ],
)
def test_mistakes_get_one_line(arguments: tuple[str, ...], word: str, tmp_path: Path) -> None:
    done = command(*arguments, home=tmp_path)
    assert done.returncode in (1, 2)
    assert word in done.stderr
    assert done.stderr.count("\n") == 1
