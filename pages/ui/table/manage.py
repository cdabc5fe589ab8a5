"""Which table: choose, rename, say anew what its columns mean, remove, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library import kept_tables
from core.library.imported_tables import TableRows
from core.library.table_mapping import ObjectiveColumn
from core.people import Action
from core.text import display_name, for_markdown
from core.words import format_bytes
from pages.ui import checked, state
from pages.ui.people import door
from pages.ui.table import mapping_form
from pages.ui.table import state as table_state
from pages.ui.table.import_form import attempt

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.imported import ImportedTable

_CHOOSER = "tb-table"
_REMOVED = "table-removed"


def choose(tables: list[ImportedTable], current: str) -> ImportedTable:
    """The table of this session, chosen in the sidebar; at least one must be there."""
    by_id = {table.table_id: table for table in tables}
    start = current if current in by_id else next(iter(by_id))
    if st.session_state.get(_CHOOSER) != start:
        st.session_state[_CHOOSER] = start
    chosen = st.sidebar.selectbox(
        "Table",
        list(by_id),
        format_func=lambda i: display_name(by_id[i].name),
        key=_CHOOSER,
        on_change=lambda: table_state.show_table(st.session_state.get(_CHOOSER, "")),
        help="Imported tables are kept with the runs; everybody who uses this home sees them.",
    )
    return by_id[str(chosen)]


def menu(store: RunStore, table: ImportedTable, rows: TableRows) -> None:
    """What can be done with the table."""
    with st.popover("Columns", icon=":material/settings:", key="tb-columns", on_change="rerun") as box:
        if box.open:
            _remap(store, table, rows)
    with st.popover("This table", icon=":material/edit:", key="tb-this", on_change="rerun") as box:
        if box.open:
            _rename(store, table)
            st.caption(
                f"{format_bytes(table.size)} are kept; of the file with SHA-256 {table.source_sha256[:16]}."
            )
            remove_button(store, table)


def _remap(store: RunStore, table: ImportedTable, rows: TableRows) -> None:
    about = kept_tables.TableAbout.decode(table.about)
    numbers = [
        name
        for name in about.columns
        if rows.frame[name].dtype.kind in "if" or any(goal.name == name for goal in rows.goals)
    ]
    guesses: dict[str, ObjectiveColumn] = {}
    with checked.form() as form:
        mapping = mapping_form.draw(
            f"tb-remap-{table.table_id[:8]}", about.columns, numbers, about.mapping, guesses
        )
    if form.start(
        "Save",
        key="tb-remap-save",
        type="primary",
        icon=":material/save:",
        action=Action.CHANGE,
        own=door.is_own(table.table_id),
    ):

        def saved() -> str:
            kept_tables.remap(store, table, mapping)
            table_state.show_table(table.table_id)
            return "What the columns mean was saved."

        attempt(saved)
        st.rerun()


def _rename(store: RunStore, table: ImportedTable) -> None:
    with st.form("tb-rename-form", border=False):
        given = st.text_input("Name", value=table.name, key=f"tb-name-{table.table_id[:8]}")
        if st.form_submit_button(
            "Rename it",
            key="tb-rename",
            type="primary",
            **door.lock(Action.RENAME, own=door.is_own(table.table_id)),
        ):

            def renamed() -> str:
                store.tables.rename(table.table_id, given)
                return f"The table is called **{for_markdown(given)}** now."

            attempt(renamed)
            st.rerun()


def remove_button(store: RunStore, table: ImportedTable, *, key: str = "tb-remove") -> None:
    """The button that removes a table."""
    st.button(
        "Remove",
        key=key,
        icon=":material/delete:",
        on_click=_remove,
        args=(store, table),
        **door.lock(
            Action.DELETE,
            own=door.is_own(table.table_id),
            help="Its file goes to the trash; this can be undone.",
        ),
    )


def _remove(store: RunStore, table: ImportedTable) -> None:
    def removed() -> str:
        store.tables.remove(table.table_id)
        st.session_state[_REMOVED] = (table.table_id, table.name)
        table_state.show_table("")
        state.forget_widgets(_CHOOSER)
        return f"**{for_markdown(table.name)}** was removed."

    attempt(removed)


def undo(store: RunStore) -> None:
    """What was removed last, with the button that brings it back."""
    removed: tuple[str, str] | None = st.session_state.get(_REMOVED)
    if removed:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="tb-undo-row"):
            st.markdown(f"The table “{for_markdown(removed[1])}” is in the trash.")
            st.button("Undo", key="tb-undo", icon=":material/undo:", on_click=_bring_back, args=(store,))


def _bring_back(store: RunStore) -> None:
    table_id, name = st.session_state.pop(_REMOVED, ("", ""))
    if not table_id:  # a second press finds it brought back
        return

    def restored() -> str:
        store.tables.restore(table_id)
        table_state.show_table(table_id)
        return f"**{for_markdown(name)}** is back."

    attempt(restored)


def damaged(store: RunStore, table: ImportedTable, sentence: str) -> None:
    """A table that cannot be shown: why, and the button to remove it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"damaged-{table.table_id}"):
        st.warning(
            f"{for_markdown(table.name)}: {for_markdown(sentence, 600)}", icon=":material/broken_image:"
        )
        remove_button(store, table, key="tb-remove-damaged")
