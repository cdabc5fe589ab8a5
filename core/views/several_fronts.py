"""Several fronts in one chart: of several objectives, of several supernets, of pruned networks before and after tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.library.coverage import Coverage
from core.library.evaluations import standing
from core.library.pruned import PrunedModel, objective_values
from core.library.supernets import SupernetEntry
from core.objectives.base import objective, objectives
from core.pareto import non_dominated
from core.rank_correlation import kendall, spearman
from core.records import Objective
from core.text import display_name
from core.words import format_count, format_value, within_sentence

if TYPE_CHECKING:
    import pandas as pd

MOST_FRONTS = 8
"""As many as colors and dashes tell apart."""
ZERO_SHOT = "zero_shot"
"""What a pruned network's accuracy before fine-tuning is kept as."""


@dataclass(frozen=True, eq=False)
class FrontSeries:
    """One of the fronts.

    Attributes:
        key: permanent; in links and customdata.
        label: what a person reads.
        x, y: objectives of the axes.
        ids: (n,) of all subnets or networks.
        values: (n, 2) across and up, in the objectives' units; NaN where there is none.
        members: positions on the front, in order of x.
        source: objectives whose values these are, for a table's columns.
    """

    key: str
    label: str
    x: Objective
    y: Objective
    ids: NDArray[np.object_]
    values: NDArray[np.float64]
    members: NDArray[np.int64]

    def largest(self) -> NDArray[np.float64]:
        """(2,) largest value on each axis, for charts of shares."""
        largest: NDArray[np.float64] = np.nanmax(np.abs(self.values), axis=0)
        return np.where(largest > 0, largest, 1.0)


@dataclass(frozen=True, eq=False)
class SeveralFronts:
    """The fronts of one chart.

    Attributes:
        series: one per front.
        normalized: whether each front is drawn in shares of its own largest values, across and up.
        matched: whether equal ids in two series are the same subnet or network.
        told: what somebody who compares them must know, a sentence each.
        across: what the objectives across have in common, "" where their labels say it.
    """

    series: tuple[FrontSeries, ...]
    normalized: tuple[bool, bool]
    matched: bool
    told: tuple[str, ...] = ()
    across: str = ""


def by_objectives(table: pd.DataFrame, costs: Sequence[str], quality: str) -> SeveralFronts:
    """The same subnets by several objectives of one kind against the same other one.

    Args:
        table: of the library.
        costs: names of the objectives across, at least one, all of one direction.
        quality: name of the objective up.

    Raises:
        InvalidInput: there are none, too many, or of different directions.
    """
    goals = objectives(costs)
    if not goals or len(goals) > MOST_FRONTS or len({goal.maximize for goal in goals}) > 1:
        raise InvalidInput(
            f"Choose one to {MOST_FRONTS} objectives of which all are better small, or all large."
        )
    up = objective(quality)
    series = tuple(_of_table(goal.name, goal.label, table, goal, up) for goal in goals)
    one_kind = len({(goal.unit, goal.shown, goal.name.partition(".")[0]) for goal in goals}) == 1
    said: tuple[str, ...] = ()
    if not one_kind:
        said = ("These objectives have different units: each is drawn as a share of its largest value.",)
    guessed = [goal.label for goal in goals if not standing(table, [goal.name]).all()]
    if guessed:
        said += (
            f"Only measured subnets are on the front of {' and of '.join(guessed)}; others have predicted values, which count in the rank correlations.",
        )
    return SeveralFronts(series, (not one_kind, False), True, said)


