"""Searches that a lesson runs over many seeds: looked up in a table, or measured in a large space that is trained for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core import pareto
from core.config import Settings
from core.evaluation.costs import CostTable
from core.library import supernets
from core.library.measuring import Measure, counted_beforehand, from_table
from core.objectives.base import FromCosts, method, objective
from core.search import ALGORITHMS
from core.search.problem import Problem
from core.seeding import torch_drawing

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.library.supernets import SupernetEntry
    from core.supernets.base import Supernet

NAMES = ("accuracy", "macs")
MAXIMIZE = (True, False)
_GROUP: Settings = {"depths": [1, 2, 3], "kernels": [1, 3, 5]}
LARGE: Settings = {
    "groups": [
        {"widths": [2, 4, 6, 8], **_GROUP},
        {"widths": [2, 4, 8, 16], **_GROUP},
        {"widths": [4, 8, 16, 24], **_GROUP},
    ]
}
"""The lessons' own space with a depth for each group and a third kernel for each block: 3.8 million architectures."""
_KEPT = 250_000_000
"""Bytes of activations that stay from one batch to the next; they change no number."""


def looked_up(entry: SupernetEntry) -> tuple[Problem, Measure]:
    """The problem of a supernet that is measured whole, and its table."""
    measure = from_table(entry, NAMES)
    assert measure is not None
    goals = tuple(objective(name) for name in NAMES)
    return Problem(entry.space, goals, counted=counted_beforehand(entry)), measure


def untrained(entry: SupernetEntry, seed: int) -> tuple[Supernet, Dataset]:
    """A supernet of the large space before its first step, and the data of a small one. Loads torch."""

    from core.supernets.files import build
    from core.tasks.base import task_of

    dataset = supernets.dataset(entry)
    with torch_drawing(seed, "weights"):
        return build(entry.family, LARGE | task_of(dataset).settings_from(dataset)), dataset


def measured(supernet: Supernet, dataset: Dataset) -> tuple[Problem, Measure]:
    """The problem of a supernet with its weights, and measuring by forward passes on validation samples. Loads torch."""
    from core.evaluation.evaluator import evaluate
    from core.evaluation.kept_activations import KeptActivations
    from core.tasks.base import evaluation_data

    data, kept, costs = (
        evaluation_data(dataset, ("validation",)),
        KeptActivations(_KEPT),
        CostTable.of(supernet),
    )

    def counted(rows: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        return {"macs": costs.counted(method("macs", FromCosts), rows).astype(float)}

    goals = tuple(objective(name) for name in NAMES)
    problem = Problem(supernet.space, goals, counted=counted)
    return problem, lambda archs: evaluate(supernet, archs, NAMES, data, kept)


def found(
    algorithm: str, settings: Settings, problem: Problem, measure: Measure, *, seed: int, budget: int
) -> list[tuple[float, ...]]:
    """Accuracy and MACs of what a search measured, first evaluation first; the same as the Search page's, batch by batch."""
    search = ALGORITHMS.create(algorithm, settings, problem=problem, seed=seed)
    points: list[tuple[float, ...]] = []
    while len(points) < budget:
        asked = search.ask(min(search.batch_size, budget - len(points)))
        if not asked:
            break
        by_arch = {each.arch: each for each in measure(asked)}
        told = [by_arch[arch] for arch in asked]
        search.tell(told)
        points += [tuple(round(each.values[name], 6) for name in NAMES) for each in told]
    return points


def shares(
    searches: Sequence[Sequence[tuple[float, ...]]],
    reference: Sequence[float],
    whole: float,
    every: int,
) -> tuple[tuple[float, ...], ...]:
    """Per search the share of a hypervolume that it has after every so many evaluations."""
    curves = (
        pareto.hypervolume_over_time(np.array(points), reference, maximize=MAXIMIZE) for points in searches
    )
    return tuple(tuple(np.round(curve[every - 1 :: every] / whole, 5).tolist()) for curve in curves)
