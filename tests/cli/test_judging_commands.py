"""`predictors` and `proxies` at a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

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
