"""Importing a file: what it holds, what its columns mean, and whether it is a new table or adds to one that is here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import kept_tables
from core.library.foreign_tables.base import suffixes
from core.library.foreign_tables.columns import Peek
from core.library.foreign_tables.decoding import read_foreign
from core.library.table_guessing import guessed, objective_of
from core.library.table_mapping import TableMapping
from core.text import display_name, for_markdown
from core.words import count_of, format_bytes
from pages.ui import checked
from pages.ui.people import door
from pages.ui.table import mapping_form, state
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.imported import ImportedTable

KEY = "import-table"
MOST_UPLOAD_MB = 200
_READ = "table-file"
_SAID = "table-imported"
_CLOSE = "table-import-close"
_NEW = ""
_MOST_SAID = 6


@dataclass(frozen=True)
class _File:
    """A file that was read in this session.

    Attributes:
        upload: id of the upload, which is another one for each file chosen.
        name: of the file.
        sha256: of its bytes.
        found, data: what it holds, as `read_foreign` returned them; None where it cannot be read.
        refusal: why, "" where it can.
    """

    upload: str
    name: str
    sha256: str
    found: Peek | None
    data: bytes
    refusal: str = ""


def draw(store: RunStore, tables: list[ImportedTable]) -> None:
    """The whole form, in a box that is open while there is no table."""
    say()
    if KEY not in st.session_state or st.session_state.pop(_CLOSE, False):
        st.session_state[KEY] = not tables
    with st.expander("Import a table", icon=":material/upload_file:", key=KEY, on_change="rerun") as box:
        if not box.open:
            return
        st.caption(
            f"CSV (also what DyNAS-T, DeepCAVE and W&B write), Parquet, JSON lines, or an Optuna storage (SQLite or journal), "
            f"at most {MOST_UPLOAD_MB} MB. The file is read in a process of its own with limits; nothing in it is ever run."
        )
        upload = door.uploader("Table file", type=suffixes(), key="tb-upload", max_upload_size=MOST_UPLOAD_MB)
        if upload is None:
            st.session_state.pop(_READ, None)
            return
        file: _File | None = st.session_state.get(_READ)
        if file is None or file.upload != upload.file_id:
            with st.spinner("Reading the file…", show_time=True):
                file = _read(upload.file_id, upload.name, upload.getvalue())
            st.session_state[_READ] = file
        if file.found is None:
            st.error(for_markdown(file.refusal, 600), icon=":material/block:")
            return
        _form(store, tables, file, file.found)


def _read(upload: str, name: str, data: bytes) -> _File:
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        found, columns = read_foreign(data)
    except CoreError as error:
        return _File(upload, name, sha256, None, b"", str(error))
    return _File(upload, name, sha256, found, columns)


def _form(store: RunStore, tables: list[ImportedTable], file: _File, found: Peek) -> None:
    st.markdown(
        f"**{for_markdown(file.name)}**: {found.label}, {count_of(found.rows, 'row')}, "
        f"{count_of(len(found.columns), 'column')}. The first rows:"
    )
    names = found.names[: len(found.first[0])]
    html_table([dict(zip(names, row, strict=True)) for row in found.first], "The first rows of the file")
    for sentence in found.notes:
        st.caption(for_markdown(sentence, 600))
    known = kept_tables.remembered(store, found)
    if known is not None:
        st.caption(
            "These columns mean what they meant in the last table with the same ones; change it below."
        )
    start = known or guessed(found)
    key = f"tb-map-{file.upload[:8]}"
    with checked.form() as form:
        target = _target(tables, key)
        by: tuple[str, str] | None = None
        if target is None:
            stem = display_name(file.name.rsplit(".", 1)[0])
            name = checked.name_field("Name", value=stem, key=f"{key}-name")
        else:
            name, by = target.name, _keys(target, found, start, key)
        numbers = [column.name for column in found.columns if column.is_number]
        guesses = {column.name: each for column in found.columns if (each := objective_of(column))}
        least = 2 if target is None else 0
        mapping = mapping_form.draw(key, found.names, numbers, start, guesses, least=least)
    label = "Import" if target is None else "Add its columns"
    if form.start(label, key="table-import-start", type="primary", icon=":material/add:"):
        with st.spinner("Importing…", show_time=True):
            _import(store, file, found, mapping, name, target, by)
        st.rerun()


def _target(tables: list[ImportedTable], key: str) -> ImportedTable | None:
    usable = {table.table_id: table for table in tables if not table.damaged}
    if not usable:
        return None
    chosen = st.selectbox(
        "Import as",
        [_NEW, *usable],
        format_func=lambda i: f"more columns of {display_name(usable[i].name)}" if i else "a new table",
        key=f"{key}-target",
        help="More columns: the rows of both files are matched by a column that both have, such as the architecture. So the "
        "accuracy of one file and the latency of another become one table.",
    )
    return usable.get(str(chosen))


def _keys(table: ImportedTable, found: Peek, start: TableMapping, key: str) -> tuple[str, str]:
    """The columns by which rows of both belong together."""
    about = kept_tables.TableAbout.decode(table.about)
    here = list(about.columns)
    mine = about.mapping.identity or here[0]
    theirs = mine if mine in found.names else start.identity or found.names[0]
    with st.container(horizontal=True):
        a = st.selectbox(
            "Rows match by, in the table",
            here,
            index=here.index(mine),
            key=f"{key}-here",
            format_func=display_name,
            width=280,
        )
        b = st.selectbox(
            "and in the file",
            list(found.names),
            index=found.names.index(theirs),
            key=f"{key}-there",
            format_func=display_name,
            width=280,
        )
    return str(a), str(b)


def _import(
    store: RunStore,
    file: _File,
    found: Peek,
    mapping: TableMapping,
    name: str,
    target: ImportedTable | None,
    by: tuple[str, str] | None,
) -> None:
    """Keep the table; what came of it is said when the page is drawn anew."""

    def made() -> str:
        if target is None or by is None:
            table_id = kept_tables.add(store, name, found, file.data, mapping, file.sha256)
            _open(table_id)
            return f"**{for_markdown(name)}** was imported: {count_of(found.rows, 'row')}.{_left_off(store, table_id)}"
        here, there = by
        said = kept_tables.join(store, target, found, file.data, mapping, here=here, there=there)
        _open(target.table_id)
        return f"**{for_markdown(name)}**: {for_markdown(said, 600)}{_left_off(store, target.table_id)}"

    attempt(made)


def _left_off(store: RunStore, table_id: str) -> str:
    """What of a table is on no front and why, a line per objective."""
    _, rows = kept_tables.opened(store, store.tables.get(table_id))
    told = rows.told([goal.name for goal in rows.goals])
    more = [f"{len(told) - _MOST_SAID} more objectives have such rows."] if len(told) > _MOST_SAID else []
    return "".join(f"\n\n{for_markdown(sentence, 400)}" for sentence in [*told[:_MOST_SAID], *more])


def sample(store: RunStore) -> None:
    """Import the sample as a person would: written as a file, read in the confined process, guessed."""

    def made() -> str:
        name, data = kept_tables.sample_file()
        found, columns = read_foreign(data)
        sha256 = hashlib.sha256(data).hexdigest()
        title = "Sample: every subnet of digits-cnn"
        _open(kept_tables.add(store, title, found, columns, guessed(found), sha256))
        return (
            f"The sample was imported: {count_of(found.rows, 'row')} of {name} ({format_bytes(len(data))})."
        )

    attempt(made)


def _open(table_id: str) -> None:
    st.session_state.pop(_READ, None)
    # The box cannot be closed while it is drawn; at the next drawing it is.
    st.session_state[_CLOSE] = True
    state.show_table(table_id)


def attempt(make: Callable[[], str]) -> None:
    """Do it; what came of it, or why it was not done, is said at the next drawing."""
    try:
        st.session_state[_SAID] = ("success", make())
    except CoreError as error:
        st.session_state[_SAID] = ("error", for_markdown(error, 600))


def say() -> None:
    """What the last import or change came to, once."""
    tell, sentence = st.session_state.pop(_SAID, ("", ""))
    if tell == "success":
        st.success(sentence, icon=":material/check:")
    elif tell:
        st.error(sentence, icon=":material/block:")
