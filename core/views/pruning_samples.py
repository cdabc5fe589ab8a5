"""What became of single samples: their place beside the parent's, when they break, their margins over sparsity. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.datasets.probe import Probe
from core.geometry.margins import by_class
from core.library.pruned import PrunedModel
from core.views.pruning import PruningView, alike
from core.words import format_share

if TYPE_CHECKING:
    from core.geometry.margins import Margins


@dataclass(frozen=True, eq=False)
class LocalData:
    """n samples as one network places them, and optionally as its parent placed them.

    Attributes:
        ids: (n,) sample ids.
        angle: (n,) degrees between the features and the row of the true class.
        norm: (n,) length of the features.
        margin: (n,) signed distance to the nearest decision boundary, below 0 where the answer is wrong.
        correct: (n,) whether the answer is right.
        y: (n,) true classes.
        predicted: (n,) answers.
        rival: (n,) class behind the nearest boundary.
        probability: (n,) probability of the true class.
        classes: names.
        parent_angle, parent_norm, parent_margin: (n,) of the parent, the same samples.
    """

    ids: NDArray[np.int64]
    angle: NDArray[np.float64]
    norm: NDArray[np.float64]
    margin: NDArray[np.float64]
    correct: NDArray[np.bool_]
    y: NDArray[np.int64]
    predicted: NDArray[np.int64]
    rival: NDArray[np.int64]
    probability: NDArray[np.float64]
    classes: Sequence[str]
    parent_angle: NDArray[np.float64] | None = None
    parent_norm: NDArray[np.float64] | None = None
    parent_margin: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Fragility:
    """When samples break as a method prunes more.

    Attributes:
        sparsities: (s,) ascending, 0 (the parent) first.
        models: their ids.
        first: (n,) index of the first sparsity at which the sample is wrong; s for never.
        margin: (s, n) margins.
    """

    sparsities: tuple[float, ...]
    models: tuple[str, ...]
    first: NDArray[np.intp]
    margin: NDArray[np.float64]

    def said(self, row: int) -> str:
        """One sample's fate in words."""
        index = int(self.first[row])
        if index == len(self.sparsities):
            return "never fails"
        return "wrong unpruned" if index == 0 else f"fails at {format_share(self.sparsities[index])}"

    @property
    def fragile(self) -> list[int]:
        """Rows that are right unpruned and fail, soonest first; of equal ones those of smaller margin there."""
        rows = np.flatnonzero((self.first > 0) & (self.first < len(self.sparsities)))
        there = self.margin[self.first[rows], rows]
        return [int(r) for r in rows[np.lexsort((there, self.first[rows]))]]

    @property
    def robust(self) -> list[int]:
        """Rows that never fail, largest margin at the highest sparsity first."""
        rows = np.flatnonzero(self.first == len(self.sparsities))
        return [int(r) for r in rows[np.argsort(-self.margin[-1, rows], kind="stable")]]


def fragility(view: PruningView, of: PrunedModel, benchmark: str) -> Fragility | None:
    """The fate of every sample along one method's sparsities; None where nothing was evaluated."""
    same = [m for m in view.pruned if alike(m) == alike(of)] if not of.is_parent else []
    line = [m for m in (view.parent, *same) if view.of(m.model_id, benchmark) is not None]
    if not line:
        return None
    margin = np.stack([np.asarray(view.margins[m.model_id][benchmark]["margin"], float) for m in line])
    wrong = margin <= 0
    first = np.where(wrong.any(0), wrong.argmax(0), len(line)).astype(np.intp)
    return Fragility(tuple(m.asked for m in line), tuple(m.model_id for m in line), first, margin)


def placed(view: PruningView, model_id: str, benchmark: str, compare: str) -> LocalData:
    """Every sample in the last feature space of a network, and where another one puts it, if it was evaluated."""
    mine, other = view.margins[model_id][benchmark], view.of(compare, benchmark)
    found = LocalData(
        ids=view.probe.ids,
        angle=np.degrees(mine["angle"]),
        norm=mine["norm"],
        margin=mine["margin"],
        correct=mine["margin"] > 0,
        y=view.probe.y,
        predicted=mine["predicted"],
        rival=mine["rival"],
        probability=mine["probability"],
        classes=view.probe.classes,
    )
    if other is None:
        return found
    return replace(
        found,
        parent_angle=np.degrees(other["angle"]),
        parent_norm=other["norm"],
        parent_margin=other["margin"],
    )


def means_by_class(
    view: PruningView, model_ids: Sequence[str], benchmark: str, quantity: str
) -> NDArray[np.float64]:
    """(networks, classes) means of "angle" (degrees), "norm" or "margin"; NaN where not evaluated."""
    rows = []
    for model_id in model_ids:
        found, classes = view.of(model_id, benchmark), len(view.probe.classes)
        if found is None:
            rows.append(np.full(classes, math.nan))
            continue
        values = np.degrees(found[quantity]) if quantity == "angle" else found[quantity]
        rows.append(by_class(values, view.probe.y, classes))
    return np.stack(rows)


