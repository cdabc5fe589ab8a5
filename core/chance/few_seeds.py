"""Whether two settings differ over the few seeds that a training can afford.

Six equal seeds and more are compared by the exact sign-flip test (`core.over_seeds`), which assumes nothing of how
the numbers are spread and cannot decide with fewer. Three to five are compared by Student's t of the paired
differences, which takes them as normal: each is a mean over many subnets and samples. Two have no verdict, since one
degree of freedom asks for differences 13 times their own error; one seed says nothing of chance.

Source: Student, "The probable error of a mean", Biometrika 1908; Holm 1979 where several pairs are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from core.over_seeds import FEWEST_PAIRS, Comparison, comparisons, exact_p, holm

FEWEST = 3


Values = Mapping[str, Mapping[int, float]]
"""Setting -> seed -> value."""


def compared(values: Values, *, grain: float = 0.0) -> list[Comparison]:
    """Every pair of settings over the seeds they share; p is NaN below three of them.

    Args:
        values: of each setting.
        grain: the step in which values come: differences are not known better, and equal ones not to the last bit.
    """
    return compared_all([values], grain=grain)[0]


def compared_all(questions: Sequence[Values], *, grain: float = 0.0) -> list[list[Comparison]]:
    """As `compared`, for several numbers of the same settings; p is corrected for all pairs of all of them."""
    found = [comparisons(values) for values in questions]
    raw = [
        _p(values[each.a], values[each.b], grain)
        for values, pairs in zip(questions, found, strict=True)
        for each in pairs
    ]
    # The exact p values come corrected within one number; here all pairs of all numbers are one family.
    corrected = iter(holm(raw))
    return [[replace(each, p=next(corrected)) for each in pairs] for pairs in found]


def paired_p(differences: ArrayLike, grain: float = 0.0) -> float:
    """Two-sided p of Student's t of three to five paired differences.

    Args:
        differences: (n,) finite.
        grain: see `compared`.

    Raises:
        ValueError: there are fewer or more.
    """
    given = np.asarray(differences, float)
    n, mean = len(given), float(given.mean()) if len(given) else 0.0
    if not FEWEST <= n < FEWEST_PAIRS:
        raise ValueError(f"Student's t is used for {FEWEST} to {FEWEST_PAIRS - 1} pairs, not {n}")
    # What is rounded to a grain is spread by this much without anything to see.
    error = max(float(given.std(ddof=1)), grain / math.sqrt(12)) / math.sqrt(n)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return _beyond(abs(mean) / error, n - 1)


def _p(left: Mapping[int, float], right: Mapping[int, float], grain: float) -> float:
    shared = [s for s in left if s in right and math.isfinite(left[s]) and math.isfinite(right[s])]
    differences = [left[s] - right[s] for s in shared]
    if len(differences) < FEWEST:
        return math.nan
    return exact_p(differences) if len(differences) >= FEWEST_PAIRS else paired_p(differences, grain)


def _beyond(t: float, df: int) -> float:
    """Two-sided tail of Student's t for 2, 3 or 4 degrees of freedom, in closed form."""
    if df == 2:
        return 1 - t / math.sqrt(2 + t * t)
    if df == 3:
        x = t / math.sqrt(3)
        return 1 - 2 / math.pi * (math.atan(x) + x / (1 + x * x))
    x = t / math.sqrt(4 + t * t)
    return 1 - 1.5 * (x - x**3 / 3)
