"""What charts of a race have in common: the exact front behind, and the scale across."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.views.race import Race
from core.views.race_replay import Bounds, bounds
from pages.ui import resources

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DrawnPair:
    """The first two objectives of a race as axes.

    Attributes:
        bounds: least and most of each over all that was measured.
        log_x: whether the second one is drawn on a logarithmic axis.
    """

    bounds: Bounds
    log_x: bool


def drawn_pair(race: Race) -> DrawnPair:
    """The axes of a race."""
    found = bounds(race)
    return DrawnPair(found, not objective(race.names[1]).maximize and found[1][0] > 0)


def exact_points(entry: SupernetEntry, race: Race) -> NDArray[float64] | None:
    """(k, 2) the exact front in the two objectives drawn, under the limits of the race; None where it is not known."""
    names = race.names[:2]
    table = supernets.table_with_counts(entry)
    if table is None or not {*names, *(c.objective for c in race.limits)} <= set(table.columns):
        return None
    return resources.front(entry.revision, names, race.limits, table).members[list(names)].to_numpy(float)