@dataclass(frozen=True, eq=False)
class SampleRows:
    """Samples to look at.

    Attributes:
        rows: of the probe, lowest margin first.
        selected: how many were selected; 0 where these are the lowest margins of all.
        correct, margin, predicted: of all samples of the probe.
        probe: the samples.
    """

    rows: list[int]
    selected: int
    correct: NDArray[np.bool_]
    margin: NDArray[np.float64]
    predicted: NDArray[np.int64]
    probe: Probe

    def caption(self, row: int) -> str:
        """Class, the answer where it is another one, and the margin."""
        classes = self.probe.classes
        true, answer = classes[int(self.probe.y[row])], classes[int(self.predicted[row])]
        said = true if self.correct[row] else f"{true} → {answer}"
        return f"{said} · {self.margin[row]:.2f}"


def sample_rows(view: PruningView, model_id: str, benchmark: str, ids: Sequence[int]) -> SampleRows:
    """The samples of these ids, or all of them, lowest margin first."""
    found = view.margins[model_id][benchmark]
    margin = np.asarray(found["margin"], float)
    chosen = view.probe.rows_of(list(ids))
    rows = chosen if len(chosen) else np.arange(len(view.probe))
    ordered = rows[np.argsort(margin[rows], kind="stable")]
    return SampleRows(
        [int(r) for r in ordered],
        len(chosen),
        margin > 0,
        margin,
        np.asarray(found["predicted"], np.int64),
        view.probe,
    )


@dataclass(frozen=True, eq=False)
class Failures:
    """How many samples each method first gets wrong at which sparsity.

    Attributes:
        labels: methods.
        sparsities: ascending, 0 first.
        counts: (methods, sparsities + 1) samples; the last column never fails.
    """

    labels: tuple[str, ...]
    sparsities: tuple[float, ...]
    counts: NDArray[np.int64]


def first_failures(view: PruningView, models: Sequence[PrunedModel], benchmark: str) -> Failures:
    """Fragility of all methods shown, at the sparsities that any of them has."""
    lines = {alike(m): m for m in models if not m.is_parent}
    fates = [(m.variant, fate) for m in lines.values() if (fate := fragility(view, m, benchmark)) is not None]
    levels = tuple(sorted({s for _, fate in fates for s in fate.sparsities}))
    counts = np.zeros((len(fates), len(levels) + 1), np.int64)
    for row, (_, fate) in enumerate(fates):
        for index, sparsity in enumerate(fate.sparsities):
            counts[row, levels.index(sparsity)] = int((fate.first == index).sum())
        counts[row, -1] = int((fate.first == len(fate.sparsities)).sum())
    return Failures(tuple(name for name, _ in fates), levels, counts)


@dataclass(frozen=True, eq=False)
class MarginPaths:
    """One sample's margin.

    Attributes:
        labels: methods.
        sparsities: ascending, without 0.
        values: (methods, sparsities), NaN where not evaluated.
        parent: its margin before pruning.
    """

    labels: tuple[str, ...]
    sparsities: tuple[float, ...]
    values: NDArray[np.float64]
    parent: float


def margin_paths(
    view: PruningView, models: Sequence[PrunedModel], benchmark: str, sample: int
) -> MarginPaths:
    """One sample's margin under every method, by sparsity."""
    rows = view.probe.rows_of([sample])
    pruned = [m for m in models if not m.is_parent and view.of(m.model_id, benchmark) is not None]
    lines = list(dict.fromkeys(alike(m) for m in pruned))
    levels = sorted({m.asked for m in pruned})
    values = np.full((len(lines), len(levels)), math.nan)
    before = math.nan
    if len(rows):
        for m in pruned:
            margin = view.margins[m.model_id][benchmark]["margin"]
            values[lines.index(alike(m)), levels.index(m.asked)] = margin[rows[0]]
        if (parents := view.of(view.parent.model_id, benchmark)) is not None:
            before = float(parents["margin"][rows[0]])
    labels = tuple(next(m.variant for m in pruned if alike(m) == line) for line in lines)
    return MarginPaths(labels, tuple(levels), values, before)


def lines_of_classes(
    found: Margins, probe: Probe, classes: Sequence[int], most: int = 300
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Angles to all classes in degrees (n, C), and the rows of samples of some classes that are drawn.

    Where there are more than `most`, every k-th in the order of their margins: the spread stays.
    """
    rows = np.flatnonzero(np.isin(probe.y, list(classes)))
    if len(rows) > most:
        ordered = rows[np.argsort(found.margin[rows], kind="stable")]
        rows = np.sort(ordered[np.linspace(0, len(ordered) - 1, most).astype(int)])
    return np.degrees(found.angles), rows.astype(np.int64)
