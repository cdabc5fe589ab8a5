"""Small files as other programs write them: one per reader, and hostile ones."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

ROWS = pd.DataFrame(
    {
        "arch": [f"net-{n}" for n in range(6)],
        "device": ["phone", "phone", "phone", "board", "board", "board"],
        "depth": [1, 2, 3, 1, 2, 3],
        "accuracy": [0.7, 0.8, 0.9, 0.7, 0.85, 0.9],
        "latency_ms": [1.0, 2.0, 3.0, 0.0, 5.0, -1.0],
    }
)
DYNAST = """Sub-network,Date,Model Parameters,Latency (ms),MACs,Top-1 Acc (%)
"{'d': [2, 3], 'ks': [3, 5]}",2026-01-01 00:00:00,4000000,10.5,300000000,75.1
"{'d': [2, 4], 'ks': [3, 7]}",2026-01-01 00:00:01,5000000,12.5,400000000,76.2
"{'d': [3, 4], 'ks': [5, 7]}",2026-01-01 00:00:02,6000000,,500000000,77.0
"""
DEEPCAVE = """config_id,alpha,depth,metric:loss [0.0; 1.0] (minimize),metric:speed [0; 9] (maximize),status,budget,seed,additional
0,0.1,1,0.5,3,success,1,-1,
1,0.2,2,0.4,2,success,1,-1,
2,0.3,3,inf,1,crashed,1,-1,
"""
WANDB = """"Name","State","Runtime","config.depth","val_accuracy","Params"
"sweep-1","finished","10","2","0.91","1200"
"sweep-2","crashed","11","3","","2400"
"sweep-3","finished","12","4","0.95","4800"
"""


def as_csv(frame: pd.DataFrame = ROWS) -> bytes:
    return frame.to_csv(index=False).encode()


def as_parquet(frame: pd.DataFrame = ROWS) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def as_json_lines(frame: pd.DataFrame = ROWS) -> bytes:
    return frame.to_json(orient="records", lines=True).encode()


def distribution(kind: str, **attributes: Any) -> str:
    return json.dumps({"name": kind, "attributes": attributes})


DEPTH = distribution("IntDistribution", low=1, high=3, step=1, log=False)
KERNEL = distribution("CategoricalDistribution", choices=["small", "large"])


def journal(lines: Sequence[Mapping[str, Any]] | None = None) -> bytes:
    """A journal as Optuna writes one: two objectives, one trial that failed."""
    if lines is None:
        lines = [
            {"op_code": 0, "worker_id": "w", "study_name": "mine", "directions": [2, 1]},
            {
                "op_code": 3,
                "worker_id": "w",
                "study_id": 0,
                "system_attr": {"study:metric_names": ["acc", "ms"]},
            },
            *(line for n in range(3) for line in _trial(n)),
        ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _trial(n: int) -> list[Mapping[str, Any]]:
    base = {"worker_id": "w", "trial_id": n}
    return [
        {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00"},
        {"op_code": 5, **base, "param_name": "depth", "param_value_internal": n + 1.0, "distribution": DEPTH},
        {"op_code": 5, **base, "param_name": "kernel", "param_value_internal": n % 2, "distribution": KERNEL},
        {"op_code": 8, **base, "user_attr": {"note": f"n{n}"}},
        {
            "op_code": 6,
            **base,
            "state": 1 if n < 2 else 3,
            "values": [0.5 + n / 10, 3.0 - n] if n < 2 else None,
        },
    ]


SCHEMA = """
CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512));
CREATE TABLE study_directions (study_direction_id INTEGER PRIMARY KEY, direction VARCHAR(8), study_id INTEGER, objective INTEGER);
CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER PRIMARY KEY, study_id INTEGER, "key" VARCHAR(512), value_json TEXT);
CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state VARCHAR(8));
CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name VARCHAR(512), param_value FLOAT, distribution_json TEXT);
CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER, objective INTEGER, value FLOAT, value_type VARCHAR(7));
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER PRIMARY KEY, trial_id INTEGER, "key" VARCHAR(512), value_json TEXT);
"""


def optuna_sqlite(extra: str = "") -> bytes:
    """The same trials in SQLite; `extra` is SQL that is run at the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.db"
        connection = sqlite3.connect(path)
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO studies VALUES (1, 'mine')")
        for at, direction in enumerate(("MAXIMIZE", "MINIMIZE")):
            connection.execute("INSERT INTO study_directions VALUES (NULL, ?, 1, ?)", (direction, at))
        names = json.dumps(["acc", "ms"])
        connection.execute(
            "INSERT INTO study_system_attributes VALUES (NULL, 1, 'study:metric_names', ?)", (names,)
        )
        for n in range(3):
            state = "COMPLETE" if n < 2 else "FAIL"
            connection.execute("INSERT INTO trials VALUES (?, ?, 1, ?)", (n + 1, n, state))
            for name, value, about in (("depth", n + 1.0, DEPTH), ("kernel", float(n % 2), KERNEL)):
                params = (n + 1, name, value, about)
                connection.execute("INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)", params)
            note = (n + 1, json.dumps(f"n{n}"))
            connection.execute("INSERT INTO trial_user_attributes VALUES (NULL, ?, 'note', ?)", note)
            for at, value in enumerate((0.5 + n / 10, 3.0 - n)) if n < 2 else ():
                connection.execute(
                    "INSERT INTO trial_values VALUES (NULL, ?, ?, ?, 'FINITE')", (n + 1, at, value)
                )
        if extra:
            connection.executescript(extra)
        connection.commit()
        connection.close()
        return path.read_bytes()


FILES = {
    "csv": as_csv,
    "json_lines": as_json_lines,
    "optuna_journal": journal,
    "optuna_sqlite": optuna_sqlite,
    "parquet": as_parquet,
}
"""Reader -> a small honest file of it."""
