"""Bounds on objectives: "at least 95 % accuracy and at most 2 ms".

A constraint is data (it goes into links and stored runs), so it is a frozen record; whether a row
meets it is one comparison per row. A value that is missing (NaN) meets no constraint: nobody
knows whether that architecture would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput


@dataclass(frozen=True)
class Constraint:
    """A closed interval that one objective must lie in.

    Attributes:
        objective: column name.
        lower: smallest allowed value in the objective's unit, or None for no bound.
        upper: largest allowed value in the objective's unit, or None for no bound.

    Raises:
        InvalidInput: a bound is NaN, or the lower one is above the upper one.
    """

    objective: str
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        for bound in (self.lower, self.upper):
            if bound is not None and math.isnan(bound):
                raise InvalidInput(f"A bound on {self.objective} is not a number; leave it out instead.")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise InvalidInput(
                f"No value of {self.objective} is at least {self.lower:g} and at most {self.upper:g}; "
                "swap or widen the bounds."
            )


def satisfies(table: Mapping[str, ArrayLike], constraints: Iterable[Constraint]) -> NDArray[np.bool_]:
    """Mark the rows that meet every constraint.

    Args:
        table: column name to (n,) values, each in its objective's unit; a pandas DataFrame works
            too. Is not modified.
        constraints: what must hold together; bounds belong to the allowed interval. With none,
            every row is marked.

    Returns:
        (n,) boolean array. A NaN in a constrained column is never marked, even without bounds.

    Raises:
        InvalidInput: a constraint names a column that the table does not have, or columns that
            are needed differ in length.

    Example:
        >>> satisfies({"accuracy": [0.9, 0.8]}, [Constraint("accuracy", lower=0.85)])
        array([ True, False])
    """
    names = list(table)
    n_rows = len(np.asarray(table[names[0]])) if names else 0
    allowed = np.ones(n_rows, dtype=bool)
    for constraint in constraints:
        if constraint.objective not in names:
            known = ", ".join(names) or "none"
            raise InvalidInput(f"No column '{constraint.objective}' to constrain. Columns: {known}.")
        values = np.asarray(table[constraint.objective], dtype=float)
        if values.shape != allowed.shape:
            raise InvalidInput(
                f"Column '{constraint.objective}' has shape {values.shape}, expected {allowed.shape}."
            )
        allowed &= ~np.isnan(values)
        if constraint.lower is not None:
            allowed &= values >= constraint.lower
        if constraint.upper is not None:
            allowed &= values <= constraint.upper
    return allowed


def violations(table: Mapping[str, ArrayLike], constraints: Iterable[Constraint]) -> NDArray[np.float64]:
    """How far each row is from meeting the constraints.

    Args:
        table: as in `satisfies`; a column that it lacks counts as unknown everywhere.
        constraints: what must hold together.

    Returns:
        (n,) sums over the constraints of the distance to the allowed interval, in parts of the violated bound's
        magnitude (of 1 where the bound is 0). 0 exactly where `satisfies` marks the row; infinite where a value is
        missing.

    Source:
        The order of infeasible solutions in constrained dominance: Deb et al., "A fast and elitist multiobjective
        genetic algorithm: NSGA-II", 2002, section VI.
    """
    names = list(table)
    total = np.zeros(len(np.asarray(table[names[0]])) if names else 0)
    for constraint in constraints:
        known = constraint.objective in names
        values = np.asarray(
            table[constraint.objective] if known else np.full(len(total), np.nan), dtype=float
        )
        for bound, sign in ((constraint.lower, 1.0), (constraint.upper, -1.0)):
            if bound is not None:
                missing = np.maximum(sign * (bound - values), 0.0) / (abs(bound) or 1.0)
                # A distance too small for a float is a distance.
                total += np.where(sign * (bound - values) > 0, np.maximum(missing, np.finfo(float).tiny), 0.0)
        total[np.isnan(values)] = np.inf
    return total
