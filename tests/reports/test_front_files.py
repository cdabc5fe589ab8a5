"""Fronts as files: the same rows in every format, and nothing in any of them that a program would run."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.objectives.base import objective
from core.reports.front_files import FORMATS, MOST_LATEX_ROWS, format_of, table_file
from tests.security.table_campaign import carried

ROWS = pd.DataFrame(
    {
        "arch": ["=1+1", "a\r=2", "</script>", "\\input{x} & 50 %"],
        "accuracy": [0.5, np.nan, np.inf, 0.75],
        "macs": [1, 2, 3, 4],
        "on_front": [True, False, False, True],
    }
)
GOALS = {name: objective(name) for name in ("accuracy", "macs")}


def written(format_name: str, table: pd.DataFrame = ROWS) -> bytes:
    return table_file(table, format_name, goals=GOALS, caption="50 % of $x$", label="front")


@pytest.mark.parametrize("format_name", FORMATS)
def test_nothing_is_carried_into_a_file(format_name: str) -> None:
    assert carried(format_name, written(format_name)) == ""
    assert format_of(f".{FORMATS[format_name].suffix.upper()}") == format_name


def test_the_same_rows_in_every_format() -> None:
    parquet, rows = pd.read_parquet(io.BytesIO(written("parquet"))), json.loads(written("json"))
    table = pd.read_csv(io.BytesIO(written("csv")))
    assert table["macs"].tolist() == parquet["macs"].tolist() == [row["macs"] for row in rows] == [1, 2, 3, 4]
    assert [row["accuracy"] for row in rows] == [0.5, None, None, 0.75]
    assert [row["on_front"] for row in rows] == table["on_front"].tolist()
    latex = written("latex").decode()
    assert r"50\ \%" not in latex
    assert r"50 \% of \$x\$" in latex
    assert "75.0 \\%" in latex


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(InvalidInput, match="at most 1,000 rows"):
        written("latex", pd.concat([ROWS] * (MOST_LATEX_ROWS // 4 + 1)))
    with pytest.raises(InvalidInput, match="no format"):
        written("docx")
    with pytest.raises(InvalidInput, match="not as"):
        format_of(".docx")
