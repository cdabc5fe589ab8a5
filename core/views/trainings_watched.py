"""How the trainings of a comparison went: which sizes were drawn and what they lost, and where gradients disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.library.comparisons import ComparisonRecord
from core.library.part_rows import PLACES
from core.over_seeds import Band, band
from core.records import Metrics
from core.training.watch import by_size
from core.training.watch_rows import PAIRS, SIZES, conflict_of, sizes_of


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one method drew, epoch by epoch.

    Attributes:
        label: of the method.
        epochs: from 1, as far as every seed has come that has begun.
        shares: (epochs, classes) of all draws of the epoch, the mean over seeds.
        losses: (epochs, classes) mean loss of what was drawn, over seeds; NaN where nothing was.
        seeds: that have begun.
        uniform: (classes,) what drawing uniformly comes to.
    """

    label: str
    epochs: tuple[int, ...]
    shares: NDArray[np.float64]
    losses: NDArray[np.float64]
    seeds: int
    uniform: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class SizesOverTime:
    """Validation accuracy of the smallest, the middle and the largest measured subnet after every epoch of a method.

    Attributes:
        values: size -> (seeds, epochs); NaN where a seed has not come so far.
    """

    label: str
    values: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Conflict:
    """Where gradients of two sizes agree, by stage.

    Attributes:
        label: of the method.
        at: shares of the training after which they were compared.
        values: (seeds, points, pairs, stages) cosines; NaN where two share no weight, or where a seed has not come so far.
    """

    label: str
    at: tuple[float, ...]
    values: NDArray[np.float64]

    def by_stage(self, point: int, pair: int) -> Band:
        """Over seeds, one place per stage."""
        return band(self.values[:, point, pair])


def rows_of(record: ComparisonRecord, rows: Sequence[Metrics]) -> dict[str, list[list[Metrics]]]:
    """Method -> the epochs of each of its trainings that has begun, by seed."""
    parts = PLACES.parts(rows)
    found: dict[str, list[list[Metrics]]] = {method.label: [] for method in record.methods}
    for index in sorted(parts):
        if index < record.asked:
            found[record.methods[record.place(index)[0]].label].append(parts[index])
    return {label: own for label, own in found.items() if own}


def drawn(record: ComparisonRecord, rows: Sequence[Metrics]) -> list[Drawn]:
    """What each method drew, as far as it has come."""
    uniform = record.classes.shares
    found = []
    for label, seeds in rows_of(record, rows).items():
        n = min(len(own) for own in seeds)
        of_seeds = [by_size(own[:n]) for own in seeds]
        counts = np.array([of.counts for of in of_seeds], float)
        losses = np.array([of.losses for of in of_seeds])
        totals = counts.sum(axis=2, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(totals > 0, counts / totals, np.nan).mean(axis=0)
            known = np.isfinite(losses)
            mean = np.where(known, losses, 0.0).sum(axis=0) / known.sum(axis=0)
        found.append(Drawn(label, tuple(range(1, n + 1)), shares, mean, len(seeds), uniform))
    return found


def sizes_over_time(record: ComparisonRecord, rows: Sequence[Metrics]) -> list[SizesOverTime]:
    """Accuracy of three subnets after every epoch of each method."""
    found = []
    for label, seeds in rows_of(record, rows).items():
        longest = max(len(own) for own in seeds)
        values = np.full((len(seeds), longest, len(SIZES)), np.nan)
        for at, own in enumerate(seeds):
            values[at, : len(own)] = [sizes_of(row) for row in own]
        found.append(SizesOverTime(label, {name: values[:, :, k] for k, name in enumerate(SIZES)}))
    return found


def conflicts(record: ComparisonRecord, rows: Sequence[Metrics]) -> list[Conflict]:
    """Cosines of gradients of each method, as far as its first seed has come."""
    found = []
    stages = len(record.stages)
    for label, seeds in rows_of(record, rows).items():
        epochs = next(m.budget.epochs for m in record.methods if m.label == label)
        first = [
            (int(row["epoch"]), told) for row in seeds[0] if (told := conflict_of(row, stages)) is not None
        ]
        if not first:
            continue
        at = [epoch for epoch, _ in first]
        values = np.full((len(seeds), len(at), len(PAIRS), stages), np.nan)
        for seed, own in enumerate(seeds):
            for row in own:
                told = conflict_of(row, stages)
                if told is not None and int(row["epoch"]) in at:
                    values[seed, at.index(int(row["epoch"]))] = told
        found.append(Conflict(label, tuple(epoch / epochs for epoch in at), values))
    return found
