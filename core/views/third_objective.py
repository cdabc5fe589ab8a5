"""A third objective: the front of two under every limit on the third, and the subnets selected on such a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.library.evaluations import standing
from core.objectives.base import objectives
from core.pareto import non_dominated
from core.records import Objective
from core.views.regions import Region, inside
from core.words import format_count, format_value, within_sentence

if TYPE_CHECKING:
    import pandas as pd

MOST_LIMITS = 30


@dataclass(frozen=True, eq=False)
class LimitedFronts:
    """The front of two objectives under each of several limits on a third.

    Attributes:
        goals: the two objectives, then the third.
        limits: ascending, in the third's unit; values the third must not exceed (reach, where larger is better).
        members: for each limit, (k,) positions in the table of the front's rows, in order of the first objective.
        loosest: which limit leaves the whole front.
        on_all: subnets on the front of all three objectives.
    """

    goals: tuple[Objective, Objective, Objective]
    limits: tuple[float, ...]
    members: tuple[NDArray[np.int64], ...]
    loosest: int
    on_all: int

    @property
    def names(self) -> tuple[str, str, str]:
        """Of the objectives."""
        x, y, third = self.goals
        return x.name, y.name, third.name

    def nearest(self, limit: float | None) -> int:
        """Which limit is nearest to a value; the loosest for None."""
        if limit is None:
            return self.loosest
        return int(np.abs(np.array(self.limits) - limit).argmin())


def limited_fronts(
    table: pd.DataFrame, wanted: Sequence[str | Objective], *, most: int = MOST_LIMITS
) -> LimitedFronts:
    """The fronts of the first two objectives under limits on the third.

    A subnet that is on any of them is on the front of all three objectives, or ties on the first two with one that
    is: whatever beats it in all three meets every limit that it meets. So the rows are looked through once.

    Args:
        table: rows with a column per objective (see `library.table`); values that are predicted or a proxy are on
            no front.
        wanted: three different objectives.
        most: limits at most; where more of them change something, evenly chosen ones.

    Raises:
        InvalidInput: not three different objectives, or no row has values of all three.
    """
    goals = objectives(wanted)
    names = [goal.name for goal in goals]
    if len(names) != 3 or len(set(names)) != 3:
        raise InvalidInput("A third objective is another one than those of the axes.")
    values = table[list(names)].to_numpy(float)
    values = np.where(standing(table, names)[:, None], values, np.nan)
    maximize = [goal.maximize for goal in goals]
    on_all = non_dominated(values, maximize=maximize)
    if not on_all.any():
        raise InvalidInput(
            f"No subnet has a value of {within_sentence(goals[2].label)} that may stand on a front."
        )
    rows = _with_ties(values, on_all)
    third = values[rows, 2]
    stops = _stops(third, most)
    members = []
    for limit in stops:
        within = rows[third >= limit if goals[2].maximize else third <= limit]
        front = within[non_dominated(values[within, :2], maximize=maximize[:2])]
        members.append(front[np.lexsort((values[front, 1], values[front, 0]))])
    loosest = 0 if goals[2].maximize else len(stops) - 1
    return LimitedFronts(
        (goals[0], goals[1], goals[2]), tuple(stops.tolist()), tuple(members), loosest, int(on_all.sum())
    )


def _with_ties(values: NDArray[np.float64], on_all: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the marked rows, and of rows that equal one of them in the first two objectives."""
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    pairs = np.unique(values[on_all][:, :2], axis=0)
    _, which = np.unique(np.concatenate([pairs, values[complete][:, :2]]), axis=0, return_inverse=True)
    which = which.reshape(-1)
    return complete[np.isin(which[len(pairs) :], which[: len(pairs)])]


def _stops(third: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Values of the third objective at which a front may change, ascending, both ends among them."""
    distinct = np.unique(third)
    if len(distinct) <= most:
        return distinct
    return distinct[np.unique(np.linspace(0, len(distinct) - 1, most).round().astype(int))]


def limits_told(
    table: pd.DataFrame, fronts: LimitedFronts, *, most: int = 6, one: str = "subnet"
) -> list[dict[str, str]]:
    """What some of the limits cost, as a table: how many stay on the front, and the best of the second objective."""
    _, quality, third = fronts.goals
    chosen = np.unique(np.linspace(0, len(fronts.limits) - 1, most).round().astype(int)).tolist()
    word = "at least" if third.maximize else "at most"
    rows = []
    for number in chosen:
        values = table[quality.name].to_numpy(float)[fronts.members[number]]
        best = values.max() if quality.maximize else values.min()
        limit = "any" if number == fronts.loosest else format_value(fronts.limits[number], third)
        rows.append(
            {
                f"{third.label} {word}": limit,
                f"{one}s on the front": format_count(len(values)),
                f"best {within_sentence(quality.label)}": format_value(float(best), quality),
            }
        )
    return rows


@dataclass(frozen=True)
class Selected:
    """The subnets within drawn regions.

    Attributes:
        everything: ids of all that meet the limit, those on the front first.
        members: how many of them are on the front within the limit.
    """

    everything: tuple[str, ...]
    members: int


def selected_within(
    table: pd.DataFrame, fronts: LimitedFronts, limit: int, regions: Sequence[Region]
) -> Selected:
    """Which subnets lie within regions of the chart of the first two objectives, whether they are drawn or not.

    Args:
        table: the rows the fronts were made of.
        fronts: under every limit.
        limit: number of the limit; subnets beyond it are not selected.
        regions: in drawn units.
    """
    x, y, third = fronts.goals
    across, up = (table[goal.name].to_numpy(float) * goal.shown.factor for goal in (x, y))
    value = table[third.name].to_numpy(float)
    within = np.zeros(len(table), bool)
    for region in regions:
        within |= inside(region, across, up)
    if limit != fronts.loosest:
        within &= value >= fronts.limits[limit] if third.maximize else value <= fronts.limits[limit]
    members = [position for position in fronts.members[limit].tolist() if within[position]]
    within[members] = False
    ids = table["arch_id"].to_numpy(object)
    return Selected((*ids[members], *ids[within]), len(members))
