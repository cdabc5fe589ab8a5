"""Optuna's storage in an SQLite file, read as data: no view, trigger or function of the file is used."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from core.errors import InvalidInput
from core.library.foreign_tables.base import MOST_ROWS, READERS, ForeignTable, TableReader
from core.library.foreign_tables.optuna_trials import NAMES_KEY, Study, Trial, as_table, parameter

_NEEDED = ("studies", "study_directions", "trials", "trial_values", "trial_params")
_NONE = "This SQLite file is no Optuna storage: it has no table of trials."
_DAMAGED = "This Optuna storage is damaged."


@READERS.register("optuna_sqlite")
class OptunaSqlite(TableReader):
    """An Optuna storage in an SQLite file: a row per trial, with its parameters, values and directions."""

    label = "Optuna, SQLite"
    source = "Akiba et al., Optuna, KDD 2019; schema of releases 3 to 5"
    suffixes: ClassVar[tuple[str, ...]] = ("db", "sqlite", "sqlite3")
    rank: ClassVar[int] = 20

    def fits(self, head: bytes) -> bool:
        return head[:16] == b"SQLite format 3\0"

    def read(self, data: bytes) -> ForeignTable:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trials.db"
            # A file in write-ahead mode cannot be opened without writing beside it; as a plain one it is the same.
            path.write_bytes(data[:18] + b"\x01\x01" + data[20:] if data[18:20] == b"\x02\x02" else data)
            try:
                address = f"file:{path}?mode=ro&immutable=1"
                with closing(sqlite3.connect(address, uri=True)) as connection:
                    return _read(connection)
            except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
                raise InvalidInput(_DAMAGED) from error


def _read(connection: sqlite3.Connection) -> ForeignTable:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    # Tables alone: a view of that name could compute without end.
    plain = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
    there = {name for (name,) in connection.execute(plain)}
    if missing := [name for name in _NEEDED if name not in there]:
        raise InvalidInput(_NONE if "trials" in missing or "studies" in missing else _DAMAGED)
    studies = _studies(connection, there)
    trials: dict[int, Trial] = {}
    for key, number, study, state in _rows(connection, "trials", "trial_id", "number", "study_id", "state"):
        trials[key] = Trial(_whole(study), _whole(number), str(state))
    for key, name, value, distribution in _rows(
        connection, "trial_params", "trial_id", "param_name", "param_value", "distribution_json"
    ):
        if key in trials:
            trials[key].params[str(name)] = parameter(value, str(distribution))
    _values(connection, trials)
    if "trial_user_attributes" in there:
        for key, name, value in _rows(connection, "trial_user_attributes", "trial_id", "key", "value_json"):
            if key in trials:
                trials[key].attributes[str(name)] = _json(value)
    ordered = sorted(trials.values(), key=lambda trial: (trial.study, trial.number))
    return as_table(studies, ordered)


def _studies(connection: sqlite3.Connection, there: set[str]) -> dict[int, Study]:
    found = {
        _whole(key): Study(str(name)) for key, name in _rows(connection, "studies", "study_id", "study_name")
    }
    directions = sorted(
        (_whole(key), _whole(at), str(direction))
        for key, at, direction in _rows(connection, "study_directions", "study_id", "objective", "direction")
    )
    for key, _, direction in directions:
        if key in found:
            found[key].maximize.append(direction.upper() == "MAXIMIZE")
    if "study_system_attributes" in there:
        for key, name, value in _rows(connection, "study_system_attributes", "study_id", "key", "value_json"):
            if name == NAMES_KEY and key in found and isinstance(names := _json(value), list):
                found[key].names = [str(each) for each in names]
    return found


def _values(connection: sqlite3.Connection, trials: dict[int, Trial]) -> None:
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(trial_values)")}
    kind = "value_type" if "value_type" in columns else "NULL"
    for key, at, value, kind_of in _rows(connection, "trial_values", "trial_id", "objective", "value", kind):
        trial, place = trials.get(key), _whole(at)
        if trial is None or not 0 <= place < 50:
            continue
        trial.values += [None] * (place + 1 - len(trial.values))
        infinite = {"INF_POS": float("inf"), "INF_NEG": float("-inf")}
        trial.values[place] = infinite.get(str(kind_of), value)


def _rows(connection: sqlite3.Connection, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Names are this module's own, none of them the file's."""
    limit = 200 * MOST_ROWS if table == "trial_params" else 50 * MOST_ROWS
    yield from connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1 LIMIT {limit}")


def _whole(value: Any) -> int:
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    raise InvalidInput(_DAMAGED)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return str(text)
