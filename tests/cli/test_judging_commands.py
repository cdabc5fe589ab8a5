"""`predictors`, `proxies` and `ranking-check` at a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.library import supernets
from core.library.foreign_tables.decoding import decoded

Call = Callable[..., tuple[int, str, str]]


def test_predictors_are_a_row_each(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    status, said, _ = call(
        "predictors", "digits-cnn", "--rows", "40", "--predictors", "ridge,svr", "--csv", str(file)
    )
    assert (status, said.strip()) == (0, str(file))
    lines = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {line["predictor"] for line in lines} == {"ridge", "svr"}
    assert all(-1 <= float(line["kendall_tau"]) <= 1 for line in lines)


@pytest.mark.slow
def test_proxies_are_correlated_and_written(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    status, said, _ = call(
        "proxies", "digits-cnn", "--subnets", "8", "--samples", "8", "--proxies", "naswot", "--csv", str(file)
    )
    assert status == 0
    lines = list(csv.DictReader(io.StringIO(said)))
    assert {line["score"] for line in lines if line["kind"] == "baseline"} == {"macs", "parameters"}
    assert len(list(csv.DictReader(io.StringIO(file.read_text())))) == 8


def test_bad_arguments_give_one_plain_line(call: Call) -> None:
    for arguments, words in (
        (("predictors", "digits-cnn", "--rows", "3"), "--rows"),
        (("predictors", "digits-cnn", "--predictors", "rigde"), "ridge"),
        (("proxies", "digits-cnn", "--subnets", "2"), "--subnets"),
        (("proxies", "digits-cnn", "--weights", "old"), "--weights"),
        (("proxies", "nothing-here"), "nothing-here"),
    ):
        status, _, said = call(*arguments)
        assert status in (1, 2)
        assert words in said
        assert said.count("\n") == 1


def test_a_ranking_check_is_a_line_and_a_table(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.library.published.read_foreign", decoded)
    file, truth = tmp_path / "check.csv", tmp_path / "truth.csv"
    entry = supernets.find(None, "digits-lesson")
    table = supernets.table(entry)
    assert table is not None
    # What the supernet itself says on test samples, as if others had published it.
    told = table.assign(architecture=[json.dumps(entry.space.to_dict(a)) for a in entry.space.array()])
    told[["architecture", "test_accuracy"]].to_csv(truth, index=False)
    status, said, _ = call(
        "ranking-check", "digits-lesson", "--subnets", "9", "--table", str(truth), "--csv", str(file)
    )
    assert status == 0
    summary = json.loads(said.splitlines()[0])
    assert (summary["subnets"], summary["seeds"], summary["verdict"]) == (9, [1], "cannot tell")
    assert summary["kendall_tau"]["tau"] > 0.5
    lines = list(csv.DictReader(io.StringIO(file.read_text())))
    assert len(lines) == 9
    assert all(line["alone_test_accuracy"] == line["test_accuracy"] for line in lines)
    for arguments, words in (
        (("--subnets", "2"), "--subnets"),
        (("--chosen", "best"), "--chosen"),
        (("--table", str(truth), "--column", "top1"), "no column 'top1'"),
    ):
        status, _, said = call("ranking-check", "digits-lesson", *arguments)
        assert status in (1, 2)
        assert words in said
        assert said.count("\n") == 1
