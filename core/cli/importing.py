"""Commands for tables that others wrote: a file's front without a supernet."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.cli import saving
from core.cli.output import read_file, write_or_print, write_table
from core.library.csv_tables import csv_bytes
from core.library.foreign_tables.base import MOST_BYTES
from core.library.foreign_tables.columns import Peek
from core.library.foreign_tables.decoding import read_foreign
from core.library.imported_tables import TableRows, front_table, rows_of
from core.library.table_guessing import guessed, objective_of
from core.library.table_mapping import LEAST, ObjectiveColumn, TableMapping, asked
from core.text import display_name


def import_table(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Parquet, JSON lines, or an Optuna storage (SQLite or journal), whoever wrote it."
        ),
    ],
    objectives: Annotated[
        str,
        typer.Option(
            help="Columns with directions: accuracy:max,latency:min. What is left out is guessed and said."
        ),
    ] = "",
    csv: Annotated[Path | None, typer.Option(help="Write the table here as CSV.")] = None,
    save: saving.Save = None,
) -> None:
    """The front of a table that another program wrote: all rows that count, with a column on_front."""
    files = saving.checked(save)
    found, data = read_foreign(read_file(file, MOST_BYTES))
    mapping = _mapping(found, objectives)
    rows = rows_of(data, mapping)
    names = [each.column for each in mapping.objectives]
    table = front_table(rows, names)
    for sentence in (*found.notes, *rows.told(names)):
        print(sentence, file=sys.stderr)
    content = csv_bytes(table)
    if csv is not None:
        write_table(csv, content, lambda columns: _about(file, found, rows, columns))
    elif not files:
        write_or_print(None, content)
    what = saving.Saved(
        table=table,
        goals=[rows.goal(name) for name in names],
        caption=_caption(file, found, rows, names),
        label=f"front-{file.stem}",
        title=f"Front of {display_name(file.name)}",
        one="row",
    )
    saving.save(files, what)


def _mapping(found: Peek, objectives: str) -> TableMapping:
    guess = guessed(found)
    if not objectives:
        pair = _usual(guess)
        chosen = ",".join(f"{each.column}:{'max' if each.maximize else 'min'}" for each in pair)
        if len(pair) == 2:
            print(f"Guessed: --objectives {chosen}", file=sys.stderr)
        objectives = chosen
    known = {column.name: each for column in found.columns if (each := objective_of(column))}
    wanted = asked(objectives, known, found.names)
    taken = {each.column for each in wanted}
    kept = {name: "" for name in ("identity", "group", "source") if getattr(guess, name) in taken}
    return guess.model_copy(update={"objectives": wanted, "configuration": (), **kept})


def _usual(guess: TableMapping) -> list[ObjectiveColumn]:
    """A quality and a cost where both are there."""
    large = [each for each in guess.objectives if each.maximize][:1]
    small = [each for each in guess.objectives if not each.maximize][:1]
    return [*large, *small] if large and small else list(guess.objectives[:2])


def _caption(file: Path, found: Peek, rows: TableRows, names: list[str]) -> str:
    how = " ".join(f"{display_name(name)}: {rows.goal(name).how}." for name in names)
    about = f"{display_name(file.name)}: an imported table of {found.rows:,} rows ({found.label})."
    return " ".join([about, how, *rows.told(names)])


def _about(file: Path, found: Peek, rows: TableRows, columns: list[str]) -> bytes:
    """The description beside the table, as JSON."""
    told = {
        each.column: {
            "better": "more" if each.maximize else "less",
            "unit": each.unit or None,
            "values": LEAST[each.least],
            "obtained": str(each.how),
            "left_off": rows.left[each.column].total,
        }
        for each in rows.mapping.objectives
    }
    content = {
        "file": {
            "name": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "format": found.label,
        },
        "rows": found.rows,
        "columns": {name: told.get(name, {"meaning": "as in the file"}) for name in columns},
    }
    return (json.dumps(content, indent=2) + "\n").encode()