def by_supernets(
    tables: Sequence[tuple[SupernetEntry, pd.DataFrame]],
    x: Objective,
    y: Objective,
    *,
    normalized: bool = False,
) -> SeveralFronts:
    """The fronts of several supernets by the same two objectives.

    Args:
        tables: at least one supernet with its table.
        x, y: objectives across and up.
        normalized: draw shares of each supernet's own largest values.

    Raises:
        InvalidInput: there are none or too many, or one was not measured for an objective.
    """
    if not tables or len(tables) > MOST_FRONTS:
        raise InvalidInput(f"Choose one to {MOST_FRONTS} supernets.")
    for entry, table in tables:
        for goal in (x, y):
            if goal.name not in table:
                raise InvalidInput(f"{goal.label} was not measured for {display_name(entry.title)}.")
    series = tuple(_of_table(e.supernet_id, display_name(e.title), table, x, y) for e, table in tables)
    data = {display_name(e.title): e.card.data.name if e.card.data else "unknown data" for e, _ in tables}
    said: tuple[str, ...] = ()
    if len(set(data.values())) > 1:
        named = ", ".join(f"{title} on {name}" for title, name in data.items())
        said = (
            f"The supernets were trained and measured on different data ({named}): {within_sentence(y.label)} does not compare "
            "between them; costs and the shapes of the fronts do.",
        )
    for entry, table in tables:
        covered = Coverage(len(table), entry.space.size)
        said += () if covered.complete else (f"{display_name(entry.title)}: {covered.short}.",)
    matched = len({e.space.fingerprint for e, _ in tables}) == 1
    if not matched:
        said += ("Their search spaces differ, so a subnet of one is not in another.",)
    return SeveralFronts(series, (normalized, normalized), matched, said)


def by_tuning(
    models: Sequence[PrunedModel], table: pd.DataFrame, x: Objective, y: Objective
) -> SeveralFronts:
    """Pruned networks of one parent before and after fine-tuning, beside the supernet's own front.

    Args:
        models: pruned networks and their parent, as `core.library.pruned.list_pruned` returns them.
        table: of the supernet.
        x, y: objectives across and up; y is accuracy, the one that is known before tuning.

    Raises:
        InvalidInput: y is another objective, or no network was measured for both.
    """
    if y.name != "accuracy":
        raise InvalidInput("Before fine-tuning only accuracy was measured: choose it as the vertical axis.")
    pruned = [model for model in models if not model.is_parent]
    ids = np.array([model.model_id for model in pruned], object)
    across = _column([objective_values(model).get(x.name) for model in pruned])
    before = _column([model.numbers.get(ZERO_SHOT) for model in pruned])
    after = _column([objective_values(model).get(y.name) for model in pruned])
    if not (np.isfinite(across) & np.isfinite(before) & np.isfinite(after)).any():
        raise InvalidInput(
            f"No pruned network was measured for {within_sentence(x.label)}, and before and after fine-tuning."
        )
    series = (
        _of_table("supernet", "Subnets, not tuned", table, x, y),
        series_of("before", "Pruned, before fine-tuning", x, y, ids, np.stack([across, before], axis=1)),
        series_of("after", "Pruned, after fine-tuning", x, y, ids, np.stack([across, after], axis=1)),
    )
    said = (
        "Pruned networks were fine-tuned one by one; the subnets of the supernet were not, so the distance between "
        "those fronts is not the work of pruning alone.",
    )
    return SeveralFronts(series, (False, False), True, said)


def _column(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], float)


def _of_table(key: str, label: str, table: pd.DataFrame, x: Objective, y: Objective) -> FrontSeries:
    values = table[[x.name, y.name]].to_numpy(float)
    stands = standing(table, (x.name, y.name))
    return series_of(key, label, x, y, table["arch_id"].to_numpy(object), values, stands)


def series_of(
    key: str,
    label: str,
    x: Objective,
    y: Objective,
    ids: NDArray[np.object_],
    values: NDArray[np.float64],
    stands: NDArray[np.bool_] | None = None,
) -> FrontSeries:
    """A series with its front; for the arguments see `FrontSeries`.

    Args:
        key, label, x, y, ids, values: of the series.
        stands: (n,) which rows may be on the front; all if left out.
    """
    standing_values = values if stands is None else np.where(stands[:, None], values, np.nan)
    members = np.flatnonzero(non_dominated(standing_values, maximize=[x.maximize, y.maximize]))
    order = np.lexsort((values[members, 1], values[members, 0]))
    return FrontSeries(key, label, x, y, ids, values, members[order])


@dataclass(frozen=True)
class Place:
    """Where one subnet or network is on one of the fronts' planes.

    Attributes:
        key, label: of the series.
        x, y: its values.
        on_front: whether nothing beats it there.
        beaten_by: how many beat it there.
        behind: how much better the front is at no higher cost, in y's unit; 0 for a member, None where no member
            costs as little.
    """

    key: str
    label: str
    x: float
    y: float
    on_front: bool
    beaten_by: int
    behind: float | None


