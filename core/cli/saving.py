"""`--save`: the front of a command in further formats, by the ending of each file's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.output import write
from core.errors import InvalidInput
from core.papers.base import FORMATS as PICTURES
from core.papers.base import Layout
from core.papers.front import front_paper
from core.records import Objective
from core.reports.front_files import FORMATS, format_of, table_file

if TYPE_CHECKING:
    import pandas as pd

    from core.library.supernets import SupernetEntry

Save = Annotated[
    list[Path] | None,
    typer.Option(
        help="Also write it here, by the ending: .csv, .parquet, .json (all rows), .tex (the front's rows), .svg or .pdf "
        "(a figure for a paper). May be said several times."
    ),
]
Matformer = Annotated[
    Path | None,
    typer.Option(help="With --exact: the front of a decoder as slices of MatFormer, which mistral.rs reads."),
]


@dataclass(frozen=True)
class Saved:
    """What is written.

    Attributes:
        table: all rows, with a column `on_front`; the first column names the row.
        goals: objectives of the table, those of the front first: what goes up, what goes across.
        caption: what was measured.
        label: of the table for LaTeX.
        title: of the figure.
        one: what a row is.
    """

    table: pd.DataFrame
    goals: Sequence[Objective]
    caption: str
    label: str
    title: str
    one: str


def checked(paths: Sequence[Path] | None) -> list[Path]:
    """The files, if each has an ending that is known; said before anything is computed.

    Raises:
        InvalidInput: one has another ending.
    """
    for path in paths or ():
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in PICTURES and suffix not in {each.suffix for each in FORMATS.values()}:
            known = ", ".join(f".{each.suffix}" for each in FORMATS.values())
            raise InvalidInput(f"--save {path.name}: the ending is one of {known}, .svg or .pdf.")
    return list(paths or ())


def save(paths: Sequence[Path], what: Saved) -> None:
    """Write every file and say its name.

    Raises:
        InvalidInput: too many rows for LaTeX.
        StorageFailed: the disk refused it.
    """
    for path in paths:
        write(path, _content(path.suffix.lower().removeprefix("."), what))
        print(path)


def slices(path: Path | None, entry: SupernetEntry, table: pd.DataFrame) -> None:
    """Write a front as slices of MatFormer, where a file is named, and say what they fit.

    Raises:
        InvalidInput: it is no decoder's, or no subnet of it can be said so.
        StorageFailed: the disk refused it.
    """
    if path is None:
        return
    from core.library.matformer_rows import matformer_rows

    made = matformer_rows(entry, table)
    write(path, made.data)
    print(f"{path}: {made.told}")


def _content(suffix: str, what: Saved) -> bytes:
    if suffix in PICTURES:
        return _picture(suffix, what)
    table, name = what.table, format_of(suffix)
    if name == "latex":
        columns = [str(table.columns[0]), *(goal.name for goal in what.goals)]
        table = table.loc[table["on_front"].to_numpy(bool), columns]
    goals = {goal.name: goal for goal in what.goals}
    return table_file(table, name, goals=goals, caption=what.caption, label=what.label)


def _picture(suffix: str, what: Saved) -> bytes:
    if len(what.goals) < 2:
        raise InvalidInput("A figure of a front needs two objectives.")
    y, x = what.goals[:2]
    table = what.table[["on_front", x.name, y.name]]
    table = table.assign(arch_id=[str(at + 1) for at in range(len(table))])
    wide = not x.maximize and _wide(table[x.name])
    layout = Layout(format=suffix)
    return front_paper(
        table, x, y, layout, caption=what.caption, title=what.title, log_x=wide, one=what.one
    ).data


def _wide(values: pd.Series) -> bool:
    low, high = float(values.min()), float(values.max())
    return low > 0 and high > 20 * low
