"""The supernets page: gallery, details, evaluation, training, loading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.jobs.forecast import of_work
from core.library import supernets
from core.library.loading import add_supernet
from core.library.supernets import DamagedSupernet, SupernetEntry
from core.records import Run
from core.supernets.cards import shown_card
from core.text import display_name, for_markdown
from core.words import format_bytes, format_count
from pages.ui import checked, resources
from pages.ui.forecast import forecast
from pages.ui.front.subnet_card import diagram
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.setup import empty
from pages.ui.tables import html_table, settings_table

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

MOST_UPLOAD_MB = 16
_ACROSS = 3


def gallery(entries: Sequence[SupernetEntry]) -> None:
    """One card per supernet."""
    if not entries:
        st.info(
            "There is no supernet yet. Train one below; the digits are built in.",
            icon=":material/hub:",
        )
        return
    for row in range(0, len(entries), _ACROSS):
        for entry, column in zip(
            entries[row : row + _ACROSS], st.columns(_ACROSS, gap="medium"), strict=False
        ):
            with column, st.container(border=True, key=f"supernet-{entry.supernet_id}"):
                _card(entry)


def damaged() -> None:
    """What cannot be read any more, each with what happened and a button to remove it."""
    store = resources.store_or_none()
    if store is None:
        return
    for entry in supernets.damaged(store):
        sentence = f"{for_markdown(entry.title)}: {for_markdown(entry.sentence, 600)}"
        _damaged(entry.supernet_id, sentence, lambda entry=entry: _delete(entry))
    for row in store.damaged("supernets"):
        _damaged(f"row-{row.key}", for_markdown(row.sentence, 600), lambda row=row: store.remove_damaged(row))


def _damaged(key: str, sentence: str, remove: Callable[[], object]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"damaged-{key}"):
        st.warning(sentence, icon=":material/broken_image:")
        st.button("Remove", key=f"remove-damaged-{key}", on_click=remove, icon=":material/delete:")


def _card(entry: SupernetEntry) -> None:
    st.header(f"{for_markdown(entry.title)} :gray-badge[{entry.origin}]", anchor=False)
    diagram(entry, entry.reference, key=f"diagram-{entry.supernet_id}")
    state = "every subnet measured" if entry.read_table is not None else "not measured yet"
    st.caption(
        f"{format_count(entry.space.size)} subnets, {state} · data {for_markdown(data_name(entry)) or 'not named'}"
    )
    with st.container(horizontal=True):
        st.page_link(
            "pages/front.py",
            label="See its front",
            icon=":material/show_chart:",
            query_params={"supernet": entry.supernet_id},
        )
        st.page_link(
            "pages/search.py",
            label="Search it",
            icon=":material/travel_explore:",
            query_params={"supernet": entry.supernet_id},
        )
    with st.expander("Details"):
        _details(entry)


def _details(entry: SupernetEntry) -> None:
    st.caption("Choices of the search space")
    html_table(
        [{"choice": c.name, "options": ", ".join(map(str, c.options))} for c in entry.space.choices],
        "Choices of the search space",
    )
    st.caption("Card")
    if entry.card.note:
        st.caption(for_markdown(entry.card.note, 600))
    card = {"family": entry.family, "sha256": entry.sha256[:16], **shown_card(entry.header["card"])}
    settings_table(card, "Card of the supernet")
    if entry.origin == "shipped":
        return
    with st.container(horizontal=True):
        st.button(
            "Measure every subnet",
            key=f"evaluate-{entry.supernet_id}",
            on_click=evaluate,
            args=(entry,),
            icon=":material/calculate:",
            help="Runs in the background; afterwards the Front page shows the exact front.",
        )
        st.download_button(
            "Weights",
            data=entry.read,
            file_name=f"supernet-{entry.supernet_id}.safetensors",
            mime="application/octet-stream",
            key=f"weights-{entry.supernet_id}",
            on_click="ignore",
            icon=":material/download:",
        )
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("The supernet and its weights will be gone.")
            st.button(
                "Delete this supernet",
                key=f"delete-{entry.supernet_id}",
                on_click=_delete,
                args=(entry,),
                type="primary",
            )


def data_name(entry: SupernetEntry) -> str:
    """The data set a supernet's card names, "" if none."""
    return display_name(entry.card.data.name if entry.card.data else "")


