"""Measure a whole search space: the exact front, and the ceiling for every search.

The space is walked once, so that every distinct prefix is computed once; values arrive in the order of
the walk and are checkpointed on the way. A resumed run walks what is still missing. That changes
nothing: a subnet's numbers do not depend on which others are measured with it.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from core.chance.bits import MOST_BYTES, CorrectBits, bits_column, dump_bits, packed_length
from core.config import BaseConfig
from core.device import chosen_device
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.executors import chosen
from core.library import supernets
from core.library.coverage import require_whole
from core.library.measuring import DataChoice, counted_columns, evaluation_data
from core.library.supernets import BITS_FILE, TABLE_FILE, SupernetEntry
from core.library.tables import dump_table
from core.objectives.base import (
    FromFiles,
    FromOutputs,
    FromProfile,
    ShareOfSamples,
    names_of,
    objective,
    quick_names,
    usual_pair,
)
from core.objectives.base import objectives as described
from core.pareto import non_dominated
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Evaluation"
WEIGHT_CLASS = "measuring"
Measured = tuple[Sequence[int], Mapping[str, NDArray[Any]]]
MeasureRows = Callable[[NDArray[np.uint8]], Iterator[Measured]]
"""(n, d) architectures -> (row indices, objective -> their values), a few at a time, in any order; shares of samples
come with which samples were right (`bits_column`)."""

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

    Beside it, `correct.npz` says which samples each subnet got right, unless that would be huge.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: the space is too large, an objective cannot be measured, or the supernet changed.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    if request.objectives == quick_names():
        # Nothing special was asked for: all that one walk gives, of what has a meaning for these data.
        request = request.model_copy(update={"objectives": quick_names(entry.task)})
    space = entry.space
    require_whole(space, "The exact front", MOST_ARCHITECTURES)
    yield Progress(0.0, f"Preparing {entry.title}.")
    rows = space.array()
    columns: dict[str, NDArray[Any]] = dict(counted_columns(entry, rows, request.objectives))
    measured = [name for name in request.objectives if name not in columns]
    samples: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    if measured:
        measure, work, samples = _by_forward_pass(entry, request, measured, rows)
        yield Progress(0.0, f"Measuring {len(rows):,} architectures.")
        identity, sources = _elsewhere(entry, measured, len(rows))
        columns |= yield from fill(rows, measured, measure, identity, ledger, work=work, samples=samples)
    table = {name: columns[name] for name in request.objectives}
    file = dump_table(space, rows, table, sources)
    if samples:
        sha256 = hashlib.sha256(file).hexdigest()
        kept = [
            CorrectBits(columns[bits_column(name)], n, objective(name).split, sha256)
            for name, n in samples.items()
        ]
        ledger.save_artifact(BITS_FILE, dump_bits(kept), "application/octet-stream")
    ledger.save_artifact(TABLE_FILE, file, "application/vnd.apache.parquet")
    yield Progress(1.0, _summary(request.objectives, table), {"evaluations": len(rows)})


def _elsewhere(entry: SupernetEntry, names: Sequence[str], rows: int) -> tuple[str, dict[str, list[str]]]:
    """What the numbers are known by, and what a table says of them: of another device or precision they differ."""
    from core.evaluation.evaluator import measured_here

    found = measured_here(names)
    told = {str(each) for each in found.values()}
    return " ".join([entry.sha256, *told]), {name: [str(each)] * rows for name, each in found.items()}


def fill(
    rows: NDArray[np.uint8],
    names: Sequence[str],
    measure: MeasureRows,
    identity: str,
    ledger: Ledger,
    clock: Callable[[], float] = time.monotonic,
    work: NDArray[np.float64] | None = None,
    samples: Mapping[str, int] | None = None,
) -> Generator[Progress, None, dict[str, NDArray[Any]]]:
    """Measure all rows; returns objective -> (n,) values in the order of the rows, and the bits that are kept.

    Args:
        rows: (n, d) architectures in prefix order.
        names: objectives that `measure` gives.
        measure: called once, with the rows that are still missing.
        identity: hash of what is measured; a checkpoint of something else is refused.
        ledger: keeps the checkpoints.
        clock: seconds that only grow.
        work: (n,) how much of the work each row is, so that progress is a share of it; equal if left out.
        samples: objectives of which is kept which samples were right -> how many samples there are.
    """
    values, bits = _resumed(ledger, rows, names, identity, samples or {})
    left = np.flatnonzero(np.isnan(values).any(axis=1))
    done, due, shown = len(rows) - len(left), clock(), clock()
    share = np.full(len(rows), 1 / max(len(rows), 1)) if work is None else work / work.sum()
    fraction = 1.0 - float(share[left].sum())

    def save() -> None:
        ledger.checkpoint(_packed(values, bits, names, identity), fraction=min(1.0, fraction))

    try:
        for indices, found in measure(rows[left]) if len(left) else ():
            for column, name in enumerate(names):
                values[left[indices], column] = found[name]
            for name, kept in bits.items():
                kept[left[indices]] = found[bits_column(name)]
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
    except (GeneratorExit, CoreError):
        # A person cancelled, or who measures has gone: keep what the next checkpoint would have held.
        with suppress(CoreError):
            save()
        raise
    save()
    columns: dict[str, NDArray[Any]] = {name: values[:, index] for index, name in enumerate(names)}
    return columns | {bits_column(name): kept for name, kept in bits.items()}


def _by_forward_pass(
    entry: SupernetEntry, request: Request, names: Sequence[str], rows: NDArray[np.uint8]
) -> tuple[MeasureRows, NDArray[np.float64], dict[str, int]]:
    """What measures rows, how much of the work each of them is, and of what is kept which samples were right."""
    data = evaluation_data(entry, request.data, names)
    supernet = supernets.load(entry)
    from core.evaluation import by_network, evaluator, spread_walk
    from core.evaluation.work import ORDINARY, walk_parts

    passes = names_of(FromOutputs, names)
    samples = 1 if supernet.task.whole else len(data.targets)
    work = walk_parts(supernet, CostTable.of(supernet), rows, samples) @ ORDINARY
    kept = _kept_samples(names, {split: data.answers(split) for split in data.spans}, len(rows))

    def measure(rows: NDArray[np.uint8]) -> Iterator[Measured]:
        executor = chosen(request.processes)
        # An accelerator is not shared among processes.
        if executor.name == "ray" or (executor.name == "processes" and chosen_device().kind == "cpu"):
            return spread_walk.walk_on(executor, supernet, rows, names, data, keep_bits=bool(kept))
        walked = evaluator.walk(supernet, rows, passes, data, keep_bits=bool(kept))
        return by_network.with_networks(walked, supernet, rows, names, data)

    return measure, work, kept


def _kept_samples(names: Sequence[str], sizes: Mapping[str, int], n_rows: int) -> dict[str, int]:
    """Objective -> samples, of those whose bits are kept; none where all of them together would be huge."""
    found = {name: sizes[objective(name).split] for name in names_of(ShareOfSamples, names)}
    return found if n_rows * sum(map(packed_length, found.values())) <= MOST_BYTES else {}


def _packed(
    values: NDArray[np.float64], bits: Mapping[str, NDArray[np.uint8]], names: Sequence[str], identity: str
) -> bytes:
    buffer = io.BytesIO()
    about = json.dumps({"names": list(names), "identity": identity})
    kept = {bits_column(name): column for name, column in bits.items()}
    np.savez(buffer, values=values, about=np.array(about), **kept)  # type: ignore[arg-type]
    return buffer.getvalue()


def _resumed(
    ledger: Ledger,
    rows: NDArray[np.uint8],
    names: Sequence[str],
    identity: str,
    samples: Mapping[str, int],
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.uint8]]]:
    """(rows, names) values so far, NaN where there is none yet; objective -> (rows, bytes) bits so far."""
    kept = ledger.latest_checkpoint()
    bits = {name: np.zeros((len(rows), packed_length(n)), np.uint8) for name, n in samples.items()}
    if kept is None:
        return np.full((len(rows), len(names)), np.nan), bits
    with np.load(io.BytesIO(kept), allow_pickle=False) as stored:
        about, values = json.loads(str(stored["about"])), stored["values"]
        known = {name: stored[bits_column(name)] for name in samples if bits_column(name) in stored}
    if about != {"names": list(names), "identity": identity} or values.shape != (len(rows), len(names)):
        raise InvalidInput(
            "The supernet, the objectives or what computes (PARETOSCOPE_DEVICE, PARETOSCOPE_PRECISION) have changed since "
            "this run was interrupted. What was measured is kept; start a new run, or set what was set then."
        )
    if any(name not in known or known[name].shape != empty.shape for name, empty in bits.items()):
        # An earlier release kept no bits: the rows are measured again, and the numbers are the same.
        return np.full((len(rows), len(names)), np.nan), bits
    return np.asarray(values, dtype=np.float64), known


def _summary(names: Sequence[str], table: Mapping[str, NDArray[np.float64]]) -> str:
    total = len(table[names[0]])
    pair = usual_pair(names)
    if pair is None:
        return f"All {total:,} architectures measured."
    shown = described(pair)
    points = np.stack([table[o.name] for o in shown], axis=1)
    on_front = int(non_dominated(points, maximize=[o.maximize for o in shown]).sum())
    return f"All {total:,} architectures measured; {on_front:,} on the front of {shown[0].label} and {shown[1].label}."
