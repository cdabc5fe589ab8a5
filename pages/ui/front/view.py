"""What the Front page shows, as its address states it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.objectives.base import choosable_names, is_objective, objective
from core.pareto import Constraint
from pages.ui import resources
from pages.ui.address import FLAGS, NAME, model_id, part, write_flag

_BOUND = re.compile(r"([A-Za-z0-9_.-]{1,120})(>=|<=)([0-9.eE+-]{1,24})")
_MOST_BOUNDS = 20


def _read_limits(text: str) -> tuple[Constraint, ...]:
    read = (_read_limit(bound) for bound in text.split(";")[:_MOST_BOUNDS])
    found = {limit.objective: limit for limit in read if limit is not None}
    return tuple(found[name] for name in sorted(found))


def _no_limits(text: str) -> list[str]:
    bounds = text.split(";")
    return [b for b in bounds[:_MOST_BOUNDS] if b.strip() and _read_limit(b) is None] + bounds[_MOST_BOUNDS:]


def _read_limit(bound: str) -> Constraint | None:
    match = _BOUND.fullmatch(bound.strip())
    if not match or not is_objective(match[1]):
        return None
    try:
        value = float(match[3])
    except ValueError:
        return None
    at_least = match[2] == ">="
    # Only the sensible side of an objective has a slider.
    if not math.isfinite(value) or at_least != objective(match[1]).maximize:
        return None
    return Constraint(match[1], lower=value if at_least else None, upper=None if at_least else value)


def _objective(text: str) -> str | None:
    return text if is_objective(text) else None


def _choosable() -> list[str]:
    return [objective(name).label for name in choosable_names()]


def _supernets() -> list[str]:
    return [entry.title for entry in resources.entries()]


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

    supernet: str = part("supernet", NAME, offers=_supernets)
    run: str = part("run", NAME, what="search")
    x: str = part("x", _objective, what="axis", offers=_choosable)
    y: str = part("y", _objective, what="axis", offers=_choosable)
    log_x: bool | None = part("logx", FLAGS.get, default=None, write=write_flag, what="scale")
    log_y: bool | None = part("logy", FLAGS.get, default=None, write=write_flag, what="scale")
    constraints: tuple[Constraint, ...] = part(
        "limits", _read_limits, default=(), write=_write_limits, what="limit", refused=_no_limits
    )
    pruned: str = part("pruned", model_id, what="pruned network")
    sid: str = part("sid", NAME, what="subnet")

    def checked(self) -> View:
        return self
