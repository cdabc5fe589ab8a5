"""What of a link to the Front page there is, and a sentence for each thing that there is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import CoreError
from core.library.networks import describe
from core.library.supernets import SupernetEntry
from core.objectives.base import is_objective, objective
from core.records import Objective
from pages.ui import captions, resources
from pages.ui.address import missing
from pages.ui.front.view import View

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_ONLY = (
    "This link chooses by {label}, which was left out: test values are shown on the card and in tables, and "
    "nothing is chosen by them."
)


def keep(view: View) -> tuple[View, list[str]]:
    """The view without what is not here or is never chosen for."""
    found = resources.entries()
    by_id = {entry.supernet_id: entry for entry in found}
    said: list[str] = []
    if view.supernet and view.supernet not in by_id:
        said.append(missing("supernet", view.supernet, [entry.title for entry in found]))
        # Axes and limits may still fit; what else the link names is of that supernet.
        view = replace(view, supernet="", run="", pruned="", sid="")
    if not found:
        return view, said
    entry = by_id[view.supernet] if view.supernet else found[0]
    if view.run and view.run not in (searches := captions.searches(entry)):
        said.append(missing("search", view.run, list(searches.values())))
        view = replace(view, run="", sid="")
    if view.pruned:
        try:
            describe(resources.store_or_none(), view.pruned)
        except CoreError as error:
            said.append(f"This link asks for pruned networks that are not here. {error}")
            view = replace(view, pruned="")
    try:
        table = captions.read_table(entry, view.run)[2]
    except CoreError:  # said where the table is shown
        table = None
    return (view, said) if table is None or table.empty else _measured(view, entry, table, said)


def _measured(
    view: View, entry: SupernetEntry, table: pd.DataFrame, said: list[str]
) -> tuple[View, list[str]]:
    """What the table has of the subnet, the axes and the limits."""
    goals = [goal for goal in captions.measured_objectives(table) if goal.for_choosing]
    labels = [goal.label for goal in goals]
    names = {goal.name for goal in goals}

    def there(name: str, what: str) -> bool:
        if name in names:
            return True
        goal = objective(name)
        sentence = missing(what, goal.label, labels) if goal.for_choosing else _shown_only(goal)
        said.extend([] if sentence in said else [sentence])
        return False

    refused = [axis for axis, name in (("x", view.x), ("y", view.y)) if name and not there(name, "axis")]
    view = replace(view, **dict.fromkeys(refused, ""))  # type: ignore[arg-type]
    limits = tuple(limit for limit in view.constraints if there(limit.objective, "limit on"))
    if view.sid and view.sid not in resources.rows(captions.read_table(entry, view.run)[1], table):
        said.append(f"{missing('subnet', view.sid)} The knee of the front is shown.")
        view = replace(view, sid="")
    return _panel(replace(view, constraints=limits), entry, there, said), said


def _panel(view: View, entry: SupernetEntry, there: Callable[[str, str], bool], said: list[str]) -> View:
    """What there is of the panel that is open."""
    if view.third and not there(view.third, "third objective"):
        view = replace(view, third="", third_limit=None)
    elif view.third and view.third in (view.x, view.y):
        said.append(f"{objective(view.third).label} is on an axis in this link, so it is no third objective.")
        view = replace(view, third="", third_limit=None)
    if view.pairs_of and not there(view.pairs_of, "objective"):
        view = replace(view, pairs_of="")
    brushes = tuple(b for b in view.brushes if _has_axis(b.name, entry, there, said))
    fronts = tuple(each for each in view.fronts if _is_front(view.beside, each, there, said))
    return replace(view, brushes=brushes, fronts=fronts)


def _has_axis(name: str, entry: SupernetEntry, there: Callable[[str, str], bool], said: list[str]) -> bool:
    if name in entry.space.names:
        return True
    if is_objective(name):
        return there(name, "range on")
    said.append(missing("range on", name, entry.space.names))
    return False


def _is_front(beside: str, name: str, there: Callable[[str, str], bool], said: list[str]) -> bool:
    if beside in ("", "objectives"):
        if is_objective(name):
            return there(name, "front by")
        said.append(missing("front by", name))
        return False
    if beside == "supernets":
        titles = {each.supernet_id: each.title for each in resources.entries()}
        if name not in titles:
            said.append(missing("front of", name, list(titles.values())))
        return name in titles
    try:
        describe(resources.store_or_none(), name)
    except CoreError as error:
        said.append(f"This link asks for the fronts of a network that is not here. {error}")
        return False
    return True


def _shown_only(goal: Objective) -> str:
    return _SHOWN_ONLY.format(label=goal.label)
