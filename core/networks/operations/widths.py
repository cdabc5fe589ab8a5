"""How many units of a group a share of it is."""

from __future__ import annotations

_STEPS = ((64, 8), (32, 4), (12, 2))
"""From so many units on, counts go in steps of so many: fewer for small groups, so that these keep a choice too."""


def units_kept(units: int, share: float) -> int:
    """The nearest count to a share of a group, in steps of 8 from 64 units on, of 4 from 32, of 2 from 12, else of 1.

    Args:
        units: of the group.
        share: above 0, at most 1.
    """
    if share >= 1:
        return units
    step = next((by for least, by in _STEPS if units >= least), 1)
    return min(units, max(step, int(units * share / step + 0.5) * step))
