"""A search as an Optuna study: a file that Optuna and optuna-dashboard open.

Every measured architecture is a trial: its choices are parameters (only those that it has), its objectives values with
their directions and names, and its attributes say which architecture it is, how each value was obtained and in which
batch. One that lacks a value is a failed trial. The study's attributes say where everything comes from.
"""

from __future__ import annotations

import json
import math
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import JsonValue

from core.config import JsonObject
from core.errors import InvalidInput
from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.quiet import quiet
from core.records import Measurement, Objective, Run
from core.spaces import Choice, SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from core.ledger import Ledger

Form = Literal["sqlite", "journal"]
ENDINGS: Mapping[str, Form] = {".db": "sqlite", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".log": "journal"}
"""Ending of a file -> its form. optuna-dashboard takes both."""


def form_of(path: Path) -> Form:
    """Which form a file's ending asks for.

    Raises:
        InvalidInput: none.
    """
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise InvalidInput(f"An Optuna file is one of {', '.join(ENDINGS)}; {path.name!r} ends differently.")
    return found


def search_study(entry: SupernetEntry, run: Run, ledger: Ledger, form: Form = "sqlite") -> bytes:
    """What a search has measured so far, as the bytes of a study file.

    Args:
        entry: the supernet that was searched.
        run: the search.
        ledger: its record.
        form: "sqlite" or "journal".
    """
    names: Any = run.params["objectives"]
    told: JsonObject = {
        "run": run.run_id,
        "algorithm": run.params.get("algorithm"),
        "settings": run.params.get("config"),
        "seed": run.seed,
        "supernet": entry.supernet_id,
        "supernet_title": entry.title,
        "supernet_sha256": entry.sha256,
    }
    title = f"{run.params.get('algorithm')} on {entry.supernet_id}, seed {run.seed}"
    everywhere: dict[str, JsonValue] = {"seed": run.seed, "supernet_sha256": entry.sha256}
    trials = (
        _trial(entry.space, objectives(names), measurement, {**everywhere, "batch": step})
        for step, measurement in ledger.measurements()
    )
    return study_file(title, objectives(names), trials, told, form)


def study_file(
    title: str,
    goals: Sequence[Objective],
    trials: Iterable[FrozenTrial],
    told: JsonObject,
    form: Form,
) -> bytes:
    """The bytes of a file with one study.

    Args:
        title: name of the study.
        goals: its objectives.
        trials: in order.
        told: attributes of the study.
        form: of the file.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "study"
        storage = _storage(path, form)
        study = optuna.create_study(
            storage=storage,
            study_name=title,
            directions=["maximize" if goal.maximize else "minimize" for goal in goals],
        )
        study.set_metric_names([goal.name for goal in goals])
        for name, value in told.items():
            study.set_user_attr(name, value)
        if isinstance(storage, optuna.storages.RDBStorage):
            storage.engine.dispose()
            _insert(path, trials)
        else:
            study.add_trials(trials)
        return path.read_bytes()


def _insert(path: Path, trials: Iterable[FrozenTrial]) -> None:
    """Write trials into the tables that Optuna has made: as one transaction, which is hundreds of times as fast."""
    from optuna.distributions import distribution_to_json

    with closing(sqlite3.connect(path)) as file, file:
        for number, trial in enumerate(trials):
            begun, done = trial.datetime_start, trial.datetime_complete
            times = [str(when) if when else None for when in (begun, done)]
            key = file.execute(
                "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) VALUES (?, 1, ?, ?, ?)",
                (number, trial.state.name, *times),
            ).lastrowid
            file.executemany(
                "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
                [
                    (key, name, of.to_internal_repr(trial.params[name]), distribution_to_json(of))
                    for name, of in trial.distributions.items()
                ],
            )
            file.executemany(
                "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, 'FINITE')",
                [(key, index, value) for index, value in enumerate(trial.values or ())],
            )
            file.executemany(
                "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
                [(key, name, json.dumps(value)) for name, value in trial.user_attrs.items()],
            )


def _storage(path: Path, form: Form) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if form == "journal":
        return JournalStorage(JournalFileBackend(str(path)))
    return RDBStorage(f"sqlite:///{path}")


def _trial(
    space: SearchSpace, goals: Sequence[Objective], measurement: Measurement, told: JsonObject
) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    options = space.to_dict(measurement.arch)
    values = [float(measurement.values.get(goal.name, np.nan)) for goal in goals]
    complete = all(math.isfinite(value) for value in values)
    obtained = {goal.name: str(measurement.how(goal.name)) for goal in goals}
    known = {goal.name: value for goal, value in zip(goals, values, strict=True) if math.isfinite(value)}
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.FAIL,
        values=values if complete else None,
        params=options,
        distributions={name: distribution(space.choices[space.position[name]]) for name in options},
        user_attrs={
            "architecture": space.arch_id(measurement.arch),
            "obtained": obtained,
            **({} if complete else {"values": known}),
            **told,
        },
    )


def distribution(choice: Choice) -> BaseDistribution:
    """A range where the options are evenly spaced whole numbers in order, else the options themselves."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    options = choice.options
    if choice.ordinal and len(options) > 1 and all(isinstance(option, int) for option in options):
        steps = {int(b) - int(a) for a, b in pairwise(options)}
        if len(steps) == 1 and (step := steps.pop()) > 0:
            return IntDistribution(int(options[0]), int(options[-1]), step=step)
    return CategoricalDistribution(options)
