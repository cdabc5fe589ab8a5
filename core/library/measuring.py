"""What a workflow that measures subnets needs: the supernet of a name, its data, and a function that measures.

Looking a number up in the supernet's complete table is measuring, too, if the table was made with the
same weights and data; the source of such a number says that it was looked up. Only measuring by a
forward pass loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.datasets import load_dataset
from core.library import supernets
from core.library.measure_latency import measure_latency
from core.library.supernets import SupernetEntry
from core.objectives.base import objectives as described
from core.records import Measurement, Source
from core.runtime import heavy_imports
from core.spaces import Arch

if TYPE_CHECKING:
    from core.tasks.base import EvaluationData

Measure = Callable[[Sequence[Arch]], Iterator[Measurement]]
"""Measures distinct architectures, in any order, one at a time."""

FROM_TABLE = f"{Source.MEASURED} (table)"
"""Source of a number that was measured when the supernet's complete table was made."""


NOISY = f"{Source.MEASURED} (noisy latency)"
"""Source of a latency whose repeats disagreed: the machine was busy."""

LATENCY = "latency_ms"


class DataChoice(BaseConfig):
    """A data set to measure on, instead of the one the supernet was trained on."""

    name: str = Field(description="Registry name of the data set")
    seed: int = Field(0, description="Decides the division into splits")
    config: dict[str, Any] = Field(default_factory=dict, description="The data set's own settings")


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
        dataset = load_dataset(choice.name, seed=choice.seed, **choice.config)
    return data_of(dataset, splits)


def by_forward_pass(entry: SupernetEntry, choice: DataChoice | None, names: Sequence[str]) -> Measure:
    """A function that measures with the supernet's weights; see `evaluation_data` for what it raises."""
    passes = [name for name in names if name != LATENCY]
    data = evaluation_data(entry, choice, passes)
    supernet = supernets.load(entry)
    from core.evaluation import evaluator

    def measure(archs: Sequence[Arch]) -> Iterator[Measurement]:
        return evaluator.evaluate(supernet, archs, passes, data)

    return measure if LATENCY not in names else _timed(entry, names, measure)


def _timed(entry: SupernetEntry, names: Sequence[str], measure: Measure) -> Measure:
    """Also time the subnets of each batch against each other; the source says where that was noisy."""

    def measure_and_time(archs: Sequence[Arch]) -> Iterator[Measurement]:
        measured = list(measure(archs))
        latencies = measure_latency(entry, [m.arch for m in measured])
        for found, ms in zip(measured, latencies.ms, strict=True):
            values = {**found.values, LATENCY: float(ms)}
            source = NOISY if latencies.noisy else found.source
            yield Measurement(found.arch, {name: values[name] for name in names}, source)

    return measure_and_time


def from_table(entry: SupernetEntry, names: Sequence[str]) -> Measure | None:
    """A function that looks numbers up in the complete table; None if it lacks one. Free of torch."""
    table = supernets.table(entry)
    if table is None or any(name not in table or table[name].isna().any() for name in names):
        return None
    space, columns = entry.space, {name: table[name].to_numpy(float) for name in names}
    position = {arch_id: row for row, arch_id in enumerate(table["arch_id"])}
    if len(position) != space.size:
        return None

    def look_up(archs: Sequence[Arch]) -> Iterator[Measurement]:
        for arch in archs:
            row = position[space.arch_id(arch)]
            yield Measurement(arch, {name: float(columns[name][row]) for name in names}, FROM_TABLE)

    return look_up


def counted_columns(
    entry: SupernetEntry, rows: NDArray[np.uint8], names: Sequence[str]
) -> Mapping[str, NDArray[np.float64]]:
    """Those of the objectives that are counted rather than measured: name -> (n,) values."""
    counted = [o.name for o in described(names) if o.how == Source.COUNTED]
    if not counted:
        return {}
    costs = supernets.costs(entry)
    return {name: costs.counted(name, rows).astype(float) for name in counted}
