"""The command `robustness`: sentences on standard output, every subnet in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_it_says_what_goes_with_robustness_and_writes_every_subnet(call: Callable, tmp_path: Path) -> None:
    target = tmp_path / "robust.csv"
    status, out, err = call("robustness", "digits-cnn", "--subnets", "8", "--csv", str(target))
    assert status == 0, err
    assert out.startswith("8 subnets under attack")
    assert "FSP distance" in out
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert list(rows[0]) == [
        "architecture",
        "robust_accuracy",
        "accuracy",
        "fsp_distance",
        "macs",
        "on_front",
        "source",
    ]
    assert len(rows) == 8
    assert all(float(row["robust_accuracy"]) <= float(row["accuracy"]) for row in rows)
    assert {row["on_front"] for row in rows} == {"True", "False"}
