"""A first guess at what the columns of a foreign table mean; a person corrects it.

Guesses come from what the file says, from the words in a column's name, and from its values, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.library.foreign_tables.columns import ColumnPeek, Peek
from core.library.foreign_tables.vocabulary import (
    COSTS,
    LARGE_IS_BETTER,
    LOSSES,
    NAMES,
    UNITS,
    is_a_cost,
    letters_of,
    words_of,
)
from core.library.table_mapping import ObjectiveColumn, TableMapping
from core.records import Source

_BESIDE = {
    "std", "spread", "low", "high", "share", "source", "seed", "index", "idx", "id", "epoch", "epochs", "count", "step",
    "number", "rank", "var", "date", "start", "end", "budget", "image", "img", "crop", "resolution", "batch", "kernel", "input",
    "timestamp", "created", "started", "min", "max",
}  # fmt: off
_HOW_MANY = {"count", "number"}
"""With a cost they say the same as it alone: param_count."""
_GROUP = {
    "device",
    "dataset",
    "data",
    "platform",
    "hardware",
    "study",
    "task",
    "method",
    "algorithm",
    "accelerator",
    "target",
}
_UNIT = re.compile(r"[(\[]\s*([^()\[\]]{1,12})\s*[)\]]")
_MOST_GROUPS = 60
_MOST_OBJECTIVES = 60


def guessed(found: Peek) -> TableMapping:
    """What the columns probably mean; at least two objectives where there are two columns of numbers."""
    columns = {column.name: column for column in found.columns}
    objectives = [each for column in found.columns if (each := objective_of(column)) is not None]
    said = [each for each in objectives if columns[each.column].role == "objective"]
    # What the file names as its objectives comes first; beside an accuracy, costs before its own errors.
    others = [each for each in objectives if each not in said]
    if any(each.maximize for each in objectives):
        others.sort(key=lambda each: not each.maximize and not is_a_cost(each.column))
    objectives = [*said, *others]
    if len(objectives) < 2:
        objectives += _any_numbers(found, {each.column for each in objectives})
    chosen = tuple(objectives[:_MOST_OBJECTIVES])
    taken = {each.column for each in chosen}
    identity = _identity(found, taken)
    group = _group(found, taken | {identity})
    source = _source(found)
    fixed = {*taken, identity, group, source, "on_front"}
    rest = tuple(column.name for column in found.columns if column.name not in fixed)
    return TableMapping(objectives=chosen, identity=identity, group=group, source=source, configuration=rest)


def objective_of(column: ColumnPeek) -> ObjectiveColumn | None:
    """The column as an objective; None where it does not look like one."""
    if not column.is_number or column.role in ("configuration", "identity", "group"):
        return None
    words = words_of(column.name)
    stems = {re.sub(r"\d+$", "", word) for word in words} | set(words)
    large = bool(stems & LARGE_IS_BETTER) or any(word.endswith("acc") for word in stems)
    cost, loss = bool(stems & COSTS), bool(stems & LOSSES)
    beside = stems & (_BESIDE - _HOW_MANY if cost else _BESIDE)
    if column.role != "objective" and (beside or not (large or cost or loss)):
        return None
    maximize = column.maximize if column.maximize is not None else large and not loss
    least = "positive" if cost or stems & {"throughput", "fps"} else "zero" if large else "any"
    if column.role == "objective" and (column.negative or column.zero) and not (cost or large):
        least = "any"
    return ObjectiveColumn(
        column=column.name, maximize=bool(maximize), unit=unit_of(column), least=least, how=Source.MEASURED
    )


def unit_of(column: ColumnPeek) -> str:
    """The unit behind its values, or in its name ("Latency (ms)", "energy_mj"), or "%" for an accuracy beyond 1; "" where none is said."""
    if column.unit:
        return column.unit
    inside = _UNIT.search(column.name)
    if inside and inside[1].lower() in UNITS:
        return UNITS[inside[1].lower()]
    words = words_of(column.name)
    if words and words[-1] in UNITS and len(words) > 1:
        return UNITS[words[-1]]
    stems = {re.sub(r"\d+$", "", word) for word in words}
    accuracy = stems & {"acc", "accuracy", "top", "valacc", "testacc"}
    return "%" if accuracy and column.high is not None and 1.5 < column.high <= 100.0 else ""


def _any_numbers(found: Peek, taken: set[str]) -> list[ObjectiveColumn]:
    """Where names say nothing: columns of fractional numbers, the smaller the better."""
    numbers = [
        column
        for column in found.columns
        if column.kind == "number"
        and column.name not in taken
        and column.role in ("", "objective")
        and column.low != column.high
        and not set(words_of(column.name)) & _BESIDE
    ]
    fractional = [column for column in numbers if not column.whole]
    chosen = [*fractional, *(column for column in numbers if column.whole)][: 2 - min(len(taken), 2)]
    return [ObjectiveColumn(column=column.name, maximize=False, unit=unit_of(column)) for column in chosen]


def _identity(found: Peek, taken: set[str]) -> str:
    for column in found.columns:
        if column.role == "identity" and column.name not in taken:
            return column.name
    plain = {letters_of(c.name): c for c in reversed(found.columns) if c.name not in taken}
    for name in NAMES:
        alike = plain.get(name)
        if alike is not None and (alike.distinct > 0.5 * found.rows or alike.kind == "text"):
            return alike.name
    unique = [c for c in found.columns if c.kind == "text" and c.distinct == found.rows and not c.is_number]
    return next((c.name for c in unique if c.name not in taken), "")


def _group(found: Peek, taken: set[str]) -> str:
    candidates: Sequence[ColumnPeek] = [
        column
        for column in found.columns
        if column.name not in taken and 2 <= column.distinct <= _MOST_GROUPS and column.distinct < found.rows
    ]
    for column in candidates:
        if column.role == "group" or (column.kind == "text" and set(words_of(column.name)) & _GROUP):
            return column.name
    return ""


def _source(found: Peek) -> str:
    """The column that this project's own files call so."""
    for column in found.columns:
        if column.name == "source" and column.kind == "text":
            said = [text.partition(" ")[0].partition(":")[0] for text in column.examples]
            if said and all(word in set(Source) for word in said):
                return column.name
    return ""
