"""Measure a whole search space: the exact front, and the ceiling for every search.

The space is walked once, so that every distinct prefix is computed once; values arrive in the order of
the walk and are checkpointed on the way. A resumed run walks what is still missing. That changes
nothing: a subnet's numbers do not depend on which others are measured with it.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from core.config import BaseConfig
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.library import supernets
from core.library.measuring import DataChoice, counted_columns, evaluation_data
from core.library.supernets import TABLE_FILE, SupernetEntry
from core.library.tables import dump_table
from core.objectives.base import FromFiles, FromProfile, names_of, quick_names, usual_pair
from core.objectives.base import objectives as described
from core.pareto import non_dominated
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Evaluation"
WEIGHT_CLASS = "measuring"
Measured = tuple[Sequence[int], Mapping[str, NDArray[np.float64]]]
MeasureRows = Callable[[NDArray[np.uint8]], Iterator[Measured]]
"""(n, d) architectures -> (row indices, objective -> their values), a few at a time, in any order."""

MOST_ARCHITECTURES = 2_000_000
_YIELD_SECONDS = 0.2
# A checkpoint holds all values so far. Writing one may take at most this share of the time.
_CHECKPOINT_SHARE = 0.05


class Request(BaseConfig):
    """Which supernet to measure completely, and on what."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    objectives: list[str] = Field(
        default_factory=quick_names, min_length=1, description="Columns of the table"
    )
    data: DataChoice | None = Field(None, description="Measure on other data than the supernet's own")
    processes: int = Field(
        1, ge=1, le=64, description="Processes that share the work; the numbers are the same"
    )

    @field_validator("objectives")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        described(names)
        if on_files := names_of(FromFiles, names):
            raise InvalidInput(
                f"{described(on_files)[0].label} is measured on exported files, which takes too long for every "
                "architecture of a space; search on it instead."
            )
        if profiled := names_of(FromProfile, names):
            raise InvalidInput(
                f"{described(profiled)[0].label} is known from a profile of that device; `latency` and `add-profile` make one."
            )
        return list(dict.fromkeys(names))


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Measure every architecture; the artifact `table.parquet` is what `supernets.table` reads.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: the space is too large, an objective cannot be measured, or the supernet changed.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
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
        measure, work = _by_forward_pass(entry, request, measured, rows)
        yield Progress(0.0, f"Measuring {len(rows):,} architectures.")
        columns |= yield from fill(rows, measured, measure, entry.sha256, ledger, work=work)
    table = {name: columns[name] for name in request.objectives}
    ledger.save_artifact(TABLE_FILE, dump_table(space, rows, table), "application/vnd.apache.parquet")
    yield Progress(1.0, _summary(request.objectives, table), {"evaluations": len(rows)})


def fill(
    rows: NDArray[np.uint8],
    names: Sequence[str],
    measure: MeasureRows,
    identity: str,
    ledger: Ledger,
    clock: Callable[[], float] = time.monotonic,
    work: NDArray[np.float64] | None = None,
) -> Generator[Progress, None, dict[str, NDArray[np.float64]]]:
    """Measure all rows; returns objective -> (n,) values in the order of the rows.

    Args:
        rows: (n, d) architectures in prefix order.
        names: objectives that `measure` gives.
        measure: called once, with the rows that are still missing.
        identity: hash of what is measured; a checkpoint of something else is refused.
        ledger: keeps the checkpoints.
        clock: seconds that only grow.
        work: (n,) how much of the work each row is, so that progress is a share of it; equal if left out.
    """
    values = _resumed(ledger, rows, names, identity)
    left = np.flatnonzero(np.isnan(values).any(axis=1))
    done, due, shown = len(rows) - len(left), clock(), clock()
    share = np.full(len(rows), 1 / max(len(rows), 1)) if work is None else work / work.sum()
    fraction = 1.0 - float(share[left].sum())

    def save() -> None:
        ledger.checkpoint(_packed(values, names, identity), fraction=min(1.0, fraction))

    try:
        for indices, found in measure(rows[left]) if len(left) else ():
            for column, name in enumerate(names):
                values[left[indices], column] = found[name]
            done += len(indices)
            fraction += float(share[left[indices]].sum())
            now = clock()
            if now >= due:
                save()
                due = clock() + (clock() - now) / _CHECKPOINT_SHARE
            if clock() - shown >= _YIELD_SECONDS or done == len(rows):
                shown = clock()
                yield Progress(
                    1.0 if done == len(rows) else min(1.0, fraction),
                    f"{done:,} of {len(rows):,} architectures measured.",
                    {"evaluations": done},
                )
    except GeneratorExit:
        # A person cancelled: keep what the next checkpoint would have held.
        with suppress(CoreError):
            save()
        raise
    save()
    return {name: values[:, index] for index, name in enumerate(names)}


def _by_forward_pass(
    entry: SupernetEntry, request: Request, names: Sequence[str], rows: NDArray[np.uint8]
) -> tuple[MeasureRows, NDArray[np.float64]]:
    """What measures rows, and how much of the work each of them is."""
    data = evaluation_data(entry, request.data, names)
    supernet = supernets.load(entry)
    from core.evaluation import evaluator, split_walk
    from core.evaluation.work import ORDINARY, walk_parts

    samples = 1 if supernet.task.whole else len(data.targets)
    work = walk_parts(supernet, CostTable.of(supernet), rows, samples) @ ORDINARY
    if request.processes > 1:
        return lambda rows: split_walk.walk_split(
            supernet, rows, names, data, processes=request.processes
        ), work
    return lambda rows: evaluator.walk(supernet, rows, names, data), work


def _packed(values: NDArray[np.float64], names: Sequence[str], identity: str) -> bytes:
    buffer = io.BytesIO()
    about = json.dumps({"names": list(names), "identity": identity})
    np.savez(buffer, values=values, about=np.array(about))
    return buffer.getvalue()


def _resumed(
    ledger: Ledger, rows: NDArray[np.uint8], names: Sequence[str], identity: str
) -> NDArray[np.float64]:
    """(rows, names) values so far, NaN where there is none yet."""
    kept = ledger.latest_checkpoint()
    if kept is None:
        return np.full((len(rows), len(names)), np.nan)
    with np.load(io.BytesIO(kept), allow_pickle=False) as stored:
        about, values = json.loads(str(stored["about"])), stored["values"]
    if about != {"names": list(names), "identity": identity} or values.shape != (len(rows), len(names)):
        raise InvalidInput(
            "The supernet or the objectives have changed since this run was interrupted. What was measured is kept; "
            "start a new run."
        )
    return np.asarray(values, dtype=np.float64)


def _summary(names: Sequence[str], table: Mapping[str, NDArray[np.float64]]) -> str:
    total = len(table[names[0]])
    pair = usual_pair(names)
    if pair is None:
        return f"All {total:,} architectures measured."
    shown = described(pair)
    points = np.stack([table[o.name] for o in shown], axis=1)
    on_front = int(non_dominated(points, maximize=[o.maximize for o in shown]).sum())
    return f"All {total:,} architectures measured; {on_front:,} on the front of {shown[0].label} and {shown[1].label}."
