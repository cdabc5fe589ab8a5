"""Pruned networks that differ in nothing but their seed, as one row, one line, one number with its spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.library.pruned import PrunedModel, stored_as
from core.objectives.base import all_names
from core.over_seeds import Band, Spread, band, spread
from core.records import Metrics
from core.views.pruning import PruningView, table


@dataclass(frozen=True, eq=False)
class PrunedSeeds:
    """Networks of one recipe and one share, a seed each.

    Attributes:
        models: by seed; one for the parent.
    """

    models: tuple[PrunedModel, ...]

    @property
    def first(self) -> PrunedModel:
        """The one that a row or a point of them all selects: that of the lowest seed."""
        return self.models[0]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(m.seed for m in self.models)

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.models)

    def spread(self, name: str) -> Spread:
        """Of one measured number (a key of `PrunedModel.numbers`, or "sparsity")."""
        return spread([_number(m, name) for m in self.models])


def over_seeds(models: Sequence[PrunedModel], *, apart: bool = False) -> list[PrunedSeeds]:
    """Networks by recipe and share, in the order of each first one.

    Args:
        models: as a view has them; the parent stays alone.
        apart: each network by itself.
    """
    found: dict[tuple[Any, ...], list[PrunedModel]] = {}
    for model in models:
        found.setdefault(("parent",) if model.is_parent else (model.recipe_key, model.asked), []).append(
            model
        )
    groups = [PrunedSeeds(tuple(sorted(members, key=lambda m: m.seed))) for members in found.values()]
    if not apart:
        return groups
    return [PrunedSeeds((model,)) for group in groups for model in group.models]


def group_of(groups: Sequence[PrunedSeeds], model_id: str) -> PrunedSeeds | None:
    """The group a network is in, None where it is in none."""
    return next((g for g in groups if any(m.model_id == model_id for m in g.models)), None)


@dataclass(frozen=True, eq=False)
class SeedTable:
    """Accuracy of groups (rows) on benchmarks (columns), over their seeds.

    Attributes:
        groups: rows.
        benchmarks: columns.
        accuracy: (rows, columns) means as fractions, NaN where not evaluated.
        spreads: (rows, columns) of the same.
        error: (rows,) mean corruption error relative to the parent, mean over the seeds.
        note: corruptions that could not be compared, "" for none.
    """

    groups: tuple[PrunedSeeds, ...]
    benchmarks: tuple[str, ...]
    accuracy: NDArray[np.float64]
    spreads: tuple[tuple[Spread, ...], ...]
    error: NDArray[np.float64]
    note: str


def seed_table(view: PruningView, groups: Sequence[PrunedSeeds], severity: int) -> SeedTable:
    """The evaluation table with a row per group."""
    models = [m for g in groups for m in g.models]
    found = table(view, models, severity)
    row = {m.model_id: k for k, m in enumerate(found.models)}
    rows = [[row[m.model_id] for m in g.models] for g in groups]
    spreads = tuple(
        tuple(spread(found.accuracy[of, column]) for column in range(len(found.benchmarks))) for of in rows
    )
    return SeedTable(
        groups=tuple(groups),
        benchmarks=found.benchmarks,
        accuracy=np.array([[s.mean for s in each] for each in spreads]).reshape(len(rows), -1),
        spreads=spreads,
        error=np.array([spread(found.error[of]).mean for of in rows]),
        note=found.note,
    )


@dataclass(frozen=True, eq=False)
class SparsityLines:
    """Numbers by method and sparsity, over seeds.

    Attributes:
        labels: methods.
        sparsities: all that occur, ascending.
        ids: (methods, sparsities) id of the network a point stands for (of several seeds the lowest), "" for none.
        bands: name -> a `Band` per method, over the sparsities.
        parent: name -> the parent's value.
    """

    labels: tuple[str, ...]
    sparsities: tuple[float, ...]
    ids: tuple[tuple[str, ...], ...]
    bands: Mapping[str, tuple[Band, ...]]
    parent: Mapping[str, float]

    def means(self, name: str) -> NDArray[np.float64]:
        """(methods, sparsities), NaN where there is none."""
        return np.array([b.mean for b in self.bands[name]]).reshape(len(self.labels), len(self.sparsities))


def sparsity_lines(
    view: PruningView, models: Sequence[PrunedModel], names: Sequence[str], *, apart: bool = False
) -> SparsityLines:
    """Measured numbers of networks as lines over the sparsity asked for: a line per recipe, or per seed of it."""
    levels = sorted({m.asked for m in models if not m.is_parent})
    lines: dict[tuple[Any, ...], list[PrunedModel]] = {}
    for model in models:
        if not model.is_parent:
            lines.setdefault((model.recipe_key, model.seed if apart else -1), []).append(model)
    at = [{(m.seed, m.asked): m for m in members} for members in lines.values()]
    bands = {name: tuple(_band(found, levels, name) for found in at) for name in names}
    ids = tuple(tuple(_first(found, level) for level in levels) for found in at)
    labels = tuple(_line_label(members, apart) for members in lines.values())
    return SparsityLines(labels, tuple(levels), ids, bands, {n: _number(view.parent, n) for n in names})


def _line_label(members: Sequence[PrunedModel], apart: bool) -> str:
    return f"{members[0].recipe}, seed {members[0].seed}" if apart else members[0].recipe


def _band(found: Mapping[tuple[int, float], PrunedModel], levels: Sequence[float], name: str) -> Band:
    seeds = sorted({seed for seed, _ in found})
    return band([[_number(found.get((seed, level)), name) for level in levels] for seed in seeds])


def _first(found: Mapping[tuple[int, float], PrunedModel], level: float) -> str:
    here = sorted(seed for seed, asked in found if asked == level)
    return found[here[0], level].model_id if here else ""


def _number(model: PrunedModel | None, name: str) -> float:
    if model is None:
        return math.nan
    return model.sparsity if name == "sparsity" else float(model.numbers.get(name, math.nan))


def mean_rows(groups: Sequence[PrunedSeeds]) -> list[Metrics]:
    """One plain row per group: n, then mean, low and high of every number; what is one seed has no low and high."""
    usual = [stored_as(name) for name in all_names()]
    known = {name for group in groups for m in group.models for name in m.numbers}
    names = ["sparsity", *(n for n in usual if n in known), *sorted(known - set(usual))]
    rows = []
    for group in groups:
        first = group.first
        row: Metrics = {
            "method": "not pruned" if first.is_parent else first.recipe,
            "asked": first.asked,
            "n": group.n,
            "seeds": " ".join(str(s) for s in group.seeds),
            "band": "",
        }
        for name in names:
            found = group.spread(name)
            row["band"] = row["band"] or found.band
            row |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row)
    return rows
