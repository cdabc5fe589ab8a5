"""Searches of equal settings raced over their seeds: hypervolume by evaluations, and who found more.

All curves of a race have one reference point: the exact front's where the whole space is known, else one a little
worse than everything that any of these searches measured (so it moves when another search joins the race).

Only searches for the same thing race: equal objectives, limits and data. What breaks a limit counts as an evaluation
and adds nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.library.evaluations import source_column, standing
from core.library.measuring import FROM_TABLE
from core.library.searches import TOLD, bounds_of
from core.objectives.base import objective
from core.over_seeds import Comparison, Spread, comparisons, spread
from core.pareto import Constraint, hypervolume_over_time, reference_point, satisfies
from core.records import Run, RunState
from core.search import ALGORITHMS
from core.views.seed_groups import SeedGroup, differing, seeds_of

if TYPE_CHECKING:
    import pandas as pd

    from core.library.fronts import Front

_ALWAYS_SAID = "algorithm"
_BUDGETS = ("budget", "seconds")


@dataclass(frozen=True, eq=False)
class Racer:
    """One setting in a race.

    Attributes:
        label: what distinguishes it.
        seeds: of the rows of `curves`.
        curves: (seeds, evaluations) hypervolume after 1, 2, ... evaluations; NaN where a search has not come so far.
        run_ids: of the rows.
        ended: seed -> hypervolume after `Race.at` evaluations; searches that are done.
        points: per row (told + n, m) what it was told of an earlier search, then what it measured, first evaluation
            first, in the objectives' units; NaN where a row may not stand on a front or breaks a limit.
        told: per row how many of the points it was told: they are no evaluations.
        seconds: per row (n,) measured seconds after each evaluation; None where they were not written down.
        done: of the rows, whether the search is done.
    """

    label: str
    seeds: tuple[int, ...]
    curves: NDArray[np.float64]
    run_ids: tuple[str, ...]
    ended: Mapping[int, float]
    points: tuple[NDArray[np.float64], ...]
    told: tuple[int, ...]
    seconds: tuple[NDArray[np.float64] | None, ...]
    done: tuple[bool, ...]

    @property
    def spread(self) -> Spread:
        """Of the hypervolumes in `ended`."""
        return spread(list(self.ended.values()))

    @property
    def made(self) -> tuple[int, ...]:
        """Per row the evaluations made."""
        return tuple(len(points) - told for points, told in zip(self.points, self.told, strict=True))

    def known(self, row: int, evaluations: int) -> NDArray[np.float64]:
        """What the search of a row knew after so many evaluations."""
        return self.points[row][: self.told[row] + evaluations]


@dataclass(frozen=True, eq=False)
class Race:
    """Several settings against each other.

    Attributes:
        racers: in the order chosen.
        names: objectives.
        limits: that all of them were searched under.
        reference: the point all hypervolumes are taken against.
        ceiling: hypervolume of the exact front, None where the space is not known as a whole. Where it is, all
            hypervolumes are shares of it.
        at: evaluations after which the settings are compared; 0 before any search is done.
        verdicts: every pair of settings.
        left_out: labels of settings that search for something else.
        looked_up: whether numbers stood in a complete table: seconds are then those of proposing alone.
    """

    racers: tuple[Racer, ...]
    names: tuple[str, ...]
    limits: tuple[Constraint, ...]
    reference: tuple[float, ...]
    ceiling: float | None
    at: int
    verdicts: tuple[Comparison, ...]
    left_out: tuple[str, ...]
    looked_up: bool = False

    @property
    def maximize(self) -> list[bool]:
        """Per objective whether more is better."""
        return [objective(name).maximize for name in self.names]


def search_labels(groups: Sequence[SeedGroup]) -> list[str]:
    """A name for each group of searches: its algorithm, and what else not all of them agree in."""
    told = differing(groups)
    found = []
    for index, group in enumerate(groups):
        same = [i for i, other in enumerate(groups) if _algorithm(other) == _algorithm(group)]
        among = differing([groups[i] for i in same])[same.index(index)]
        said = {n: v for n, v in told[index].items() if n == "budget"} | dict(among)
        words = [_setting(n, v) for n, v in said.items() if n != _ALWAYS_SAID]
        found.append(", ".join([_label(_algorithm(group)), *words]))
    return found


def race(
    groups: Sequence[SeedGroup],
    labels: Sequence[str],
    tables: Mapping[str, pd.DataFrame | None],
    exact: Front | None,
    seconds: Mapping[str, NDArray[np.float64] | None] | None = None,
) -> Race | None:
    """Race groups of searches.

    Args:
        groups: searches; those for something else than the first one are left out.
        labels: one per group.
        tables: run -> its measurements in the order made (see `library.evaluations.as_table`).
        exact: the front of the whole space in these objectives and under these limits, where it is known.
        seconds: run -> measured seconds after each evaluation (see `core.views.race_seconds`).

    Returns:
        None where nothing that counts has been measured yet, or the search has one objective.
    """
    if not groups:
        return None
    names, limits = names_of(groups[0]), limits_of(groups[0])
    same = [(g, label) for g, label in zip(groups, labels, strict=True) if _problem(g) == _problem(groups[0])]
    points = {
        run.run_id: _counting(found, names, limits)
        for group, _ in same
        for run in group.runs
        if (found := tables.get(run.run_id)) is not None and set(names) <= set(found)
    }
    every = [p[np.isfinite(p).all(axis=1)] for p in points.values()]
    if len(names) < 2 or not any(len(p) for p in every):
        return None
    maximize = [objective(n).maximize for n in names]
    if exact is not None:
        reference = exact.reference
    else:
        reference = tuple(float(v) for v in reference_point(np.concatenate(every), maximize=maximize))
    ceiling = exact.hypervolume if exact is not None and exact.hypervolume > 0 else None
    told = {run_id: _told(tables[run_id]) for run_id in points}
    curves = {
        run_id: np.asarray(hypervolume_over_time(p, reference, maximize=maximize))[told[run_id] :]
        / (ceiling or 1.0)
        for run_id, p in points.items()
    }
    curves = {run_id: curve for run_id, curve in curves.items() if len(curve)}
    at = _comparable([group for group, _ in same], curves)
    times = seconds or {}
    racers = tuple(
        r
        for group, label in same
        if (r := _racer(group, label, curves, at, points=points, told=told, seconds=times)) is not None
    )
    return Race(
        racers=racers,
        names=names,
        limits=limits,
        reference=reference,
        ceiling=ceiling,
        at=at,
        verdicts=tuple(comparisons({r.label: r.ended for r in racers})),
        left_out=tuple(
            label for g, label in zip(groups, labels, strict=True) if _problem(g) != _problem(groups[0])
        ),
        looked_up=any(_looked_up(tables[run_id], names) for run_id in points),
    )


def competitors(groups: Sequence[SeedGroup], first: SeedGroup) -> list[SeedGroup]:
    """The groups that race against one: for the same thing and with the same budget, itself included."""

    def told(group: SeedGroup) -> str:
        return json.dumps([_problem(group), *(group.settings.get(name) for name in _BUDGETS)])

    return [group for group in groups if told(group) == told(first)]


def names_of(group: SeedGroup) -> tuple[str, ...]:
    """The objectives of a group of searches."""
    found = group.settings.get("objectives")
    return tuple(str(name) for name in found) if isinstance(found, list) else ()


def limits_of(group: SeedGroup) -> tuple[Constraint, ...]:
    """The limits that a group of searches keeps."""
    try:
        return bounds_of(group.settings)
    except InvalidInput:
        return ()


def _problem(group: SeedGroup) -> str:
    """What is searched for, as text: equal where two searches compare."""
    told = group.settings
    return json.dumps([told.get(name) for name in ("objectives", "constraints", "data")], sort_keys=True)


def _told(table: pd.DataFrame | None) -> int:
    """How many rows an earlier search measured."""
    return 0 if table is None or "step" not in table else int((table["step"] == TOLD).sum())


def _looked_up(table: pd.DataFrame | None, names: Sequence[str]) -> bool:
    """Whether any number of a search stood in a complete table."""
    columns = [] if table is None else [c for c in map(source_column, names) if c in table]
    return table is not None and any(bool((table[c] == str(FROM_TABLE)).any()) for c in columns)


def _counting(table: pd.DataFrame, names: Sequence[str], limits: Sequence[Constraint]) -> NDArray[np.float64]:
    """(n, m) what a search measured, NaN in rows that may not stand on a front."""
    counts = standing(table, names)
    if limits:
        known = {c.objective: table[c.objective].to_numpy(float) for c in limits if c.objective in table}
        counts &= len(known) == len({c.objective for c in limits}) and satisfies(known, limits)
    return np.where(counts[:, None], table[list(names)].to_numpy(float), math.nan)


def _algorithm(group: SeedGroup) -> str:
    return str(group.settings.get("algorithm", ""))


def _label(algorithm: str) -> str:
    return ALGORITHMS.info(algorithm).label if algorithm in ALGORITHMS.names() else algorithm or "search"


def _setting(name: str, value: Any) -> str:
    """One setting in a few words."""
    if name == "from_runs":
        return "after an earlier search" if value else "from nothing"
    if name == "constraints":
        named = [str(each.get("objective")) for each in value if isinstance(each, Mapping)]
        return f"limits on {' and '.join(named)}" if named else "no limits"
    if name == "use_table":
        return "looked up" if value else "measured anew"
    if name in _BUDGETS and value is None:
        return "any time"
    return f"{name.rpartition('.')[2].replace('_', ' ')} {_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(str(v) for v in value)
    return value if isinstance(value, str) else json.dumps(value)


def _comparable(groups: Sequence[SeedGroup], curves: Mapping[str, NDArray[np.float64]]) -> int:
    """Evaluations that every setting has reached with a search that is done; 0 where there is none."""
    reached = []
    for group in groups:
        lengths = [len(curves[run.run_id]) for run in group.done if run.run_id in curves]
        if lengths:
            # Where seconds ended them, one search made more evaluations than another: all of them made so many.
            reached.append(min(lengths) if _timed(group) else max(lengths))
    return min(reached, default=0)


def _timed(group: SeedGroup) -> bool:
    """Whether seconds end the search, not evaluations."""
    return group.settings.get("seconds") is not None


def _racer(
    group: SeedGroup,
    label: str,
    curves: Mapping[str, NDArray[np.float64]],
    at: int,
    *,
    points: Mapping[str, NDArray[np.float64]],
    told: Mapping[str, int],
    seconds: Mapping[str, NDArray[np.float64] | None],
) -> Racer | None:
    runs = [run for run in group.runs if run.run_id in curves]
    if not runs:
        return None
    length = max(len(curves[run.run_id]) for run in runs)
    rows = np.stack([_padded(run, curves[run.run_id], length, _timed(group)) for run in runs])
    seeds = tuple(seeds_of(run)[0] for run in runs)
    ended = {
        seed: float(row[at - 1])
        for run, seed, row in zip(runs, seeds, rows, strict=True)
        if run.state is RunState.DONE and 0 < at <= length and math.isfinite(row[at - 1])
    }
    return Racer(
        label=label,
        seeds=seeds,
        curves=rows,
        run_ids=tuple(run.run_id for run in runs),
        ended=ended,
        points=tuple(points[run.run_id] for run in runs),
        told=tuple(told[run.run_id] for run in runs),
        seconds=tuple(_fitting(seconds.get(run.run_id), len(curves[run.run_id])) for run in runs),
        done=tuple(run.state is RunState.DONE for run in runs),
    )


def _fitting(seconds: NDArray[np.float64] | None, n: int) -> NDArray[np.float64] | None:
    """Seconds of the n evaluations that were read: a batch more may have ended between the two readings."""
    return None if seconds is None or len(seconds) < n else seconds[:n]


def _padded(run: Run, curve: NDArray[np.float64], length: int, timed: bool) -> NDArray[np.float64]:
    """To a common length: a search that used its budget finds nothing more, of any other one nothing is known."""
    last = curve[-1] if run.state is RunState.DONE and not timed else math.nan
    return np.concatenate([curve, np.full(length - len(curve), last)])
