"""Pareto tools: dominance, hypervolume, knees, constraints, attainment.

Every function takes a plain (n, m) array of objective values in their own units and says for each
objective whether larger is better. There is no default direction, because a forgotten one gives a
plausible wrong front. Inputs are never modified. The arithmetic is moocore's; what this package adds
is one treatment of NaN, infinity, duplicates and single objectives that holds everywhere:

- a row with a NaN is an unfinished measurement: never on a front, no volume, no knee;
- infinities order like numbers, so a front is right in their presence;
- copies of a point share its fate: all on the front, none with an exclusive contribution.
"""

from __future__ import annotations

from core.pareto.attainment import AttainmentSurfaces, attainment_surface, attainment_surfaces
from core.pareto.constraints import Constraint, satisfies, violations
from core.pareto.dominance import non_dominated, ranks
from core.pareto.knee import knee_by_distance, knee_by_utility
from core.pareto.volume import (
    exclusive_contributions,
    hypervolume,
    hypervolume_over_time,
    reference_point,
)

__all__ = [
    "AttainmentSurfaces",
    "Constraint",
    "attainment_surface",
    "attainment_surfaces",
    "exclusive_contributions",
    "hypervolume",
    "hypervolume_over_time",
    "knee_by_distance",
    "knee_by_utility",
    "non_dominated",
    "ranks",
    "reference_point",
    "satisfies",
    "violations",
]
