"""The front for a paper: every subnet as a dot, the front as a step line, picked subnets marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from core.library.evaluations import standing
from core.papers.base import Layout, PaperFigure, dots, draw, label
from core.plots import style
from core.records import Objective

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_HEIGHT = {"one": 62.0, "two": 92.0}
_MARKS = "sDv^P*X<>p"


def front_paper(
    table: pd.DataFrame,
    x: Objective,
    y: Objective,
    layout: Layout,
    *,
    caption: str,
    title: str = "Front",
    log_x: bool = False,
    log_y: bool = False,
    marked: Mapping[str, str] | None = None,
    one: str = "subnet",
) -> PaperFigure:
    """Draw the front.

    Args:
        table: one row per subnet; columns `arch_id`, `on_front` and one per objective in its stored unit.
        x, y: objectives of the axes.
        layout: width and format.
        caption: what was measured.
        title: of the file.
        log_x, log_y: logarithmic axes.
        marked: arch_id -> name of subnets with a mark of their own.
        one: what a row is.
    """

    def paint(axes: Axes) -> str:
        across, up = (table[g.name].to_numpy(float) * style.scale(g).factor for g in (x, y))
        keep = np.isfinite(across) & np.isfinite(up)
        keep &= (across > 0 if log_x else True) & (up > 0 if log_y else True)
        front = keep & table["on_front"].to_numpy(bool)
        _axes(axes, x, y, across[keep], up[keep], log_x, log_y)
        stands = standing(table, (x.name, y.name))
        guessed = keep & ~stands
        if guessed.any():
            dots(axes, across[guessed], up[guessed], color=style.DOMINATED, size=1.1, alpha=0.2)
        known = keep & stands
        there, drawn = dots(axes, across[known], up[known], color=style.DOMINATED, size=1.1, alpha=0.55)
        order = np.argsort(across[front], kind="stable")
        axes.plot(
            across[front][order],
            up[front][order],
            color=style.FRONT,
            marker="o",
            markersize=2.4,
            drawstyle="steps-pre" if x.maximize else "steps-post",
            label=f"front ({int(front.sum()):,} {one}s)",
        )
        _mark(axes, table, across, up, marked or {})
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.0)
        pale = (
            f"Pale dots are predicted ({int(guessed.sum()):,} {one}s) and stand on no front."
            if guessed.any()
            else ""
        )
        if there == drawn:
            return pale
        once = f"Dots that would lie on each other are drawn once ({drawn:,} dots for {there:,} {one}s)."
        return f"{once} {pale}".strip()

    return draw(layout, _HEIGHT[layout.columns], title, caption, paint)


def _axes(
    axes: Axes,
    x: Objective,
    y: Objective,
    across: np.ndarray,
    up: np.ndarray,
    log_x: bool,
    log_y: bool,
) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator

    for values, log, set_scale, set_limits, set_label, axis, goal in (
        (across, log_x, axes.set_xscale, axes.set_xlim, axes.set_xlabel, axes.xaxis, x),
        (up, log_y, axes.set_yscale, axes.set_ylim, axes.set_ylabel, axes.yaxis, y),
    ):
        set_label(axis_label(goal))
        if not len(values):
            continue
        low, high = float(values.min()), float(values.max())
        if log:
            set_scale("log")
            set_limits(low / 1.15, high * 1.15)
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        else:
            room = 0.04 * (high - low) or 1.0
            set_limits(low - room, high + room)
        if goal.shown.prefixes:
            axis.set_major_formatter(EngFormatter(sep="\N{THIN SPACE}"))


def axis_label(goal: Objective) -> str:
    """The noun with the unit that is written on the axis."""
    unit = goal.shown.symbol or goal.unit
    return goal.label if unit in ("", goal.label) else f"{goal.label} ({unit})"


def _mark(
    axes: Axes, table: pd.DataFrame, across: np.ndarray, up: np.ndarray, marked: Mapping[str, str]
) -> None:
    ids = table["arch_id"].to_numpy(object)
    for number, (arch_id, name) in enumerate(marked.items()):
        rows = np.flatnonzero(ids == arch_id)
        if len(rows):
            axes.plot(
                across[rows[:1]],
                up[rows[:1]],
                linestyle="none",
                marker=_MARKS[number % len(_MARKS)],
                markersize=5,
                color=style.SELECTED,
                markeredgecolor="white",
                markeredgewidth=0.5,
                label=label(name),
            )
