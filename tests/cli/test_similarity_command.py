"""`python -m core similarity`: the table the page shows, and one plain line where something is wrong."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from core.library.networks import load_model
from core.views.compare_models import Question, compare_models
from tests.cli.conftest import Call

A, B = "subnet:digits-cnn:000000000000", "subnet:digits-cnn:311131113111"


def test_the_table_is_the_comparison(call: Call) -> None:
    status, out, err = call("similarity", A, B)
    assert status == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    expected = compare_models(load_model(None, A), load_model(None, B), Question()).result
    assert len(rows) == expected.values.size
    assert [float(r["value"]) for r in rows] == pytest.approx(expected.values.ravel().tolist(), abs=1e-12)
    assert {r["layer_a"] for r in rows} == {"stem", "block 1.1", "block 2.1", "block 3.1", "head"}
    assert {r["n"] for r in rows} == {"359"}


def test_settings_of_the_measure_are_flags(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "layers.csv"
    flags = ("--measure", "mutual-knn", "--k", "3", "--samples", "100", "--csv", str(out))
    status, _, err = call("similarity", A, B, *flags)
    assert status == 0, err
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
def test_mistakes_get_one_line(arguments: tuple[str, ...], word: str, call: Call) -> None:
    status, _, err = call("similarity", *arguments)
    assert status in (1, 2)
    assert word in err
    assert err.count("\n") == 1
