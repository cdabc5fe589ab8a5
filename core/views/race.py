"""Searches of equal settings raced over their seeds: hypervolume by evaluations, and who found more.

All curves of a race have one reference point: the exact front's where the whole space is known, else one a little
worse than everything that any of these searches measured (so it moves when another search joins the race).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.library.evaluations import standing
from core.objectives.base import objective
from core.over_seeds import Comparison, Spread, comparisons, spread
from core.pareto import hypervolume_over_time, reference_point
from core.records import Metrics, Run, RunState
from core.search import ALGORITHMS
from core.views.seed_groups import SeedGroup, differing, seeds_of

if TYPE_CHECKING:
    import pandas as pd

    from core.library.fronts import Front

_ALWAYS_SAID = "algorithm"


@dataclass(frozen=True, eq=False)
class Racer:
    """One setting in a race.

    Attributes:
        label: what distinguishes it.
        seeds: of the rows of `curves`.
        curves: (seeds, evaluations) hypervolume after 1, 2, ... evaluations; NaN where a search has not come so far.
        run_ids: of the rows.
        ended: seed -> hypervolume after `Race.at` evaluations; searches that are done.
    """

    label: str
    seeds: tuple[int, ...]
    curves: NDArray[np.float64]
    run_ids: tuple[str, ...]
    ended: Mapping[int, float]

    @property
    def spread(self) -> Spread:
        """Of the hypervolumes in `ended`."""
        return spread(list(self.ended.values()))


@dataclass(frozen=True, eq=False)
class Race:
    """Several settings against each other.

    Attributes:
        racers: in the order chosen.
        names: objectives.
        reference: the point all hypervolumes are taken against.
        ceiling: hypervolume of the exact front, None where the space is not known as a whole. Where it is, all
            hypervolumes are shares of it.
        at: evaluations after which the settings are compared; 0 before any search is done.
        verdicts: every pair of settings.
        left_out: labels of settings that search on other objectives.
    """

    racers: tuple[Racer, ...]
    names: tuple[str, ...]
    reference: tuple[float, ...]
    ceiling: float | None
    at: int
    verdicts: tuple[Comparison, ...]
    left_out: tuple[str, ...]


def search_labels(groups: Sequence[SeedGroup]) -> list[str]:
    """A name for each group of searches: its algorithm, and what else not all of them agree in."""
    told = differing(groups)
    found = []
    for index, group in enumerate(groups):
        same = [i for i, other in enumerate(groups) if _algorithm(other) == _algorithm(group)]
        among = differing([groups[i] for i in same])[same.index(index)]
        said = {n: v for n, v in told[index].items() if n == "budget"} | dict(among)
        words = [
            f"{n.rpartition('.')[2].replace('_', ' ')} {_text(v)}"
            for n, v in said.items()
            if n != _ALWAYS_SAID
        ]
        found.append(", ".join([_label(_algorithm(group)), *words]))
    return found


def race(
    groups: Sequence[SeedGroup],
    labels: Sequence[str],
    tables: Mapping[str, pd.DataFrame | None],
    exact: Front | None,
) -> Race | None:
    """Race groups of searches.

    Args:
        groups: searches; those whose objectives are not the first one's are left out.
        labels: one per group.
        tables: run -> its measurements in the order made (see `library.evaluations.as_table`).
        exact: the front of the whole space in these objectives, where it is known.

    Returns:
        None where nothing has been measured yet, or the search has one objective.
    """
    if not groups:
        return None
    names = _names(groups[0])
    same = [(g, label) for g, label in zip(groups, labels, strict=True) if _names(g) == names]
    points = {
        run.run_id: found[standing(found, names)][list(names)].to_numpy(float)
        for group, _ in same
        for run in group.runs
        if (found := tables.get(run.run_id)) is not None and set(names) <= set(found)
    }
    if len(names) < 2 or not any(len(p) for p in points.values()):
        return None
    maximize = [objective(n).maximize for n in names]
    if exact is not None:
        reference = exact.reference
    else:
        every = np.concatenate(list(points.values()))
        finite = every[np.isfinite(every).all(axis=1)]
        reference = tuple(float(v) for v in reference_point(finite, maximize=maximize))
    ceiling = exact.hypervolume if exact is not None else None
    curves = {
        run_id: np.asarray(hypervolume_over_time(p, reference, maximize=maximize)) / (ceiling or 1.0)
        for run_id, p in points.items()
        if len(p)
    }
    at = _comparable([group for group, _ in same], curves)
    racers = tuple(r for group, label in same if (r := _racer(group, label, curves, at)) is not None)
    return Race(
        racers=racers,
        names=names,
        reference=reference,
        ceiling=ceiling,
        at=at,
        verdicts=tuple(comparisons({r.label: r.ended for r in racers})),
        left_out=tuple(label for g, label in zip(groups, labels, strict=True) if _names(g) != names),
    )


def seed_rows(found: Race) -> list[Metrics]:
    """One row per seed, for CSV: hypervolume after `at` evaluations."""
    share = found.ceiling is not None
    return [
        {
            "search": racer.label,
            "seed": seed,
            "run": run_id,
            "evaluations": found.at,
            "hypervolume_share_of_exact" if share else "hypervolume": racer.ended[seed],
        }
        for racer in found.racers
        for seed, run_id in zip(racer.seeds, racer.run_ids, strict=True)
        if seed in racer.ended
    ]


def _names(group: SeedGroup) -> tuple[str, ...]:
    found = group.settings.get("objectives")
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def _algorithm(group: SeedGroup) -> str:
    return str(group.settings.get("algorithm", ""))


def _label(algorithm: str) -> str:
    return ALGORITHMS.info(algorithm).label if algorithm in ALGORITHMS.names() else algorithm or "search"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(str(v) for v in value)
    return value if isinstance(value, str) else json.dumps(value)


def _comparable(groups: Sequence[SeedGroup], curves: Mapping[str, NDArray[np.float64]]) -> int:
    """Evaluations that every setting has reached with a search that is done; 0 where there is none."""
    longest = [
        max((len(curves[run.run_id]) for run in group.done if run.run_id in curves), default=0)
        for group in groups
    ]
    return min((n for n in longest if n), default=0)


def _racer(group: SeedGroup, label: str, curves: Mapping[str, NDArray[np.float64]], at: int) -> Racer | None:
    runs = [run for run in group.runs if run.run_id in curves]
    if not runs:
        return None
    length = max(len(curves[run.run_id]) for run in runs)
    rows = np.stack([_padded(run, curves[run.run_id], length) for run in runs])
    seeds = tuple(seeds_of(run)[0] for run in runs)
    ended = {
        seed: float(row[at - 1])
        for run, seed, row in zip(runs, seeds, rows, strict=True)
        if run.state is RunState.DONE and 0 < at <= length and math.isfinite(row[at - 1])
    }
    return Racer(label, seeds, rows, tuple(run.run_id for run in runs), ended)


def _padded(run: Run, curve: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """To a common length: a search that has ended finds nothing more, of one that goes on nothing is known."""
    last = curve[-1] if run.state is RunState.DONE else math.nan
    return np.concatenate([curve, np.full(length - len(curve), last)])
