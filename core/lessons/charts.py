"""What a lesson's one figure shows, as data: `core.plots.lessons` draws each kind, a screen reader is told `says`.

A lesson holds no drawing code and no colors: it says which points are special and why, and what lies between them. So
a test can ask of a figure whether it tells the answer before it is revealed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["plain", "front", "mine", "right", "wrong", "missed", "reference", "faint"]
"""What a mark stands for; shape and color follow from it, and every role that is drawn is named in the legend."""


@dataclass(frozen=True)
class Chart:
    """One figure.

    Attributes:
        x_title, y_title: axis texts, with the unit and the better direction.
        says: what is to be seen, in one or two sentences, for those who do not see it.
    """

    x_title: str = ""
    y_title: str = ""
    says: str = ""


@dataclass(frozen=True)
class Group:
    """Points of one role.

    Attributes:
        label: name in the legend.
        keys: of the points; what a click on one of them gives.
        x, y: where they are; NaN is not drawn.
        texts: what stands beside a point under the pointer; as many as there are points, or none.
        names: what always stands beside a point, a letter; as many as there are points, or none.
    """

    label: str
    role: Role
    keys: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line through places.

    Attributes:
        steps: drawn as stairs, as a front is.
        low, high: ends of a band around it; as many as places, or none.
        panel: which of the small multiples it is in; the titles of panels are the distinct ones, in order.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    role: Role = "plain"
    steps: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    panel: str = ""


@dataclass(frozen=True)
class Scatter(Chart):
    """Points in a plane, lines among them.

    Attributes:
        log_x: whether the horizontal axis is logarithmic.
        areas: corners of areas that are shaded: (label, x of the corners, y of the corners).
        bounds: straight lines across: (label, "x" or "y", where).
        markable: whether a click marks a point.
        quadrant: whether what a point under the pointer dominates is shaded: more is better upwards, less to the left.
    """

    groups: tuple[Group, ...] = ()
    lines: tuple[Line, ...] = ()
    areas: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = ()
    bounds: tuple[tuple[str, Literal["x", "y"], float], ...] = ()
    log_x: bool = False
    markable: bool = False
    quadrant: bool = False


@dataclass(frozen=True)
class Curves(Chart):
    """Lines with bands, in one panel or in small multiples that share their axes.

    Attributes:
        log_x: whether the horizontal axis is logarithmic.
        bounds: as of a `Scatter`.
    """

    lines: tuple[Line, ...] = ()
    log_x: bool = False
    bounds: tuple[tuple[str, Literal["x", "y"], float], ...] = ()


@dataclass(frozen=True)
class Bars(Chart):
    """Bars side by side.

    Attributes:
        names: of the places on the horizontal axis.
        series: label -> one value per place; NaN leaves a gap.
        low, high: ends of whiskers by series, where there are some.
        hidden: series whose bars are not revealed yet: their place is kept, their values are not in the figure.
    """

    names: tuple[str, ...] = ()
    series: dict[str, tuple[float, ...]] = field(default_factory=dict)
    low: dict[str, tuple[float, ...]] = field(default_factory=dict)
    high: dict[str, tuple[float, ...]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slopes(Chart):
    """Two columns of ranks, a line for each subnet from its rank on the left to that on the right; crossings are disorder.

    Attributes:
        left, right: titles of the columns.
        names: of the subnets.
        left_ranks, right_ranks: 1 is best; ties share the mean of their ranks; NaN on the right is not known yet.
    """

    left: str = ""
    right: str = ""
    names: tuple[str, ...] = ()
    left_ranks: tuple[float, ...] = ()
    right_ranks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Heat(Chart):
    """A matrix of numbers as colors.

    Attributes:
        values: rows of numbers, all of one length; NaN is empty.
        active: the same shape: which cells are in use; others are dimmed. Empty: all are.
        row_names, column_names: of the ticks; none: numbers are left out.
        unit: of a value under the pointer.
        diverging: whether colors are on both sides of zero.
    """

    values: tuple[tuple[float, ...], ...] = ()
    active: tuple[tuple[bool, ...], ...] = ()
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()
    unit: str = ""
    diverging: bool = False


@dataclass(frozen=True)
class Blocks(Chart):
    """The choices of a search space as columns of options, those allowed filled, and the numbers that follow.

    Attributes:
        names: of the choices.
        options: labels of the options of each.
        allowed: the same shape: which are left.
        counters: (label, number) that stand beside: how many subnets are left, how many were seen.
        curve: seen against drawn, where some were drawn; empty otherwise.
    """

    names: tuple[str, ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    allowed: tuple[tuple[bool, ...], ...] = ()
    counters: tuple[tuple[str, str], ...] = ()
    curve: tuple[Line, ...] = ()
