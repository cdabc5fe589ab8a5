"""Tables: the front of results that others measured, browsed without a supernet."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library import kept_tables
from core.text import for_markdown
from pages.ui import resources
from pages.ui.setup import setup
from pages.ui.table import PAGE, import_form, manage, settings, state
from pages.ui.table.hero import hero

setup(PAGE)

view = state.current_view()
store = resources.store_or_none()
if store is None:
    st.stop()
tables = store.tables.list()
if not tables:
    with st.container(border=True, key="table-empty"):
        st.markdown(
            "No table is here yet. Import a file of results below: a row per architecture, a column per objective. Or try a "
            "sample first: the 13,824 measured subnets of the shipped digits-cnn, written as a CSV file and imported like yours."
        )
        st.button(
            "Try the sample",
            key="table-sample",
            icon=":material/science:",
            on_click=import_form.sample,
            args=(store,),
        )
import_form.draw(store, tables)
manage.undo(store)
if not tables:
    state.publish(view)
    st.stop()
table = manage.choose(tables, view.table)
try:
    about, rows = kept_tables.opened(store, table)
except CoreError as error:
    manage.damaged(store, table, str(error))
    st.stop()
axes = settings.axes_of(rows)
with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
    scene = None
    if len(axes) > 1:
        try:
            scene = settings.choose(table, about, rows, view, axes)
        except CoreError as error:
            st.info(for_markdown(error, 600), icon=":material/info:")
    manage.menu(store, table, rows)
if scene is None:
    st.info("A front needs two objectives with values that count; choose other columns under **Columns**.")
    st.stop()
if not len(scene.found.at):
    st.info("No row meets these limits. Loosen one of them.", icon=":material/filter_alt_off:")
    state.publish(scene.view)
    st.stop()
hero(scene)
