"""What the Front page shows, as its address states it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.objectives.base import choosable_names, is_objective, objective
from core.pareto import Constraint
from core.views.brushes import Brush, read_brushes, write_brushes
from core.views.memory import BATCHES, CACHES, CONTEXTS, PRECISIONS, USUAL
from pages.ui import resources
from pages.ui.address import FLAGS, NAME, matching, model_id, number, one_of, part, write_flag

_BOUND = re.compile(r"([A-Za-z0-9_.-]{1,120})(>=|<=)([0-9.eE+-]{1,24})")
_MOST_BOUNDS = 20
_MOST_FRONTS = 8
_FRONT_ID = matching(r"[A-Za-z0-9_.:-]{1,160}")

CLOSER = ("third", "context", "parallel", "importance", "several", "robustness")
"""Panels below the card, of which one at a time is open."""
BESIDE = ("objectives", "supernets", "pruned")
"""What several fronts in one chart may differ in."""


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


def _read_names(text: str) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(text.split(",")[:_MOST_FRONTS]))
    return names if all(_FRONT_ID(name) for name in names) else None


def _among(numbers: Sequence[int]) -> Callable[[str], int | None]:
    return lambda text: next((n for n in numbers if str(n) == text), None)


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
        context, batch, precision, cache: what a language model's memory is counted at.
        pruned: id of the network whose pruned networks are drawn beside the front, "" for none.
        sid: arch_id of the selected subnet, "" for none.
        closer: which panel below the card is open, "" for none; what follows is of the open one.
        third: name of the third objective.
        third_as: how it is drawn, "color" or "size".
        third_limit: where its slider stands, in its unit; None for no limit.
        pairs_of: objective whose pairs of choices are shown.
        lines: which subnets are lines of the parallel coordinates, "front" or "all".
        brushes: ranges on their axes.
        beside: what the fronts in one chart differ in, one of `BESIDE`.
        fronts: ids of those fronts.
        normalized: whether they are drawn in shares of their own largest values.
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
    context: int = part("context", _among(CONTEXTS), default=USUAL.context)
    batch: int = part("batch", _among(BATCHES), default=USUAL.batch)
    precision: str = part(
        "weights", one_of(lambda: tuple(PRECISIONS)), default=USUAL.precision, what="precision"
    )
    cache: str = part("cache", one_of(lambda: CACHES), default=USUAL.cache, what="precision of the KV cache")
    pruned: str = part("pruned", model_id, what="pruned network")
    sid: str = part("sid", NAME, what="subnet")
    closer: str = part("closer", one_of(lambda: CLOSER), what="panel")
    third: str = part("third", _objective, what="third objective", offers=_choosable)
    third_as: str = part("as", one_of(lambda: ("color", "size")), default="color")
    third_limit: float | None = part("third_limit", number, default=None, write="{:.6g}".format)
    pairs_of: str = part("pairs", _objective, what="objective", offers=_choosable)
    lines: str = part("lines", one_of(lambda: ("front", "all")), default="front")
    brushes: tuple[Brush, ...] = part("brush", read_brushes, default=(), write=write_brushes, what="range")
    beside: str = part("beside", one_of(lambda: BESIDE))
    fronts: tuple[str, ...] = part("fronts", _read_names, default=(), write=",".join, what="front")
    normalized: bool = part("normalized", FLAGS.get, default=False, write=write_flag, what="scale")

    def checked(self) -> View:
        return self

    def without_panel(self) -> View:
        """The same view with no panel open."""
        return replace(
            self,
            closer="",
            third="",
            third_as="color",
            third_limit=None,
            pairs_of="",
            lines="front",
            brushes=(),
            beside="",
            fronts=(),
            normalized=False,
        )
