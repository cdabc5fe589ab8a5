"""Measure a whole search space: the exact front, and the ceiling for every search.

The space is walked in prefix order, a slice at a time, because neighbors share their first stages. A
slice takes about a second, so that a person can stop at any time, and what is finished is checkpointed.
Where slices end changes nothing: a subnet's numbers do not depend on which others are measured with it.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.errors import InvalidInput
from core.evaluation.objectives import objectives as described
from core.pareto import non_dominated
from core.records import Progress
from core.workflows import library
from core.workflows.library import TABLE_FILE, SupernetEntry
from core.workflows.measuring import DataChoice, counted_columns, evaluation_data, find_supernet

if TYPE_CHECKING:
    from core.store import Ledger

MeasureRows = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[np.float64]]]
"""(n, d) architectures -> objective -> (n,) values."""

MOST_ARCHITECTURES = 2_000_000
_SLICE_SECONDS = 1.0
_FIRST_SLICE, _LARGEST_SLICE = 32, 8192
# A checkpoint holds all values so far. Writing one may take at most this share of the time.
_CHECKPOINT_SHARE = 0.05
EVERYTHING = ["accuracy", "loss", "test_accuracy", "test_loss", "macs", "params", "size_bytes"]


class Request(BaseModel):
    """Which supernet to measure completely, and on what."""

    model_config = ConfigDict(extra="forbid")

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    objectives: list[str] = Field(EVERYTHING, min_length=1, description="Columns of the table")
    data: DataChoice | None = Field(None, description="Measure on other data than the supernet's own")

    @field_validator("objectives")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        described(names)
        return list(dict.fromkeys(names))


def run(request: Request, ledger: Ledger) -> Iterator[Progress]:
    """Measure every architecture; the artifact `table.parquet` is what `library.table` reads.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: the space is too large, an objective cannot be measured, or the supernet changed.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = find_supernet(request.supernet)
    space = entry.space
    if space.size > MOST_ARCHITECTURES:
        raise InvalidInput(
            f"This space has {space.size:,} architectures; at most {MOST_ARCHITECTURES:,} are measured one and all. "
            "Search it instead."
        )
    yield Progress(0.0, f"Preparing {entry.title}.")
    rows = space.array()
    columns = dict(counted_columns(entry, rows, request.objectives))
    measured = [name for name in request.objectives if name not in columns]
    if measured:
        measure = _by_forward_pass(entry, request.data, measured)
        columns |= yield from fill(rows, measured, measure, entry.sha256, ledger)
    table = {name: columns[name] for name in request.objectives}
    ledger.save_artifact(TABLE_FILE, library.dump_table(space, rows, table), "application/vnd.apache.parquet")
    yield Progress(1.0, _summary(request.objectives, table), {"evaluations": len(rows)})


def fill(
    rows: NDArray[np.uint8],
    names: Sequence[str],
    measure: MeasureRows,
    identity: str,
    ledger: Ledger,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Progress, None, dict[str, NDArray[np.float64]]]:
    """Measure all rows slice by slice; returns objective -> (n,) values in the order of the rows.

    Args:
        rows: (n, d) architectures in prefix order.
        names: objectives that `measure` gives.
        measure: called with consecutive slices of the rows.
        identity: hash of what is measured; a checkpoint of something else is refused.
        ledger: keeps the checkpoints.
        clock: seconds that only grow.
    """
    values, done = _resumed(ledger, rows, names, identity)
    size, due = _FIRST_SLICE, clock()
    while done < len(rows):
        start = clock()
        part = measure(rows[done : done + size])
        taken = min(size, len(rows) - done)
        for index, name in enumerate(names):
            values[done : done + taken, index] = part[name]
        done += taken
        end = clock()
        if end >= due or done == len(rows):
            ledger.checkpoint(_packed(values[:done], names, identity), fraction=done / len(rows))
            due = clock() + (clock() - end) / _CHECKPOINT_SHARE
        seconds = max(end - start, 1e-6)
        size = int(np.clip(size * _SLICE_SECONDS / seconds, size // 4 + 1, min(size * 4, _LARGEST_SLICE)))
        yield Progress(
            done / len(rows), f"{done:,} of {len(rows):,} architectures measured.", {"evaluations": done}
        )
    return {name: values[:, index] for index, name in enumerate(names)}


def _by_forward_pass(entry: SupernetEntry, choice: DataChoice | None, names: Sequence[str]) -> MeasureRows:
    data = evaluation_data(entry, choice, names)
    supernet = library.load(entry)
    from core.evaluation import evaluator

    return lambda rows: evaluator.evaluate_table(supernet, rows, names, data)


def _packed(values: NDArray[np.float64], names: Sequence[str], identity: str) -> bytes:
    buffer = io.BytesIO()
    about = json.dumps({"names": list(names), "identity": identity})
    np.savez(buffer, values=values, about=np.array(about))
    return buffer.getvalue()


def _resumed(
    ledger: Ledger, rows: NDArray[np.uint8], names: Sequence[str], identity: str
) -> tuple[NDArray[np.float64], int]:
    """Values so far, NaN where none, and how many rows they fill."""
    values = np.full((len(rows), len(names)), np.nan)
    kept = ledger.latest_checkpoint()
    if kept is None:
        return values, 0
    with np.load(io.BytesIO(kept), allow_pickle=False) as stored:
        about, finished = json.loads(str(stored["about"])), stored["values"]
    if about != {"names": list(names), "identity": identity} or len(finished) > len(rows):
        raise InvalidInput(
            "The supernet or the objectives have changed since this run was interrupted. What was measured is kept; "
            "start a new run."
        )
    values[: len(finished)] = finished
    return values, len(finished)


def _summary(names: Sequence[str], table: Mapping[str, NDArray[np.float64]]) -> str:
    steering = [o for o in described(names) if o.split != "test"][:6]
    total = len(table[names[0]])
    if len(steering) < 2:
        return f"All {total:,} architectures measured."
    accuracy_and_cost = [o for o in steering if o.name in ("accuracy", "macs")]
    shown = accuracy_and_cost if len(accuracy_and_cost) == 2 else steering[:2]
    points = np.stack([table[o.name] for o in shown], axis=1)
    on_front = int(non_dominated(points, maximize=[o.maximize for o in shown]).sum())
    return f"All {total:,} architectures measured; {on_front:,} on the front of {shown[0].label} and {shown[1].label}."
