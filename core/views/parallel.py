"""Subnets as lines over all objectives and choices, and which of them pass through ranges on the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.pareto import Constraint
from core.records import Objective
from core.spaces import Choice, SearchSpace
from core.views.brushes import Brush
from core.views.regions import Region
from core.words import format_value

if TYPE_CHECKING:
    import pandas as pd

ABSENT = -0.12
"""Height at which lines pass an axis whose choice does not matter to them."""
_WIDE = 20.0
_TICKS = 4


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: an objective or a choice.

    Attributes:
        name: of the objective or choice.
        label: what a person reads.
        objective: None for a choice.
        low, high: ends of an objective's values; first and last option index of a choice.
        logarithmic: whether an objective's values stand in a logarithmic order.
        ticks: (height, text), ascending.
        values: (n,) of the table's rows, as `Brush` states them; NaN where there is none.
        heights: (n,) where the rows' lines pass, 0 to 1, better objectives higher; `ABSENT` where a choice does not matter.
    """

    name: str
    label: str
    objective: Objective | None
    low: float
    high: float
    logarithmic: bool
    ticks: tuple[tuple[float, str], ...]
    values: NDArray[np.float64]
    heights: NDArray[np.float64]

    def range_between(self, bottom: float, top: float) -> Brush | None:
        """The range between two heights; of a choice, the options within, None where there is none."""
        if self.objective is None:
            inside = self.values[(self.heights >= bottom) & (self.heights <= top)]
            return Brush(self.name, float(inside.min()), float(inside.max())) if len(inside) else None
        ends = sorted(self._value(min(max(height, 0.0), 1.0)) for height in (bottom, top))
        return Brush(self.name, ends[0], ends[1]) if top >= 0 and bottom <= 1 else None

    def heights_of(self, brush: Brush) -> tuple[float, float]:
        """(bottom, top) of a range on this axis."""
        if self.objective is None:
            last = max(self.high, 1.0)
            low, high = (ABSENT if value < 0 else value / last for value in (brush.low, brush.high))
            return low - 0.04, high + 0.04
        low, high = sorted(
            self._height(min(max(value, self.low), self.high)) for value in (brush.low, brush.high)
        )
        return low, high

    def _height(self, value: float) -> float:
        assert self.objective is not None
        return float(
            _heights(np.array([value]), self.low, self.high, self.logarithmic, self.objective.maximize)[0]
        )

    def _value(self, height: float) -> float:
        assert self.objective is not None
        share = height if self.objective.maximize else 1 - height
        if self.logarithmic:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Matches:
    """The subnets whose lines pass through all ranges.

    Attributes:
        ids: the front's members first.
        members: how many of them are on the front.
    """

    ids: tuple[str, ...]
    members: int


@dataclass(frozen=True, eq=False)
class Parallel:
    """The axes with the lines.

    Attributes:
        axes: objectives first, then choices, those left out on which all subnets agree.
        ids: arch_id of each row.
        on_front: (n,) whether it is on the front.
    """

    axes: tuple[Axis, ...]
    ids: NDArray[np.object_]
    on_front: NDArray[np.bool_]

    def axis(self, name: str) -> Axis | None:
        return next((axis for axis in self.axes if axis.name == name), None)

    def matching(self, brushes: Sequence[Brush]) -> NDArray[np.bool_]:
        """(n,) whether the row's line passes through all ranges."""
        found = np.ones(len(self.ids), bool)
        for brush in brushes:
            axis = self.axis(brush.name)
            if axis is not None:
                found &= (axis.values >= brush.low) & (axis.values <= brush.high)
        return found

    def matches(self, brushes: Sequence[Brush]) -> Matches:
        """`matching` as ids."""
        within = self.matching(brushes)
        members, others = self.ids[within & self.on_front], self.ids[within & ~self.on_front]
        return Matches((*members, *others), len(members))

    def limits(self, brushes: Sequence[Brush]) -> tuple[Constraint, ...]:
        """The ranges of objectives as limits on the side that is not better anyway."""
        found = []
        for brush in brushes:
            goal = axis.objective if (axis := self.axis(brush.name)) else None
            if goal is not None:
                found.append(
                    Constraint(goal.name, lower=brush.low)
                    if goal.maximize
                    else Constraint(goal.name, upper=brush.high)
                )
        return tuple(found)

    def brushed(self, brushes: Sequence[Brush], regions: Sequence[Region]) -> tuple[Brush, ...]:
        """The ranges after boxes were drawn: each box sets the range of the axes it crosses, or of the nearest one."""
        found = {brush.name: brush for brush in brushes}
        for region in regions:
            left, right, bottom, top = min(region.x), max(region.x), min(region.y), max(region.y)
            crossed = [k for k in range(len(self.axes)) if left <= k <= right]
            nearest = min(max(round((left + right) / 2), 0), len(self.axes) - 1)
            for k in crossed or [nearest]:
                if (brush := self.axes[k].range_between(bottom, top)) is not None:
                    found[brush.name] = brush
        return tuple(found[name] for name in sorted(found))

    def told(self, brush: Brush) -> str:
        """A range in words: "Accuracy 95.0 % to 97.2 %"."""
        axis = self.axis(brush.name)
        if axis is None:
            return ""
        if axis.objective is not None:
            return f"{axis.label} {format_value(brush.low, axis.objective)} to {format_value(brush.high, axis.objective)}"
        low, high = (_option(axis, value) for value in (brush.low, brush.high))
        return f"{axis.label} {low}" if low == high else f"{axis.label} {low} to {high}"


