"""The Front page's view over a session, and the selected subnet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.pareto import Constraint
from pages.ui import history
from pages.ui.address import PageAddress
from pages.ui.front import arriving
from pages.ui.front.view import View
from pages.ui.selection import Selection
from pages.ui.state import forget_widgets

WIDGETS = ("axis-", "log-", "limit-", "memory-", "pick-", "closer-")

selection: Selection[str] = Selection("sel_id", "seed_id", "")

third_limit: Selection[float | None] = Selection("third-limit", "third-limit-seed", None)
"""Where the slider of the third objective was when a point was clicked; the chart alone knows where it is now."""


def _arrived(view: View) -> None:
    selection.select(view.sid)
    third_limit.select(view.third_limit)


_ADDRESS = PageAddress(View, key="view", widgets=WIDGETS, on_arrival=_arrived, keep=arriving.keep)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def kept_view() -> View:
    """What the page has shown last, selections and open panels included."""
    return _ADDRESS.kept()


def limit_to(limits: Sequence[Constraint]) -> None:
    """Set limits, besides those on other objectives; the page must run again."""
    view = _ADDRESS.kept()
    new = {limit.objective for limit in limits}
    others = (limit for limit in view.constraints if limit.objective not in new)
    history.picked()
    forget_widgets("limit-")
    _ADDRESS.keep(replace(view, constraints=tuple(sorted([*others, *limits], key=lambda c: c.objective))))


def set_context(context: int) -> None:
    """Count memory at another context; the page must run again."""
    history.picked()
    _ADDRESS.keep(replace(_ADDRESS.kept(), context=context))


def current_supernet() -> str:
    """Id of the supernet that the Front page shows, "" for the first."""
    return _ADDRESS.kept().supernet


def show_supernet(supernet_id: str) -> None:
    """Start over with another supernet; the panel that is open stays open."""
    _ADDRESS.start_over(View(supernet=supernet_id, closer=_ADDRESS.kept().closer))
    third_limit.select(None)
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
