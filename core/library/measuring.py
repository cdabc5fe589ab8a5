"""What a workflow that measures subnets needs: the supernet of a name, its data, and a function that measures.

Looking a number up in the supernet's complete table is measuring, too, if the table was made with the
same weights and data; the source of such a number says that it was looked up. Only measuring by a
forward pass loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig, Settings
from core.datasets import load_dataset
from core.errors import InvalidInput
from core.evaluation.stage_work import CountedWork
from core.library import supernets
from core.library.evaluations import obtained_by_row
from core.library.measure_files import measure_files
from core.library.supernets import SupernetEntry
from core.objectives.base import FromCosts, FromFiles, names_of
from core.objectives.extracted import FromWeights
from core.records import Measurement, Obtained, Source
from core.runtime import heavy_imports
from core.search.problem import Counted, StageWork
from core.settings import settings
from core.spaces import Arch

if TYPE_CHECKING:
    from core.tasks.base import EvaluationData

Measure = Callable[[Sequence[Arch]], Iterator[Measurement]]
"""Measures distinct architectures, in any order, one at a time."""

FROM_TABLE = Obtained(Source.MEASURED, "table")
"""How a number was obtained that was measured when the supernet's complete table was made."""


class DataChoice(BaseConfig):
    """A data set to measure on, instead of the one the supernet was trained on."""

    name: str = Field(description="Registry name of the data set")
    seed: int = Field(0, description="Decides the division into splits")
    config: Settings = Field(default_factory=dict, description="The data set's own settings")


def evaluation_data(entry: SupernetEntry, choice: DataChoice | None, names: Sequence[str]) -> EvaluationData:
    """The samples that measuring these objectives needs; none at all for counted ones. Loads torch.

    Raises:
        DataUnavailable: the data set is neither on this machine nor reachable.
        InvalidInput: the supernet's card names no data set, or not the one found here.
    """
    heavy_imports()
    import torch

    from core.evaluation.evaluator import splits_for
    from core.tasks.base import EvaluationData
    from core.tasks.base import evaluation_data as data_of

    splits = splits_for(names)
    if not splits:
        return EvaluationData(torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0, {})
    if choice is None:
        dataset = supernets.dataset(entry)
    else:
        config: dict[str, Any] = choice.config
        dataset = load_dataset(choice.name, seed=choice.seed, **config)
    return data_of(dataset, splits)


def by_forward_pass(
    entry: SupernetEntry, choice: DataChoice | None, names: Sequence[str], *, keep: int = 0
) -> Measure:
    """A function that measures with the supernet's weights.

    Args:
        entry: the supernet.
        choice: data to measure on; the supernet's own if None.
        names: objectives.
        keep: most bytes of activations that stay from one batch to the next; values do not depend on it. No more
            than a quarter of what this process may use.

    Raises:
        see `evaluation_data`.
    """
    on_files = names_of(FromFiles, names)
    passes = [name for name in names if name not in on_files]
    data = evaluation_data(entry, choice, passes)
    supernet = supernets.load(entry)
    from core.evaluation import evaluator
    from core.evaluation.kept_activations import KeptActivations

    kept = KeptActivations(min(keep, settings().worker_memory // 4)) if keep else None

    def measure(archs: Sequence[Arch]) -> Iterator[Measurement]:
        return evaluator.evaluate(supernet, archs, passes, data, kept)

    if not on_files:
        return measure
    return lambda archs: with_readings(entry, names, list(measure(archs)))


def with_readings(
    entry: SupernetEntry, names: Sequence[str], measured: Sequence[Measurement]
) -> Iterator[Measurement]:
    """The measurements of a batch, each with those of the objectives that are measured on exported files.

    Args:
        entry: the supernet.
        names: all objectives, in the order of the values.
        measured: what the evaluator measured of the batch; its subnets are timed against each other, in this process.
    """
    on_files = names_of(FromFiles, names)
    together = [m.arch for m in measured]
    readings = {name: measure_files(entry, together, name) for name in on_files}
    for index, found in enumerate(measured):
        here = {name: of[index] for name, of in readings.items()}
        values = {**found.values, **{name: reading.value for name, reading in here.items()}}
        obtained = {**found.obtained, **{name: reading.obtained for name, reading in here.items()}}
        yield Measurement(found.arch, {name: values[name] for name in names}, obtained)


def from_table(entry: SupernetEntry, names: Sequence[str]) -> Measure | None:
    """A function that looks numbers up in the complete table; None if it lacks one. Free of torch."""
    table = supernets.table_with_counts(entry)
    if table is None or any(name not in table or table[name].isna().any() for name in names):
        return None
    space, columns = entry.space, {name: table[name].to_numpy(float) for name in names}
    how = obtained_by_row(table, names, FROM_TABLE)
    position = {arch_id: row for row, arch_id in enumerate(table["arch_id"])}
    if len(position) != space.size:
        return None

    def look_up(archs: Sequence[Arch]) -> Iterator[Measurement]:
        for arch in archs:
            row = position[space.arch_id(arch)]
            yield Measurement(arch, {name: float(columns[name][row]) for name in names}, how(row))

    return look_up


def counted_columns(
    entry: SupernetEntry, rows: NDArray[np.uint8], names: Sequence[str]
) -> Mapping[str, NDArray[np.float64]]:
    """Those of the objectives that are counted rather than measured: name -> (n,) values. Counts of weights load torch."""
    found = {name: supernets.counted(entry, rows, name).astype(float) for name in names_of(FromCosts, names)}
    if not names_of(FromWeights, names):
        return found
    heavy_imports()
    from core.evaluation.by_network import count_weights

    weights = count_weights(supernets.load(entry), rows, names)
    return found | {name: column.astype(float) for name, column in weights.items()}


def work_of_stages(entry: SupernetEntry, *, keep: int = 0) -> StageWork:
    """What measuring this supernet's subnets takes, stage by stage, when so many bytes of activations are kept."""
    return CountedWork(supernets.costs(entry), memory=keep)


def counted_beforehand(entry: SupernetEntry) -> Counted:
    """A function that counts every objective of this supernet that can be counted, each only when it is read."""
    one = np.array([entry.reference], np.uint8)
    names = []
    for name in names_of(FromCosts):
        with suppress(InvalidInput):  # this family does not count it
            supernets.counted(entry, one, name)
            names.append(name)

    def count(rows: NDArray[np.uint8]) -> Mapping[str, NDArray[np.float64]]:
        return _WhenRead({name: partial(_column, entry, rows, name) for name in names})

    return count


def _column(entry: SupernetEntry, rows: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
    return supernets.counted(entry, rows, name).astype(float)


class _WhenRead(Mapping[str, NDArray[np.float64]]):
    """Columns that are computed when somebody looks at them."""

    def __init__(self, columns: Mapping[str, Callable[[], NDArray[np.float64]]]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self._columns[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