def evaluate(entry: SupernetEntry) -> None:
    """Start measuring every subnet of a supernet."""
    if submit(
        "evaluate_table",
        {"supernet": entry.supernet_id},
        title=f"All subnets of {display_name(entry.title)}",
        seed=0,
    ):
        st.toast("The evaluation has started; the Runs page shows it.", icon=":material/calculate:")


def unmeasured(entry: SupernetEntry) -> None:
    """The Front page of a supernet nobody has measured: one button, then its progress."""

    def evaluations() -> list[Run]:
        return [
            run for run in all_runs(["evaluate_table"]) if run.params.get("supernet") == entry.supernet_id
        ]

    empty(
        f"**{for_markdown(entry.title)}** has not been measured yet. Its {format_count(entry.space.size)} subnets can be measured one and all, "
        "which gives the exact front, or a search can look for good ones.",
        page="pages/search.py",
        label="Search it",
    )
    if not active(evaluations()):
        forecast("evaluate_table", {"supernet": entry.supernet_id}, of_work, key="evaluate-forecast")
    st.button(
        "Measure every subnet",
        key="evaluate-all",
        type="primary",
        on_click=evaluate,
        args=(entry,),
        icon=":material/calculate:",
        disabled=active(evaluations()),
    )

    def show() -> None:
        with st.container(key="job-progress"):
            for run in evaluations()[:1]:
                job_row(run)

    watch(show, lambda: active(evaluations()))


def _delete(entry: SupernetEntry | DamagedSupernet) -> None:
    try:
        if entry.origin == "uploaded":
            resources.store().delete_supernet(entry.supernet_id)
        else:
            resources.store().delete_run(entry.supernet_id)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")


def upload() -> None:
    """Load a supernet file that this project wrote."""
    st.caption(
        f"A .safetensors file that Paretoscope wrote, at most {MOST_UPLOAD_MB} MB. It is checked before anything is loaded; nothing in it is ever run."
    )
    file = st.file_uploader(
        "Supernet file", type=["safetensors"], key="supernet-upload", max_upload_size=MOST_UPLOAD_MB
    )
    if file is None:
        return
    st.caption(f"{for_markdown(file.name)}, {format_bytes(file.size)}")
    # A key of each file's own: the name offered is that of the file just chosen.
    with checked.form() as form:
        name = checked.name_field(
            "Name",
            value=display_name(file.name.rsplit(".", 1)[0]),
            key=f"supernet-upload-name-{file.file_id}",
        )
    if form.start("Add to the library", key="supernet-add", type="primary", icon=":material/add:"):
        with st.spinner("Checking the file…", show_time=True):
            _add(name, file)
        st.rerun()  # so that the gallery above shows it
    if st.session_state.get("supernet-added", ("",))[0] == file.file_id:
        _, supernet_id, tell, icon, sentence = st.session_state["supernet-added"]
        getattr(st, tell)(sentence, icon=icon)
        if supernet_id:
            st.page_link(
                "pages/front.py",
                label="Open it on the Front page",
                icon=":material/show_chart:",
                query_params={"supernet": supernet_id},
            )


def _add(name: str, file: UploadedFile) -> None:
    """Check and keep the file; what came of it is said below the button, also after the page was drawn anew."""
    try:
        added = add_supernet(resources.store(), name, file.getvalue())
    except CoreError as error:
        told = ("", "error", ":material/block:", for_markdown(error, 600))
    else:
        title = for_markdown(added.title)
        if added.was_there:
            sentence = f"This file is in the library already, as **{title}**; nothing was added."
            told = (added.supernet_id, "info", ":material/info:", sentence)
        else:
            sentence = f"**{title}** is in the library. Measure its subnets to see its front."
            told = (added.supernet_id, "success", ":material/check:", sentence)
    st.session_state["supernet-added"] = (file.file_id, *told)
