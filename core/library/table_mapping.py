"""What the columns of an imported table mean: which are objectives, which row names what, and which values count.

A value counts on a front if it is a finite number, and not zero or negative where its objective cannot be. Rows
without such a value are counted by reason and left off; nothing is ever drawn as zero in its place.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, NotFound
from core.library.foreign_tables.columns import as_numbers
from core.library.results import Part
from core.records import COUNT, Objective, Shown, Source
from core.words import format_count

if TYPE_CHECKING:
    import pandas as pd

LEAST = {"any": "any number", "zero": "0 or more", "positive": "above 0"}
"""What values an objective can have, as a person reads it."""
KINDS = (Source.MEASURED, Source.COUNTED, Source.TRAINED, Source.PREDICTED, Source.PROXY)
_THOUSANDS = 10_000.0


class ObjectiveColumn(Part):
    """A column that is an objective.

    Attributes:
        column: its name in the table.
        maximize: whether larger is better.
        unit: of its values, "" for none.
        least: which values it can have, one of `LEAST`.
        how: how its values were obtained, one of `KINDS`.
    """

    column: str
    maximize: bool
    unit: str = ""
    least: str = "any"
    how: Source = Source.MEASURED


class TableMapping(Part):
    """What the columns of a table mean.

    Attributes:
        objectives: in the order they are offered.
        identity: the column that names the architecture of a row; "" where rows have their number only.
        group: the column that says which of several fronts a row belongs to, "" for none.
        source: the column that says row by row how values were obtained, "" for none.
        configuration: columns that say what the architecture is.
    """

    objectives: tuple[ObjectiveColumn, ...]
    identity: str = ""
    group: str = ""
    source: str = ""
    configuration: tuple[str, ...] = ()

    def objective(self, column: str) -> ObjectiveColumn:
        """The objective of a column.

        Raises:
            NotFound: the column is none.
        """
        for each in self.objectives:
            if each.column == column:
                return each
        raise NotFound(f"This table has no objective called {column[:60]!r}.")

    def checked(self, columns: Sequence[str]) -> TableMapping:
        """The same mapping, if a table with these columns can have it.

        Raises:
            InvalidInput: a column is not there, or stands for two things.
        """
        names = [each.column for each in self.objectives]
        used = [*names, *filter(None, (self.identity, self.group, self.source)), *self.configuration]
        if absent := [name for name in used if name not in columns]:
            raise InvalidInput(f"This table has no column {absent[0]!r}.{_nearest(absent[0], columns)}")
        if len(set(names)) != len(names):
            raise InvalidInput("A column is an objective once only.")
        if wrong := [each.least for each in self.objectives if each.least not in LEAST]:
            raise InvalidInput(f"An objective's values are one of {', '.join(LEAST)}, not {wrong[0][:20]!r}.")
        return self


def _nearest(name: str, columns: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class LeftOff:
    """Rows whose value of an objective does not count, by reason.

    Attributes:
        column: of the objective.
        missing: there is no value.
        words: there is a text that is no number.
        infinite: the value is infinite.
        zero, negative: it is, where something larger is expected.
        predicted: it is a guess: predicted, or a proxy.
    """

    column: str
    missing: int = 0
    words: int = 0
    infinite: int = 0
    zero: int = 0
    negative: int = 0
    predicted: int = 0

    @property
    def total(self) -> int:
        """Rows that are off every front of this objective."""
        return self.missing + self.words + self.infinite + self.zero + self.negative + self.predicted

    def sentence(self, label: str) -> str:
        """What is left off and why; "" where nothing is."""
        if not self.total:
            return ""
        reasons = (
            (self.missing, "no value"),
            (self.words, "a text instead of a number"),
            (self.infinite, "an infinite value"),
            (self.zero, "0 where something above 0 is expected"),
            (self.negative, "a negative value"),
            (self.predicted, "a value that is only predicted"),
        )
        told = [f"{format_count(n)} {'have' if n > 1 else 'has'} {what}" for n, what in reasons if n]
        rows = "rows are" if self.total > 1 else "row is"
        never = (
            " Such values usually stand for what was never measured." if self.zero or self.negative else ""
        )
        return f"{label}: {format_count(self.total)} {rows} left off its fronts: {', '.join(told)}.{never}"


def counted(
    column: pd.Series, meaning: ObjectiveColumn, stands: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], LeftOff]:
    """(n,) values of an objective, not a number where they do not count, and how many do not.

    Args:
        column: of the table.
        meaning: what the objective is.
        stands: which rows' values are no guesses; all if left out.
    """
    values = as_numbers(column).copy()
    empty = column.isna().to_numpy()
    if column.dtype.kind not in "bif":
        empty = empty | (column.str.strip() == "").fillna(False).to_numpy(bool)
    unread = np.isnan(values)
    never = np.zeros(len(values), bool)
    zero = (values == 0) if meaning.least == "positive" else never
    negative = never if meaning.least == "any" else (values < 0) & np.isfinite(values)
    infinite = np.isinf(values)
    fine = ~(unread | zero | negative | infinite)
    guessed = never
    if not meaning.how.may_stand:
        guessed = fine
    elif stands is not None:
        guessed = fine & ~stands
    left = LeftOff(
        meaning.column,
        missing=int(empty.sum()),
        words=int((unread & ~empty).sum()),
        infinite=int(infinite.sum()),
        zero=int(zero.sum()),
        negative=int(negative.sum()),
        predicted=int(guessed.sum()),
    )
    values[~fine] = np.nan
    return values, left


def may_stand(column: pd.Series, objective: str) -> NDArray[np.bool_]:
    """(n,) whether a column of sources lets an objective's value stand on a front.

    A cell is one way for all objectives ("measured (table)"), or ways with names ("measured: accuracy; predicted:
    latency_ms"), as this project writes them. A text that says neither is taken for measured.
    """
    texts = column.astype("str").fillna("")
    allowed = {text: _stands(text, objective) for text in texts.unique()}
    stands: NDArray[np.bool_] = texts.map(allowed).to_numpy(bool)
    return stands


def _stands(text: str, objective: str) -> bool:
    for part in text.split(";"):
        way, colon, names = part.partition(":")
        word = way.strip().partition(" ")[0].lower()
        if word not in set(Source) or (
            colon and objective not in [name.strip() for name in names.split(",")]
        ):
            continue
        return Source(word).may_stand
    return True


def described(meaning: ObjectiveColumn, values: NDArray[np.float64] | None = None) -> Objective:
    """A column as an objective: what views and figures need of it.

    Args:
        meaning: what the column is.
        values: of it; where they are large whole numbers they are written with prefixes (31.3 k).
    """
    unit = meaning.unit
    shown = Shown(symbol=unit)
    if not unit and values is not None:
        finite = values[np.isfinite(values)]
        if len(finite) and float(np.abs(finite).max()) >= _THOUSANDS:
            shown = COUNT
    better = "more" if meaning.maximize else "less"
    return Objective(
        name=meaning.column,
        label=_without_unit(meaning.column, unit),
        unit=unit,
        maximize=meaning.maximize,
        how=meaning.how,
        summary=f"Column of the imported table, {better} is better; values are {LEAST[meaning.least]}.",
        shown=shown,
    )


def _without_unit(name: str, unit: str) -> str:
    """A column's name without the unit that stands behind it in brackets, for that is written behind every label."""
    plain = (
        re.sub(rf"\s*[(\[]\s*{re.escape(unit)}\s*[)\]]\s*$", "", name, flags=re.IGNORECASE) if unit else name
    )
    return plain or name


def asked(
    text: str, guessed: Mapping[str, ObjectiveColumn], columns: Sequence[str]
) -> tuple[ObjectiveColumn, ...]:
    """Objectives from "accuracy:max,latency:min", as the command line takes them.

    Args:
        text: names and directions; a direction may be left out where it can be guessed.
        guessed: what the columns look like.
        columns: of the table.

    Raises:
        InvalidInput: there is none, or a direction is neither min nor max.
        NotFound: a column is not there.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, direction = part, ""
        if part not in columns:
            name, _, direction = part.rpartition(":")
            name = name or part
        column = _column(name, columns)
        known = guessed.get(column, ObjectiveColumn(column=column, maximize=False))
        if direction not in ("min", "max", ""):
            raise InvalidInput(f"--objectives: {part!r}: say :min or :max behind the column's name.")
        if not direction and column not in guessed:
            raise InvalidInput(f"--objectives: {part!r}: say whether it is :min or :max.")
        maximize = known.maximize if not direction else direction == "max"
        found.append(known.model_copy(update={"maximize": maximize, "how": Source.MEASURED}))
    if len({each.column for each in found}) < 2 or len(found) != len({each.column for each in found}):
        raise InvalidInput(
            "--objectives: name two or more different columns, as in accuracy:max,latency:min."
        )
    return tuple(found)


def _column(name: str, columns: Sequence[str]) -> str:
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    there = ", ".join(columns[:12]) + ("…" if len(columns) > 12 else "")
    raise NotFound(
        f"This table has no column {name[:60]!r}.{_nearest(name, columns) or f' There are {there}.'}"
    )
