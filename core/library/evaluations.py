"""Measurements as a table, in memory and as CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.pareto import non_dominated
from core.records import Measurement, Objective
from core.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas as pd


def evaluations(
    space: SearchSpace, objectives: Sequence[Objective], measurements: Sequence[Measurement]
) -> pd.DataFrame:
    """One row per measurement, in the given order.

    Columns: `arch_id`, the objectives, `on_front` (among all rows), `source`.
    """
    import pandas as pd

    values = [[float(m.values.get(o.name, np.nan)) for o in objectives] for m in measurements]
    points = np.array(values, dtype=float).reshape(-1, len(objectives))
    columns = {o.name: points[:, index] for index, o in enumerate(objectives)}
    return pd.DataFrame(
        {
            "arch_id": np.array([space.arch_id(m.arch) for m in measurements], dtype=object),
            **columns,
            "on_front": non_dominated(points, maximize=[o.maximize for o in objectives]),
            "source": np.array([str(m.source) for m in measurements], dtype=object),
        }
    )


def as_csv(space: SearchSpace, table: pd.DataFrame) -> str:
    """A table of `evaluations` as CSV: `architecture` (a JSON object) instead of `arch_id`."""
    written = [json.dumps(space.to_dict(space.from_id(arch_id))) for arch_id in table["arch_id"]]
    shown = table.drop(columns="arch_id")
    shown.insert(0, "architecture", np.array(written, dtype=object))
    return str(shown.to_csv(index=False, lineterminator="\n"))
