"""A first guess at what the columns of a foreign table mean; a person corrects it.

Guesses come from what the file says, from the words in a column's name, and from its values, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.library.foreign_tables.columns import ColumnPeek, Peek
from core.library.table_mapping import ObjectiveColumn, TableMapping
from core.records import Source

_LARGE_IS_BETTER = {
    "acc", "accuracy", "top", "top1", "top5", "valacc", "testacc", "bleu", "auc", "map", "iou", "miou", "psnr", "ssim",
    "score", "reward", "throughput", "fps", "precision", "recall", "f1", "r2", "intensity", "utilization",
}  # fmt: off
_COSTS = {
    "latency", "energy", "time", "runtime", "duration", "params", "parameters", "macs", "flops", "madds", "size", "bytes",
    "memory", "power", "area", "lat", "mem", "ops",
}  # fmt: off
_LOSSES = {"loss", "error", "err", "perplexity", "ppl", "rmse", "mae", "mse", "cost", "nll"}
_BESIDE = {
    "std", "spread", "low", "high", "share", "source", "seed", "index", "idx", "id", "epoch", "epochs", "count", "step",
    "number", "rank", "var", "date", "start", "end", "budget", "image", "batch", "kernel", "input", "timestamp", "created", "started", "min", "max",
}  # fmt: off
_IDENTITY = (
    "architecture",
    "archstr",
    "arch",
    "subnetwork",
    "config",
    "configid",
    "uniquestr",
    "id",
    "name",
    "number",
    "network",
)
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
_UNITS = {
    "ms": "ms", "us": "µs", "s": "s", "sec": "s", "seconds": "s", "mj": "mJ", "j": "J", "mb": "MB", "kb": "kB", "gb": "GB",
    "w": "W", "mw": "mW", "fps": "1/s", "percent": "%", "pct": "%",
}  # fmt: off
_UNIT = re.compile(r"[(\[]\s*([^()\[\]]{1,12})\s*[)\]]")
_MOST_GROUPS = 60
_MOST_OBJECTIVES = 60


def guessed(found: Peek) -> TableMapping:
    """What the columns probably mean; at least two objectives where there are two columns of numbers."""
    columns = {column.name: column for column in found.columns}
    objectives = [each for column in found.columns if (each := objective_of(column)) is not None]
    said = [each for each in objectives if columns[each.column].role == "objective"]
    # What the file names as its objectives comes first.
    objectives = [*said, *(each for each in objectives if each not in said)]
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
    words = _words(column.name)
    stems = {re.sub(r"\d+$", "", word) for word in words} | set(words)
    large = bool(stems & _LARGE_IS_BETTER) or any(word.endswith("acc") for word in stems)
    cost, loss = bool(stems & _COSTS), bool(stems & _LOSSES)
    if column.role != "objective" and (stems & _BESIDE or not (large or cost or loss)):
        return None
    maximize = column.maximize if column.maximize is not None else large and not loss
    least = "positive" if cost or stems & {"throughput", "fps"} else "zero" if large else "any"
    if column.role == "objective" and (column.negative or column.zero) and not (cost or large):
        least = "any"
    return ObjectiveColumn(
        column=column.name, maximize=bool(maximize), unit=unit_of(column), least=least, how=Source.MEASURED
    )


def unit_of(column: ColumnPeek) -> str:
    """The unit in a column's name ("Latency (ms)", "energy_mj"), or "%" for an accuracy beyond 1; "" where none is said."""
    inside = _UNIT.search(column.name)
    if inside and inside[1].lower() in _UNITS:
        return _UNITS[inside[1].lower()]
    if inside and inside[1].strip() == "%":
        return "%"
    words = _words(column.name)
    if words and words[-1] in _UNITS and len(words) > 1:
        return _UNITS[words[-1]]
    stems = {re.sub(r"\d+$", "", word) for word in words}
    accuracy = stems & {"acc", "accuracy", "top", "valacc", "testacc"}
    return "%" if accuracy and column.high is not None and 1.5 < column.high <= 100.0 else ""


def _words(name: str) -> list[str]:
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return [word for word in re.split(r"[^a-z0-9µ%]+", split) if word]


def _any_numbers(found: Peek, taken: set[str]) -> list[ObjectiveColumn]:
    """Where names say nothing: columns of fractional numbers, the smaller the better."""
    numbers = [
        column
        for column in found.columns
        if column.kind == "number"
        and column.name not in taken
        and column.role in ("", "objective")
        and column.low != column.high
        and not set(_words(column.name)) & _BESIDE
    ]
    fractional = [column for column in numbers if not column.whole]
    chosen = [*fractional, *(column for column in numbers if column.whole)][: 2 - min(len(taken), 2)]
    return [ObjectiveColumn(column=column.name, maximize=False, unit=unit_of(column)) for column in chosen]


def _identity(found: Peek, taken: set[str]) -> str:
    for column in found.columns:
        if column.role == "identity" and column.name not in taken:
            return column.name
    plain = {re.sub(r"[^a-z]", "", c.name.lower()): c for c in reversed(found.columns) if c.name not in taken}
    for name in _IDENTITY:
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
        if column.role == "group" or (column.kind == "text" and set(_words(column.name)) & _GROUP):
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
