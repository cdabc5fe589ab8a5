"""Trials of Optuna as a table, from wherever its storage keeps them; Optuna itself is not imported, nothing is run.

A parameter's value is stored as its distribution writes it: of a category, the number of the choice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from core.errors import InvalidInput
from core.library.foreign_tables.base import MOST_COLUMNS, MOST_ROWS, ForeignTable, Hint

NOTHING = "This Optuna storage holds no trial."
NAMES_KEY = "study:metric_names"
"""Where Optuna keeps what the objectives are called."""
_MOST_OBJECTIVES = 50


@dataclass
class Study:
    """What is kept of one of Optuna's searches.

    Attributes:
        name: its name.
        maximize: per objective.
        names: of the objectives, where the study says them.
    """

    name: str
    maximize: list[bool] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


@dataclass
class Trial:
    """One trial.

    Attributes:
        study: key of its study.
        number: within it.
        state: "COMPLETE", "FAIL", ...
        params: name -> value as a person gave it.
        values: of the objectives.
        attributes: what the user wrote down besides.
    """

    study: int
    number: int
    state: str = "RUNNING"
    params: dict[str, JsonValue] = field(default_factory=dict)
    values: list[float | None] = field(default_factory=list)
    attributes: dict[str, JsonValue] = field(default_factory=dict)


def parameter(value: Any, distribution: str) -> Any:
    """A parameter's value from how it is stored and the JSON of its distribution."""
    try:
        about = json.loads(distribution)
        kind, settings = about["name"], about["attributes"]
        if kind == "CategoricalDistribution":
            return settings["choices"][int(value)]
        if kind.startswith("Int"):
            return int(value)
        return float(value)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidInput("A parameter in this Optuna storage is damaged.") from error


def number(value: Any) -> float:
    """An objective's value; not a number where there is none."""
    try:
        return math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def as_table(studies: Mapping[int, Study], trials: Sequence[Trial]) -> ForeignTable:
    """A row per trial; the values of trials that did not complete are missing.

    Raises:
        InvalidInput: there is none, or there are too many columns.
    """
    import pandas as pd

    trials = [trial for trial in trials if trial.study in studies]
    if not trials:
        raise InvalidInput(NOTHING)
    if len(trials) > MOST_ROWS:
        raise InvalidInput(f"This Optuna storage holds more than {MOST_ROWS:,} trials.")
    first = studies[trials[0].study]
    most = max(len(study.maximize) for study in studies.values())
    if most > _MOST_OBJECTIVES:
        raise InvalidInput(
            "This Optuna storage is damaged: it has more objectives than anybody searches for."
        )
    names = _names(first, most)
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    attributes = list(dict.fromkeys(name for trial in trials for name in trial.attributes))
    if len(params) + len(attributes) > MOST_COLUMNS:
        raise InvalidInput(f"This Optuna storage has more than {MOST_COLUMNS:,} parameters.")
    several = len(studies) > 1
    columns: list[tuple[str, list[Any]]] = []
    if several:
        columns.append(("study", [studies[t.study].name for t in trials]))
    columns.append(("number", [t.number for t in trials]))
    columns.append(("state", [t.state for t in trials]))
    columns += [(name, [_value(t, at) for t in trials]) for at, name in enumerate(names)]
    taken = {name for name, _ in columns}
    for prefix, found, of in (("params.", params, "params"), ("user.", attributes, "attributes")):
        for name in found:
            shown = name if name not in taken else f"{prefix}{name}"
            taken.add(shown)
            columns.append((shown, [getattr(t, of).get(name) for t in trials]))
    frame = pd.DataFrame({at: values for at, (_, values) in enumerate(columns)})
    frame.columns = pd.Index([name for name, _ in columns])
    return ForeignTable(frame, _hints(names, first, params, several), _notes(studies, trials))


def _names(study: Study, most: int) -> list[str]:
    given = [str(name) for name in study.names]
    if len(given) == most and len(set(given)) == most:
        return given
    return ["value"] if most == 1 else [f"value_{at}" for at in range(most)]


def _value(trial: Trial, at: int) -> float:
    complete = trial.state == "COMPLETE" and at < len(trial.values)
    return number(trial.values[at]) if complete else math.nan


def _hints(names: Sequence[str], study: Study, params: Sequence[str], several: bool) -> dict[str, Hint]:
    hints = {name: Hint("configuration") for name in params}
    for at, name in enumerate(names):
        hints[name] = Hint("objective", study.maximize[at] if at < len(study.maximize) else None)
    if several:
        hints["study"] = Hint("group")
    else:
        hints["number"] = Hint("identity")
    return hints


def _notes(studies: Mapping[int, Study], trials: Sequence[Trial]) -> tuple[str, ...]:
    said = []
    open_ = sum(trial.state != "COMPLETE" for trial in trials)
    if open_:
        said.append(f"{open_:,} of {len(trials):,} trials did not complete; their values are missing.")
    if len({tuple(study.maximize) for study in studies.values() if study.maximize}) > 1:
        said.append("The searches in this storage have different directions; those of the first are offered.")
    return tuple(said)
