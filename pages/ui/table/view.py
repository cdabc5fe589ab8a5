"""What the Tables page shows, as its address states it.

Columns are called what the file calls them, so lists of them are JSON in an address; what does not read back is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.library.foreign_tables.columns import LONGEST_NAME
from core.pareto import Constraint
from pages.ui.address import FLAGS, matching, number, one_of, part, write_flag

CLOSER = ("several", "third")
"""Panels below the card, of which one at a time is open."""
BESIDE = ("columns", "groups", "tables")
"""What several fronts in one chart may differ in."""
MOST_KEPT = 20
_MOST_LIMITS = 60
_MOST_FRONTS = 8
_ROW = matching(r"[1-9]\d{0,8}")


def _column(text: str) -> str | None:
    return text if len(text) <= LONGEST_NAME and text.isprintable() else None


def _read_limits(text: str) -> tuple[Constraint, ...] | None:
    try:
        found = {}
        for name, sign, value in json.loads(text)[:_MOST_LIMITS]:
            if _column(name) is None or sign not in (">=", "<=") or not math.isfinite(float(value)):
                return None
            bound = float(value)
            found[name] = Constraint(
                name, lower=bound if sign == ">=" else None, upper=None if sign == ">=" else bound
            )
    except (ValueError, TypeError, RecursionError, OverflowError, AttributeError):
        return None
    return tuple(found[name] for name in sorted(found))


def _write_limits(limits: Sequence[Constraint]) -> str:
    bounds = [
        [
            limit.objective,
            ">=" if limit.upper is None else "<=",
            limit.lower if limit.upper is None else limit.upper,
        ]
        for limit in limits
    ]
    return json.dumps(bounds, separators=(",", ":"), ensure_ascii=False)


def _read_names(text: str) -> tuple[str, ...] | None:
    try:
        names = json.loads(text)[:_MOST_FRONTS]
        return tuple(dict.fromkeys(names)) if all(_column(name) is not None for name in names) else None
    except (ValueError, TypeError, RecursionError, AttributeError):
        return None


def _write_names(names: Sequence[str]) -> str:
    return json.dumps(list(names), separators=(",", ":"), ensure_ascii=False)


def _read_rows(text: str) -> tuple[str, ...] | None:
    rows = tuple(dict.fromkeys(text.split(",")))[:MOST_KEPT]
    return rows if all(_ROW(row) for row in rows) else None


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes:
        table: id of the table, "" for the newest.
        x, y: columns of the axes, "" for the usual ones.
        log_x, log_y: logarithmic axes; None decides by the values' range.
        limits: bounds, one per objective.
        row: number of the selected row, "" for the knee.
        kept: numbers of the rows put side by side.
        closer: which panel below the card is open, "" for none; what follows is of the open one.
        third: column of the third objective.
        third_as: how it is drawn, "color" or "size".
        third_limit: where its slider stands; None for no limit.
        beside: what the fronts in one chart differ in, one of `BESIDE`.
        fronts: columns, groups or ids of tables.
        normalized: whether they are drawn in shares of their own largest values.
    """

    table: str = part("table", matching(r"[0-9a-f]{32}"))
    x: str = part("x", _column, what="axis")
    y: str = part("y", _column, what="axis")
    log_x: bool | None = part("logx", FLAGS.get, default=None, write=write_flag, what="scale")
    log_y: bool | None = part("logy", FLAGS.get, default=None, write=write_flag, what="scale")
    limits: tuple[Constraint, ...] = part(
        "limits", _read_limits, default=(), write=_write_limits, what="limit"
    )
    row: str = part("row", _ROW)
    kept: tuple[str, ...] = part("rows", _read_rows, default=(), write=",".join, what="row")
    closer: str = part("closer", one_of(lambda: CLOSER), what="panel")
    third: str = part("third", _column, what="third objective")
    third_as: str = part("as", one_of(lambda: ("color", "size")), default="color")
    third_limit: float | None = part("third_limit", number, default=None, write="{:.6g}".format)
    beside: str = part("beside", one_of(lambda: BESIDE))
    fronts: tuple[str, ...] = part("fronts", _read_names, default=(), write=_write_names, what="front")
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
            beside="",
            fronts=(),
            normalized=False,
        )