def _option(axis: Axis, value: float) -> str:
    height, _ = axis.heights_of(Brush(axis.name, value, value))
    return min(axis.ticks, key=lambda tick: abs(tick[0] - height - 0.04))[1]


def parallel(
    space: SearchSpace, table: pd.DataFrame, goals: Sequence[Objective], *, names: Sequence[str] = ()
) -> Parallel:
    """The lines of a table's rows.

    Args:
        space: of the subnets.
        table: rows with `arch_id`, `on_front` and a column per objective.
        goals: objectives, in the order of their axes.
        names: choices, in the order of their axes; all of them if left out.
    """
    rows = space.from_ids(table["arch_id"].tolist()) if len(table) else np.zeros((0, len(space)), np.uint8)
    active = space.active(rows)
    axes = [_of_objective(goal, table[goal.name].to_numpy(float)) for goal in goals]
    wanted = names or space.names
    for index, choice in enumerate(space.choices):
        if choice.name in wanted:
            axes.append(_of_choice(choice, np.where(active[:, index], rows[:, index].astype(float), -1.0)))
    return Parallel(
        tuple(axis for axis in axes if axis is not None),
        table["arch_id"].to_numpy(object),
        table["on_front"].to_numpy(bool),
    )


def _of_objective(goal: Objective, values: NDArray[np.float64]) -> Axis | None:
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() == finite.max():
        return None
    low, high = float(finite.min()), float(finite.max())
    logarithmic = not goal.maximize and low > 0 and high > _WIDE * low
    heights = _heights(values, low, high, logarithmic, goal.maximize)
    axis = Axis(
        name=goal.name,
        label=goal.label,
        objective=goal,
        low=low,
        high=high,
        logarithmic=logarithmic,
        ticks=(),
        values=values,
        heights=heights,
    )
    shares = np.linspace(0, 1, _TICKS).tolist()
    ticks = tuple((share, format_value(axis._value(share), goal)) for share in shares)
    return replace(axis, ticks=ticks)


def _heights(
    values: NDArray[np.float64], low: float, high: float, logarithmic: bool, maximize: bool
) -> NDArray[np.float64]:
    if logarithmic:
        share = (np.log(values) - math.log(low)) / (math.log(high) - math.log(low))
    else:
        share = (values - low) / (high - low)
    return share if maximize else 1 - share


def _of_choice(choice: Choice, values: NDArray[np.float64]) -> Axis | None:
    if not len(values) or values.min() == values.max():
        return None
    last = len(choice.options) - 1
    heights = np.where(values < 0, ABSENT, values / max(last, 1))
    ticks = [(k / max(last, 1), str(option)) for k, option in enumerate(choice.options)]
    if (values < 0).any():
        ticks = [(ABSENT, "not there"), *ticks]
    return Axis(
        name=choice.name,
        label=choice.name,
        objective=None,
        low=0.0,
        high=float(last),
        logarithmic=False,
        ticks=tuple(ticks),
        values=values,
        heights=heights,
    )
