"""Columns of a foreign table made plain (numbers, truth values, texts), written as Parquet, and described for a form."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from core.library.foreign_tables.base import ForeignTable, refuse_size
from core.library.foreign_tables.written_numbers import Written, read_numbers
from core.library.results import Part
from core.text import display_name
from core.words import count_of

if TYPE_CHECKING:
    import pandas as pd

LONGEST_NAME = 120
LONGEST_TEXT = 4_000
_SHOWN_TEXT = 60
_FIRST_ROWS = 6
_MOST_SHOWN = 40
_MOST_EXAMPLES = 5
_LONG = 1e12


class ColumnPeek(Part):
    """What a form must know of a column.

    Attributes:
        name: of the column, plain and unlike the others.
        kind: "number", "truth" or "text".
        missing: rows without a value.
        words: rows with a text where others are numbers; only of columns that are mostly numbers.
        infinite, zero, negative: how many of the numbers are.
        low, high: of the finite numbers; None where there is none.
        whole: whether all numbers are whole.
        distinct: different values of texts and whole numbers; -1 where they were not counted.
        examples: the first different values, as text.
        role, maximize: what the file itself says, "" and None where it does not.
        unit: written behind its values, "" for none.
    """

    name: str
    kind: str
    missing: int
    words: int = 0
    infinite: int = 0
    zero: int = 0
    negative: int = 0
    low: float | None = None
    high: float | None = None
    whole: bool = False
    distinct: int = -1
    examples: tuple[str, ...] = ()
    role: str = ""
    maximize: bool | None = None
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers, if need be besides some words."""
        return self.kind == "number" or (self.kind == "text" and self.low is not None)


class Peek(Part):
    """What a file holds.

    Attributes:
        reader: registry name of the reader.
        label: what a person calls the format.
        rows: how many.
        columns: of the table.
        first: the first rows as texts, of the first columns.
        notes: what a person must know of the reading.
    """

    reader: str
    label: str
    rows: int
    columns: tuple[ColumnPeek, ...]
    first: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class Said(TypedDict):
    """What the file says of a column, as `ColumnPeek` has it."""

    role: str
    maximize: bool | None
    unit: str


@dataclass(frozen=True)
class Plain:
    """A table whose columns are numbers, truth values and texts.

    Attributes:
        frame: its rows.
        said: what the file says of each column.
        notes: what a person must know of the reading, a sentence each.
    """

    frame: pd.DataFrame
    said: tuple[Said, ...]
    notes: tuple[str, ...]


def plain(found: ForeignTable) -> Plain:
    """The table with plain columns.

    Raises:
        InvalidInput: it is empty or too large.
    """
    import pandas as pd

    frame = found.frame
    refuse_size(*frame.shape)
    columns: dict[str, Any] = {}
    said: list[Said] = []
    examples: list[str] = []
    for at, raw in enumerate(frame.columns):
        name = _unlike(display_name(raw, LONGEST_NAME) or f"column {at + 1}", columns)
        column, read = _numbers_of(name, _plain_column(frame.iloc[:, at]), found.decimal)
        columns[name] = column
        hint = found.hints.get(raw) if isinstance(raw, str) else None
        said.append(
            Said(
                role=hint.role if hint else "",
                maximize=hint.maximize if hint else None,
                unit=read.unit if read else "",
            )
        )
        if read:
            text, value = read.example
            examples.append(f"{name} {text[:_SHOWN_TEXT]} as {f'{value:,.12g} {read.unit}'.strip()}")
    return Plain(pd.DataFrame(columns), tuple(said), (*found.notes, *_read_as(examples, found.decimal)))


def _numbers_of(name: str, column: Any, decimal: str) -> tuple[Any, Written | None]:
    """A column of texts as the numbers that are written in it; words between them stay."""
    if not hasattr(column, "str"):
        return column, None
    known = int((column.notna() & (column.str.strip() != "")).sum())
    plain_ones = int(np.isfinite(as_numbers(column)).sum())
    read = read_numbers(name, column, decimal) if plain_ones < known else None
    if read is None or (found := int(np.isfinite(read.values).sum())) <= plain_ones:
        return column, None
    if found == known:
        return read.values, read
    return column.where(~np.isfinite(read.values), [repr(float(value)) for value in read.values]), read


def _read_as(examples: list[str], decimal: str) -> list[str]:
    """What is said of columns whose numbers were written otherwise, in a sentence."""
    if not examples:
        return []
    more = len(examples) - _MOST_EXAMPLES
    others = [f"and {count_of(more, 'more column')}"] if more > 0 else []
    comma = ", with decimal commas" if decimal == "," else ""
    return [f"Read as numbers{comma}: {'; '.join([*examples[:_MOST_EXAMPLES], *others])}."]


