"""Fronts as files, in one place for all pages and the command line: CSV, Parquet, JSON, a table for LaTeX.

Whatever a name or a cell holds, no file carries a formula or a script: a text that a spreadsheet would take for a formula
gets a quote before it, in JSON nothing can end a script's text, and LaTeX sets every letter as it stands.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InvalidInput
from core.library.csv_tables import csv_bytes, plain_cells
from core.records import Objective
from core.reports.document import Table
from core.reports.latex import latex_table
from core.words import column_label, format_value

if TYPE_CHECKING:
    import pandas as pd

MOST_LATEX_ROWS = 1_000
_LONGEST_CELL = 60


@dataclass(frozen=True)
class TableFormat:
    """A format that a table of rows is written in.

    Attributes:
        label: what a person calls it.
        suffix: ending of the file's name, without the dot.
        media_type: for the browser.
    """

    label: str
    suffix: str
    media_type: str


FORMATS: Mapping[str, TableFormat] = {
    "csv": TableFormat("CSV", "csv", "text/csv"),
    "parquet": TableFormat("Parquet", "parquet", "application/vnd.apache.parquet"),
    "json": TableFormat("JSON", "json", "application/json"),
    "latex": TableFormat("LaTeX", "tex", "application/x-tex"),
}


def format_of(suffix: str) -> str:
    """The format of files with such an ending.

    Raises:
        InvalidInput: there is none.
    """
    for name, each in FORMATS.items():
        if each.suffix == suffix.lower().removeprefix("."):
            return name
    endings = ", ".join(f".{each.suffix}" for each in FORMATS.values())
    raise InvalidInput(f"A table is written as {endings}, not as {suffix[:20]!r}.")


def table_file(
    table: pd.DataFrame,
    format_name: str,
    *,
    goals: Mapping[str, Objective],
    caption: str,
    label: str,
) -> bytes:
    """A table of rows as a file.

    Args:
        table: rows in the order they are written; columns of numbers, truth values and texts.
        format_name: one of `FORMATS`.
        goals: objectives by their column, for LaTeX, which writes values as a person reads them.
        caption, label: of the table for LaTeX.

    Raises:
        InvalidInput: there is no such format, or there are too many rows for LaTeX.
    """
    if format_name == "csv":
        return csv_bytes(table)
    if format_name == "latex":
        return _latex(table, goals, caption, label)
    if format_name not in FORMATS:
        raise InvalidInput(f"There is no format {format_name[:20]!r} for tables.")
    plain = plain_cells(table)
    if format_name == "json":
        return _json(plain)
    buffer = io.BytesIO()
    plain.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _json(plain: pd.DataFrame) -> bytes:
    """A list of objects; what is no number or infinite is null, as JSON has it."""
    columns = {str(name): _listed(plain[name]) for name in plain}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    text = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    return f"[\n{text}\n]\n".replace("<", "\\u003c").encode()


def _listed(column: pd.Series) -> list[object]:
    values = column.tolist()
    if column.dtype.kind == "f":
        return [value if np.isfinite(value) else None for value in values]
    if column.dtype.kind in "bi":
        return values
    return [None if value is None or value != value else value for value in values]


def _latex(table: pd.DataFrame, goals: Mapping[str, Objective], caption: str, label: str) -> bytes:
    if len(table) > MOST_LATEX_ROWS:
        raise InvalidInput(f"A table for LaTeX has at most {MOST_LATEX_ROWS:,} rows; take another format.")
    names = [str(name) for name in table]
    columns = tuple(column_label(goals[name]) if name in goals else name for name in names)
    cells = [[_cell(value, goals.get(name)) for value in table[name].tolist()] for name in names]
    numbers = frozenset(at for at, name in enumerate(names) if table[name].dtype.kind in "if")
    rows = [tuple(row) for row in zip(*cells, strict=True)]
    return latex_table(Table("", columns, rows, numbers), caption=caption, label=label).encode()


def _cell(value: object, goal: Objective | None) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if goal is not None and isinstance(value, int | float):
        return format_value(float(value), goal)
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
