"""Several fronts in numbers: how much each dominates against one reference point, and their members as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pareto import hypervolume
from core.views.several_fronts import SeveralFronts
from core.words import format_count, format_share

_MARGIN = 0.1
"""How far beyond the worst member the reference point stands, as a share of the range."""


@dataclass(frozen=True)
class Volume:
    """How much a front dominates.

    Attributes:
        label: of the series.
        members: on its front.
        n: subnets or rows it was chosen from.
        hypervolume: against the reference of all series, in the product of the units.
        share: of the largest.
    """

    label: str
    members: int
    n: int
    hypervolume: float
    share: float


def volumes(view: SeveralFronts) -> list[Volume]:
    """The hypervolume of each front against one reference point, taken from all that is drawn; none where the fronts
    have different objectives."""
    goals = {(series.x, series.y) for series in view.series}
    if len(goals) != 1 or len(view.series) < 2:
        return []
    [(x, y)] = goals
    maximize = [x.maximize, y.maximize]
    fronts = np.concatenate([series.values[series.members] for series in view.series])
    if not len(fronts):
        return []
    corner = _corner(fronts, maximize)
    found = [hypervolume(series.values[series.members], corner, maximize=maximize) for series in view.series]
    most = max(found) or 1.0
    return [
        Volume(s.label, len(s.members), int(np.isfinite(s.values).all(axis=1).sum()), volume, volume / most)
        for s, volume in zip(view.series, found, strict=True)
    ]


def _corner(fronts: NDArray[np.float64], maximize: Sequence[bool]) -> NDArray[np.float64]:
    """The worst of all members, a little further out: every one of them counts."""
    signs = np.where(maximize, -1.0, 1.0)
    costs = fronts * signs
    worst, spread = costs.max(axis=0), np.ptp(costs, axis=0)
    spread = np.where(spread > 0, spread, np.where(worst != 0, np.abs(worst), 1.0))
    corner: NDArray[np.float64] = (worst + _MARGIN * spread) * signs
    return corner


def volume_rows(found: Sequence[Volume]) -> list[dict[str, str]]:
    """The hypervolumes as a table for a person."""
    return [
        {
            "front": each.label,
            "members": format_count(each.members),
            "of": format_count(each.n),
            "hypervolume": f"{each.hypervolume:.4g}",
            "of the largest": format_share(each.share, 1),
        }
        for each in found
    ]


def member_rows(view: SeveralFronts, what: str) -> list[dict[str, str | float]]:
    """The members of all fronts as rows of a file: front, id, and the values of both axes under the objectives' names.

    Args:
        view: the fronts.
        what: the column of ids.
    """
    columns = list(dict.fromkeys(goal.name for s in view.series for goal in (s.x, s.y)))
    rows: list[dict[str, str | float]] = []
    for series in view.series:
        for at in series.members.tolist():
            x, y = series.values[at].tolist()
            known = {series.x.name: x, series.y.name: y}
            row: dict[str, str | float] = {"front": series.label, what: str(series.ids[at])}
            rows.append(row | {name: known.get(name, "") for name in columns})
    return rows
