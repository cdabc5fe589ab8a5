"""The Tables page's view over a session: which table, which row, which rows are put side by side."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.library import kept_tables
from core.views.table_front import row_of
from pages.ui import resources
from pages.ui.address import PageAddress, missing
from pages.ui.selection import Selection
from pages.ui.table.view import MOST_KEPT, View

WIDGETS = ("tb-", "axis-tb-")
_KEPT = "table-kept"

selection: Selection[str] = Selection("table-row", "table-row-seed", "")
third_limit: Selection[float | None] = Selection("table-third", "table-third-seed", None)


def _arrived(view: View) -> None:
    selection.select(view.row)
    third_limit.select(view.third_limit)
    st.session_state[_KEPT] = view.kept


def _keep(view: View) -> tuple[View, list[str]]:
    """The view without what is not here, and a sentence for each such thing."""
    store = resources.store_or_none()
    tables = {table.table_id: table for table in store.tables.list()} if store else {}
    said: list[str] = []
    if view.table and view.table not in tables:
        said.append(missing("table", view.table, [table.name for table in tables.values()]))
        return View(), said
    if store is None or not tables:
        return view, said
    try:
        _, rows = kept_tables.opened(store, tables[view.table] if view.table else next(iter(tables.values())))
    except CoreError:  # said where the table is shown
        return view, said
    names = {goal.name for goal in rows.goals}
    for field, what in (("x", "axis"), ("y", "axis"), ("third", "third objective")):
        name = getattr(view, field)
        if name and name not in names:
            said.append(missing(what, name, sorted(names)))
            view = replace(view, **{field: ""})
    gone = [limit.objective for limit in view.limits if limit.objective not in names]
    said += [missing("limit on", name, sorted(names)) for name in gone]
    view = replace(view, limits=tuple(limit for limit in view.limits if limit.objective not in gone))
    if view.row and row_of(rows, view.row) is None:
        said.append(f"{missing('row', view.row)} The knee of the front is shown.")
        view = replace(view, row="")
    kept = tuple(row for row in view.kept if row_of(rows, row) is not None)
    said += [missing("row", row) for row in view.kept if row not in kept]
    return replace(view, kept=kept), said


_ADDRESS: PageAddress[View] = PageAddress(
    View, key="table-view", widgets=WIDGETS, on_arrival=_arrived, keep=_keep
)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def kept_view() -> View:
    """What the page has shown last."""
    return _ADDRESS.kept()


def show_table(table_id: str) -> None:
    """Start over with another table."""
    _ADDRESS.start_over(View(table=table_id))
    selection.select("")
    third_limit.select(None)
    st.session_state[_KEPT] = ()


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    return _ADDRESS.publish(replace(view, row=selected(), kept=kept_rows()))


def selected() -> str:
    """Number of the selected row, "" for none."""
    return selection.now()


def select(row: str) -> None:
    """Select from anywhere but the chart."""
    selection.select(row)


def kept_rows() -> tuple[str, ...]:
    """Numbers of the rows put side by side."""
    return tuple(st.session_state.get(_KEPT, ()))


def keep_row(row: str) -> None:
    """Put a row beside the others; the first of too many goes."""
    st.session_state[_KEPT] = tuple(dict.fromkeys([*kept_rows(), row]))[-MOST_KEPT:]


def drop_row(row: str) -> None:
    """Take a row away."""
    st.session_state[_KEPT] = tuple(each for each in kept_rows() if each != row)
