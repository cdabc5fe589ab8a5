"""The Front page's view and the selected subnet."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.objectives.base import OBJECTIVES, objective
from core.pareto import Constraint
from pages.ui.address import FLAGS, NAME, PageAddress, model_id, one_of, part, write_flag
from pages.ui.selection import Selection

_BOUND = re.compile(r"([a-z_]{1,40})(>=|<=)([0-9.eE+-]{1,24})")
_MOST_BOUNDS = 20
WIDGETS = ("axis-", "log-", "limit-", "pick-")

selection: Selection[str] = Selection("sel_id", "seed_id", "")


def _read_limits(text: str) -> tuple[Constraint, ...]:
    known, found = set(OBJECTIVES.names()), dict[str, Constraint]()
    for bound in text.split(";")[:_MOST_BOUNDS]:
        match = _BOUND.fullmatch(bound.strip())
        if not match or match[1] not in known:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        at_least = match[2] == ">="
        # Only the sensible side of an objective has a slider.
        if math.isfinite(value) and at_least == objective(match[1]).maximize:
            found[match[1]] = Constraint(
                match[1], lower=value if at_least else None, upper=None if at_least else value
            )
    return tuple(found[name] for name in sorted(found))


def _write_limits(limits: Sequence[Constraint]) -> str:
    bounds = []
    for limit in limits:
        if limit.lower is not None:
            bounds.append(f"{limit.objective}>={limit.lower:.6g}")
        if limit.upper is not None:
            bounds.append(f"{limit.objective}<={limit.upper:.6g}")
    return ";".join(bounds)


@dataclass(frozen=True)
class View:
    """What the Front page shows.

    Attributes:
        supernet: its id, "" for the first.
        run: id of the search whose evaluations are shown, "" for the complete table.
        x, y: objective names, "" for the default.
        log_x, log_y: logarithmic axes; None decides by the values' range.
        constraints: bounds, one per objective.
        pruned: id of the network whose pruned networks are drawn beside the front, "" for none.
        sid: arch_id of the selected subnet, "" for none.
    """

    supernet: str = part("supernet", NAME)
    run: str = part("run", NAME)
    x: str = part("x", one_of(OBJECTIVES.names))
    y: str = part("y", one_of(OBJECTIVES.names))
    log_x: bool | None = part("logx", FLAGS.get, default=None, write=write_flag)
    log_y: bool | None = part("logy", FLAGS.get, default=None, write=write_flag)
    constraints: tuple[Constraint, ...] = part("limits", _read_limits, default=(), write=_write_limits)
    pruned: str = part("pruned", model_id)
    sid: str = part("sid", NAME)

    def checked(self) -> View:
        return self


_ADDRESS = PageAddress(View, key="view", widgets=WIDGETS, on_arrival=lambda view: selection.select(view.sid))


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def current_supernet() -> str:
    """Id of the supernet that the Front page shows, "" for the first."""
    return _ADDRESS.kept().supernet


def show_supernet(supernet_id: str) -> None:
    """Start over with another supernet."""
    _ADDRESS.start_over(View(supernet=supernet_id))
    selection.select("")


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    return _ADDRESS.publish(replace(view, sid=selected()))


def selected() -> str:
    """`arch_id` of the selected subnet, "" for none."""
    return selection.now()


def select(arch_id: str) -> None:
    """Select from anywhere but the chart: the chart appears anew with this subnet highlighted."""
    selection.select(arch_id)


def seed() -> str:
    """`arch_id` that the chart highlights when it appears."""
    return selection.seed()
