"""The view of the Front page as a link: read without ever failing, written back without fuss.

Whatever stands in the address is a stranger's text. It is parsed, bounded and checked here; what
does not fit is left out, and the page shows its default instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.library.network_id import is_network_id
from core.objectives.base import OBJECTIVES, objective
from core.pareto import Constraint

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_BOUND = re.compile(r"([a-z_]{1,40})(>=|<=)([0-9.eE+-]{1,24})")
_LONGEST = 400
_FLAGS = {"0": False, "1": True}


@dataclass(frozen=True)
class View:
    """What the Front page shows.

    Attributes:
        supernet: its id, "" for the first.
        run: id of the search whose evaluations are shown, "" for the complete table.
        x, y: objective names, "" for the default.
        sid: arch_id of the selected subnet, "" for none.
        log_x, log_y: logarithmic axes; None decides by the values' range.
        constraints: bounds, one per objective.
        pruned: id of the network whose pruned networks are drawn beside the front, "" for none.
    """

    supernet: str = ""
    run: str = ""
    x: str = ""
    y: str = ""
    sid: str = ""
    log_x: bool | None = None
    log_y: bool | None = None
    constraints: tuple[Constraint, ...] = ()
    pruned: str = ""


def parse(params: Mapping[str, str | Sequence[str]]) -> View:
    """The view that query parameters describe; unreadable parts are left out."""
    known = set(OBJECTIVES.names())
    return View(
        supernet=_name(params, "supernet"),
        run=_name(params, "run"),
        x=name if (name := _name(params, "x")) in known else "",
        y=name if (name := _name(params, "y")) in known else "",
        sid=_name(params, "sid"),
        log_x=_FLAGS.get(_text(params, "logx")),
        log_y=_FLAGS.get(_text(params, "logy")),
        constraints=_constraints(_text(params, "limits"), known),
        pruned=text if is_network_id(text := _text(params, "pruned")) else "",
    )


def format_view(view: View) -> dict[str, str]:
    """The query parameters of a view; defaults are left out."""
    limits = []
    for constraint in view.constraints:
        if constraint.lower is not None:
            limits.append(f"{constraint.objective}>={constraint.lower:.6g}")
        if constraint.upper is not None:
            limits.append(f"{constraint.objective}<={constraint.upper:.6g}")
    values = {
        "supernet": view.supernet,
        "run": view.run,
        "x": view.x,
        "y": view.y,
        "logx": "" if view.log_x is None else str(int(view.log_x)),
        "logy": "" if view.log_y is None else str(int(view.log_y)),
        "limits": ";".join(limits),
        "pruned": view.pruned,
        "sid": view.sid,
    }
    return {key: value for key, value in values.items() if value}


def _text(params: Mapping[str, str | Sequence[str]], key: str) -> str:
    value = params.get(key, "")
    text = value if isinstance(value, str) else (str(value[-1]) if value else "")
    return text[:_LONGEST]


def _name(params: Mapping[str, str | Sequence[str]], key: str) -> str:
    text = _text(params, key)
    return text if _NAME.fullmatch(text) else ""


def _constraints(text: str, known: set[str]) -> tuple[Constraint, ...]:
    found: dict[str, Constraint] = {}
    for part in text.split(";")[:20]:
        match = _BOUND.fullmatch(part.strip())
        if not match or match[1] not in known:
            continue
        try:
            bound = float(match[3])
        except ValueError:
            continue
        # Only the sensible side of an objective has a slider.
        if math.isfinite(bound) and (match[2] == ">=") == objective(match[1]).maximize:
            at_least = match[2] == ">="
            found[match[1]] = Constraint(
                match[1], lower=bound if at_least else None, upper=None if at_least else bound
            )
    return tuple(found[name] for name in sorted(found))