def written(frame: pd.DataFrame) -> bytes:
    """The plain table as the library keeps it."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _unlike(name: str, taken: dict[str, Any]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name} ({count})"
    return found


def _plain_column(column: pd.Series) -> Any:
    kind = column.dtype.kind
    if kind in "bi":
        return column.to_numpy()
    if kind in "uf":
        return column.to_numpy(np.float64)
    values = column.astype(object)
    known = values.notna().to_numpy()
    if not known.any():
        return np.full(len(column), np.nan)
    types = {type(value) for value in values[known]}
    if types <= {int, float, np.float64, np.int64}:
        return np.array([_float(v) if k else np.nan for v, k in zip(values, known, strict=True)])
    if types == {bool} and known.all():
        return values.to_numpy(bool)
    return _texts(column, values, known)


def _texts(column: pd.Series, values: pd.Series, known: NDArray[np.bool_]) -> Any:
    import pandas as pd

    if isinstance(column.dtype, pd.StringDtype):
        texts = column
    else:
        written_out = [_text(v) if k else None for v, k in zip(values, known, strict=True)]
        texts = pd.Series(written_out, dtype="str")
    return texts.str.slice(0, LONGEST_TEXT).reset_index(drop=True)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return float("inf") if value > 0 else float("-inf")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, bytes):
        return value[:LONGEST_TEXT].decode(errors="replace")
    if isinstance(value, dict | list | tuple | np.ndarray):
        try:
            return json.dumps(value, default=_listed)[: 2 * LONGEST_TEXT]
        except (TypeError, ValueError, RecursionError):
            return str(type(value).__name__)
    return str(value)[: 2 * LONGEST_TEXT]


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def peek(table: Plain, *, reader: str, label: str) -> Peek:
    """Describe a plain table.

    Args:
        table: as `plain` made it.
        reader, label: of the answer.
    """
    frame = table.frame
    columns = tuple(_column(frame[name], said) for name, said in zip(frame, table.said, strict=True))
    head = frame.iloc[:_FIRST_ROWS, :_MOST_SHOWN]
    cells = tuple(tuple(_shown(value) for value in row) for row in head.itertuples(index=False, name=None))
    return Peek(rows=len(frame), columns=columns, first=cells, notes=table.notes, reader=reader, label=label)


def _column(column: pd.Series, said: Said) -> ColumnPeek:
    name, kind = str(column.name), column.dtype.kind
    if kind == "b":
        return ColumnPeek(name=name, kind="truth", missing=0, distinct=column.nunique(), role=said["role"])
    told: dict[str, Any] = dict(said)
    told["examples"] = tuple(_shown(v) for v in column.iloc[:200].dropna().drop_duplicates().iloc[:4])
    if kind in "if":
        told |= _numbers(column.to_numpy(np.float64))
        if kind == "i" or told["whole"]:
            told["distinct"] = int(column.nunique())
        return ColumnPeek(name=name, kind="number", missing=int(column.isna().sum()), **told)
    missing = int(column.isna().sum() + (column.str.strip() == "").sum())
    told["distinct"] = int(column.nunique())
    values = as_numbers(column)
    numbers = int(np.isfinite(values).sum())
    if numbers and numbers >= 0.5 * (len(column) - missing):
        unreadable = int(np.isnan(values).sum()) - missing
        told |= _numbers(values) | {"words": max(unreadable, 0)}
    return ColumnPeek(name=name, kind="text", missing=missing, **told)


def as_numbers(column: pd.Series) -> NDArray[np.float64]:
    """(n,) values of a plain column; not a number where there is none, or a text that is none."""
    import pandas as pd

    if column.dtype.kind in "bif":
        return column.to_numpy(np.float64)
    found: NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return found


def _numbers(values: NDArray[np.float64]) -> dict[str, Any]:
    finite = values[np.isfinite(values)]
    told: dict[str, Any] = {
        "infinite": int(np.isinf(values).sum()),
        "zero": int((finite == 0).sum()),
        "negative": int((finite < 0).sum()),
        "whole": bool(len(finite)) and bool((finite == np.round(finite)).all()),
    }
    if len(finite):
        told |= {"low": float(finite.min()), "high": float(finite.max())}
    return told


def _shown(value: Any) -> str:
    if value is None or value != value:
        return ""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _LONG
    text = f"{value:{'.0f' if whole else '.6g'}}" if isinstance(value, float) else str(value)
    return display_name(text, _SHOWN_TEXT)
