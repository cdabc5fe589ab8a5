"""Mutated tables, read and handed out again: `python -m tests.security.table_campaign FIRST LAST` prints one JSON object.

A process of its own: whatever a damaged file does to a library must not end the test. Every file ends in a table or in one
sentence; of a table the front is made and written in every format, and no file holds what a spreadsheet, a browser or LaTeX
would run.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import warnings

import numpy as np
import pandas as pd

from core.errors import InvalidInput
from core.library.foreign_tables.decoding import decoded
from core.library.imported_tables import TableRows, front_table, rows_of
from core.library.table_guessing import guessed
from core.papers.base import Layout
from core.papers.front import front_paper
from core.plots.front import front_figure
from core.reports.front_files import FORMATS, table_file
from core.views.table_front import table_front
from tests.helpers.foreign_tables import (
    DEEPCAVE,
    DYNAST,
    ROWS,
    WANDB,
    as_csv,
    as_json_lines,
    as_parquet,
    journal,
    optuna_sqlite,
)
from tests.security.hostile_files import mutate, plain_sentence

EVIL = ROWS.assign(
    arch=[
        "=1+1",
        "<script>alert(1)</script>",
        "@SUM(A1)",
        "\\input{/etc/passwd}",
        "$\\infty$ ${x}",
        "+cmd|' /C calc'!A0",
    ],
    latency_ms=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
).rename(columns={"depth": '=HYPERLINK("x")', "device": "<img src=x onerror=alert(1)>"})
SEEDS = [
    as_csv(), as_csv(EVIL), as_parquet(), as_parquet(EVIL), as_json_lines(), as_json_lines(EVIL), journal(), optuna_sqlite(),
    DYNAST.encode(), DEEPCAVE.encode(), WANDB.encode(), EVIL.to_csv(index=False, sep=";").encode("utf-16"),
]  # fmt: skip
_NUMBER_STARTS = "+-"


def mutated(number: int) -> bytes:
    """The file of this number; the same ever again."""
    rng = np.random.default_rng(number)
    return mutate(SEEDS[number % len(SEEDS)], rng)


def judge(number: int) -> str:
    """ "table", "refused", or what is wrong."""
    try:
        found, data = decoded(mutated(number))
    except InvalidInput as error:
        return "refused" if plain_sentence(str(error)) else f"no plain sentence: {error}"
    mapping = guessed(found)
    try:
        rows = rows_of(data, mapping)
        names = [each.column for each in mapping.objectives[:2]]
        if len(names) < 2:
            return "table"
        table = front_table(rows, names)
    except InvalidInput:
        return "table"
    for name in FORMATS:
        goals = {goal.name: goal for goal in rows.goals}
        content = table_file(table[:20], name, goals=goals, caption=str(mapping.identity), label="front")
        if wrong := carried(name, content):
            return f"{name}: {wrong}"
    return drawn(rows, names) if number % 20 == 0 else "table"


def carried(format_name: str, content: bytes) -> str:
    """What of a file would be run, "" for nothing."""
    if format_name == "parquet":
        frame = pd.read_parquet(io.BytesIO(content))
        cells = [*map(str, frame.columns), *(str(v) for n in frame for v in frame[n] if isinstance(v, str))]
        return next((cell for cell in cells if starts_formula(cell)), "")
    text = content.decode()
    if format_name == "csv":
        return next(
            (
                cell
                for line in csv.reader(io.StringIO(text, newline=""))
                for cell in line
                if starts_formula(cell)
            ),
            "",
        )
    if format_name == "json":
        json.loads(text)
        return "<" if "<" in text else ""
    body = text.replace(r"\textbackslash{}", "")
    return next((word for word in (r"\input", r"\write", r"\def", "<script") if word in body), "")


def starts_formula(cell: str) -> bool:
    if cell[:1] in _NUMBER_STARTS:
        try:
            float(cell)
        except ValueError:
            return True
        return False
    return cell[:1] in ("=", "@", "\t", "\r")


def drawn(rows: TableRows, names: list[str]) -> str:
    """The chart of the page and the figure for a paper."""
    x, y = (rows.goal(name) for name in names)
    found = table_front(rows, x, y)
    text = front_figure(found.front.table, x, y, caption="").to_json()
    if "<script" in text or "<img" in text:
        return "the chart carries a tag"
    svg = front_paper(found.front.table, x, y, Layout(), caption=rows.identity(0), one="row").data
    return (
        "the figure carries a script"
        if b"<script" in svg or b"onerror=" in svg.replace(b"&lt;img src=x onerror", b"")
        else "table"
    )


def main(first: int, last: int) -> None:
    warnings.simplefilter("ignore")
    told = {}
    for number in range(first, last):
        print(f"at {number}", file=sys.stderr, flush=True)
        told[number] = judge(number)
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