def places(view: SeveralFronts, identity: str, *, key: str = "") -> list[Place]:
    """Where a subnet or network is, in every series that has it.

    Args:
        view: the fronts.
        identity: its id.
        key: of the series it was picked in; the others are looked at only where ids are matched.
    """
    found = []
    for series in view.series:
        at = np.flatnonzero(series.ids == identity)
        if len(at) and (view.matched or series.key == key) and np.isfinite(series.values[at[0]]).all():
            found.append(_place(series, int(at[0])))
    return found


def _place(series: FrontSeries, at: int) -> Place:
    signs = np.array([-1.0 if goal.maximize else 1.0 for goal in (series.x, series.y)])
    costs, here = series.values * signs, series.values[at] * signs
    with np.errstate(invalid="ignore"):
        beats = (costs <= here).all(axis=1) & (costs < here).any(axis=1)
    front = costs[series.members]
    as_cheap = front[front[:, 0] <= here[0]]
    behind = float(max(here[1] - as_cheap[:, 1].min(), 0.0)) if len(as_cheap) else None
    x, y = series.values[at].tolist()
    on_front = bool((series.members == at).any())
    return Place(series.key, series.label, x, y, on_front, int(beats.sum()), behind)


def place_rows(view: SeveralFronts, found: Sequence[Place]) -> list[dict[str, str]]:
    """The places as a table for a person."""
    goals = {series.key: (series.x, series.y) for series in view.series}
    rows = []
    for each in found:
        x, y = goals[each.key]
        others = f"beaten by {format_count(each.beaten_by)}"
        behind = "nothing is as cheap" if each.behind is None else format_value(each.behind, y, signed=True)
        rows.append(
            {
                "front": each.label,
                "horizontal": f"{x.label} {format_value(each.x, x)}",
                "vertical": f"{y.label} {format_value(each.y, y)}",
                "there": "on the front" if each.on_front else others,
                "the front offers, at no higher cost": "nothing better" if each.on_front else behind,
            }
        )
    return rows


@dataclass(frozen=True)
class Agreement:
    """How alike two series order the same subnets.

    Attributes:
        one, other: labels of the series.
        what: which values were ordered.
        n: subnets with a value in both.
        spearman, kendall: rank correlations (Kendall's tau-b); None for fewer than two, or where one is constant.
        shared: members of both fronts.
        members: members of the front of `one`.
    """

    one: str
    other: str
    what: str
    n: int
    spearman: float | None
    kendall: float | None
    shared: int
    members: int


def agreements(view: SeveralFronts, *, most: int | None = None) -> list[Agreement]:
    """Rank correlations of every two series, by the axis in which they differ; none where ids are not matched.

    Args:
        view: the fronts.
        most: rows that are ordered; of more, evenly chosen ones.
    """
    if not view.matched:
        return []
    found = []
    for one, other in combinations(view.series, 2):
        here, there = _matched(one.ids, other.ids)
        if not len(here):
            continue
        # Across where the objectives differ there, else up: the values that are not the same anyway.
        axis = 0 if one.x.name != other.x.name else 1
        a, b = one.values[here, axis], other.values[there, axis]
        known = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
        if most is not None and len(known) > most:
            known = known[np.linspace(0, len(known) - 1, most).astype(int)]
        shared = len(set(one.ids[one.members]) & set(other.ids[other.members]))
        what = "cost" if axis == 0 else within_sentence(one.y.label)
        found.append(
            Agreement(
                one=one.label,
                other=other.label,
                what=what,
                n=len(known),
                spearman=spearman(a[known], b[known]),
                kendall=kendall(a[known], b[known]),
                shared=shared,
                members=len(one.members),
            )
        )
    return found


def _matched(
    one: NDArray[np.object_], other: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the same ids in both."""
    if len(one) == len(other) and bool((one == other).all()):
        everywhere = np.arange(len(one))
        return everywhere, everywhere
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return here, there


def agreement_rows(found: Sequence[Agreement]) -> list[dict[str, str]]:
    """The correlations as a table for a person."""

    def text(value: float | None) -> str:
        return "not defined" if value is None else f"{value:.3f}"

    return [
        {
            "fronts": f"{each.one} / {each.other}",
            "ordered by": each.what,
            "Spearman": text(each.spearman),
            "Kendall": text(each.kendall),
            "n": format_count(each.n),
            "members shared": f"{each.shared} of {each.members}",
        }
        for each in found
    ]
