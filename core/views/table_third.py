"""A third objective of an imported table: computed over all rows, drawn as what can be on a front and a sample of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.library.imported_tables import TableRows
from core.pareto import Constraint, non_dominated, satisfies
from core.records import Objective
from core.views.table_front import drawn_rows
from core.views.third_objective import LimitedFronts, limited_fronts

if TYPE_CHECKING:
    import pandas as pd

MOST_WHOLE = 50_000
"""Rows up to which none is left to a sample."""


@dataclass(frozen=True, eq=False)
class ThirdFronts:
    """The fronts under limits on a third objective.

    Attributes:
        table: the rows they were made of, as figures take them.
        fronts: under every limit.
        sampled: whether the table has more rows than these.
    """

    table: pd.DataFrame
    fronts: LimitedFronts
    sampled: bool


def third_fronts(
    rows: TableRows, x: Objective, y: Objective, third: Objective, limits: Sequence[Constraint] = ()
) -> ThirdFronts:
    """The fronts of two objectives under every limit on a third.

    Raises:
        InvalidInput: not three different objectives, or no row has values of all three.
    """
    goals = (x, y, third)
    points = rows.standing([goal.name for goal in goals])
    if limits:
        points[~satisfies(rows.values, limits)] = np.nan
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    sampled = len(known) > MOST_WHOLE
    if sampled:
        # Whatever is on a front under any limit is on the front of all three.
        members = np.flatnonzero(non_dominated(points, maximize=[goal.maximize for goal in goals]))
        known = np.union1d(members, known[np.linspace(0, len(known) - 1, MOST_WHOLE).astype(np.int64)])
    table = drawn_rows(rows, known, known[:0])
    return ThirdFronts(table, limited_fronts(table, goals), sampled)
