"""What a watched training writes down after an epoch, beside what every training writes; and how it is read. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from core.records import Metric, Metrics
from core.spaces import Arch

SIZES = ("smallest", "middle", "largest")
PAIRS = tuple(combinations(SIZES, 2))
SUBNET, CONFLICT = "subnet_", "conflict_"
_POINTS = 4


def conflict_epochs(epochs: int) -> list[int]:
    """After which epochs, from 1, gradients are compared: the first, each quarter, the last."""
    return sorted({1, *(math.ceil(epochs * part / _POINTS) for part in range(1, _POINTS + 1))})


def plain(row: Mapping[str, Metric]) -> Metrics:
    """An epoch's numbers as a training that is not watched writes them."""
    return {name: value for name, value in row.items() if not name.startswith((SUBNET, CONFLICT))}


def sizes_of(row: Mapping[str, Metric]) -> list[float]:
    """Validation accuracy of the three subnets after an epoch."""
    return [float(row.get(f"{SUBNET}{name}", math.nan)) for name in SIZES]


def conflict_of(row: Mapping[str, Metric], stages: int) -> list[list[float]] | None:
    """(pairs, stages) cosines after an epoch, in the order of `PAIRS`; None where they were not compared."""
    if not any(name.startswith(CONFLICT) for name in row):
        return None
    return [
        [float(row.get(f"{CONFLICT}{pair}_{stage}", math.nan)) for stage in range(stages)]
        for pair in range(len(PAIRS))
    ]


def sizes_in(rows: Sequence[Arch], costs: Sequence[float]) -> tuple[Arch, ...]:
    """The cheapest of some subnets, the one in the middle and the dearest."""
    order = np.argsort(np.asarray(costs, float), kind="stable")
    return tuple(rows[int(order[at])] for at in (0, len(order) // 2, -1))
