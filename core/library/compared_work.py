"""What a comparison of trainings counts beforehand: classes of cost, and how much work its trainings are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.costs import CostTable
from core.library.comparisons import Classes, ComparedMethod
from core.seeding import stream
from core.spaces import SearchSpace
from core.training.strategies import STRATEGIES, Strategy
from core.training.strategies.base import epochs_of
from core.training.watch import SizeClasses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.datasets.base import Dataset
    from core.supernets.base import Supernet

_SAMPLE = 4096
"""Architectures that stand for a larger space."""
_WATCHED, _MOST_VALIDATION = 9, 1000
"""Subnets measured after every epoch, and samples; for progress alone."""


def efforts(
    methods: Sequence[ComparedMethod],
    net: Supernet,
    dataset: Dataset,
    rows: NDArray[np.uint8],
    *,
    batch: int,
    seed: int,
) -> tuple[tuple[float, ...], float]:
    """Counted work of a training of each method, and of measuring subnets at its end; for progress alone.

    Args:
        methods: with their epochs.
        net: before its first step.
        dataset: what it is trained on.
        rows: (n, d) architectures measured of each.
        batch: samples of a step.
        seed: of a training.
    """
    from core.evaluation.work import ORDINARY, walk_parts
    from core.training.work import epoch_works

    steps = net.task.steps(dataset, batch)
    found = []
    for method in methods:
        strategy: Strategy = STRATEGIES.create(method.strategy, method.settings)
        phases = strategy.phases(net.space)
        works = epoch_works(
            net,
            strategy,
            phases,
            epochs_of(phases, method.budget.epochs),
            steps=steps,
            batch=batch,
            shown=rows[:: max(1, len(rows) // _WATCHED)],
            measured=min(len(dataset.validation), _MOST_VALIDATION),
            seed=seed,
        )
        found.append(sum(work.whole for work in works))
    samples = (
        1 if net.task.whole else sum(len(dataset.split(n)) for n in ("calibration", "validation", "test"))
    )
    return tuple(found), float(walk_parts(net, CostTable.of(net), rows, samples).sum(0) @ ORDINARY)


def classes_of(space: SearchSpace, table: CostTable) -> Classes:
    """Classes of cost as every training has them, and what of the space is in each."""
    found = SizeClasses.of(space, lambda archs: table.total("macs", np.array(archs, np.uint8)))
    rows = space.array() if space.size <= _SAMPLE else space.sample_array(_SAMPLE, stream(0, "classes"))
    counts = np.bincount(found.of_costs(table.total("macs", rows)), minlength=len(found.most))
    return Classes(most=tuple(found.most.tolist()), shares=tuple((counts / counts.sum()).tolist()))
