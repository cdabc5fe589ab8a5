"""The page of one supernet: its space, where it came from, what was measured of it, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library import supernets
from core.library.coverage import can_be_whole
from core.library.loading import UNNAMED
from core.library.package_supernet import export_supernet
from core.library.supernets import SupernetEntry
from core.people import Action
from core.plots.thumbnail import thumbnail_html
from core.records import RunState
from core.spaces import Arch
from core.supernets.cards import shown_card
from core.text import display_name, for_markdown
from core.views.gallery import gallery
from core.views.supernet_page import CameFrom, came_from, choice_rows, lost_with, measured_rows, part_rows
from core.words import count_of
from pages.ui import checked, resources, terms
from pages.ui.front import state as front_state
from pages.ui.front.subnet_card import diagram
from pages.ui.people import door
from pages.ui.progress import active, job_row, watch
from pages.ui.supernets import fitting_images, insta_tuning, measuring, ranking, tuning, watching
from pages.ui.supernets import state as page_state
from pages.ui.supernets.gallery import data_name, delete
from pages.ui.supernets.understood import costs_text
from pages.ui.tables import html_table, settings_table

_MOST_ROWS = 30


def draw(entry: SupernetEntry) -> None:
    """Everything there is to say about a supernet."""
    st.button(
        "All supernets",
        key="details-back",
        on_click=page_state.show,
        args=("",),
        icon=":material/arrow_back:",
    )
    st.header(f"{for_markdown(entry.title)} :gray-badge[{entry.origin}]", anchor=False)
    _actions(entry)
    if insta_tuning.offered(entry):
        insta_tuning.draw(entry)
    else:
        tuning.draw(entry)
    _progress(entry)
    if entry.card.data is None and entry.task == "image" and entry.origin != "shipped":
        fitting_images.panel(entry)
    with st.container(key="hero"):
        left, right = st.columns([2, 1], gap="medium")
    with left:
        _what(entry)
        ends = st.container()
        _space(entry)
    with right:
        _front(entry)
        _came_from(came_from(resources.store_or_none(), entry), entry)
    ranking.draw(entry)
    _measured(entry)
    _training(entry)
    with st.expander("Card"):
        if entry.card.note:
            st.caption(for_markdown(entry.card.note, 600))
        card = {"family": entry.family, "sha256": entry.sha256, **shown_card(entry.header["card"])}
        settings_table(card, "Card of the supernet")
    with ends:  # last: counting the costs of a supernet for the first time builds it
        _ends(entry)


def _actions(entry: SupernetEntry) -> None:
    query = {"supernet": entry.supernet_id}
    working = active(measuring.runs(entry))
    with st.container(horizontal=True, vertical_alignment="center", key="details-actions"):
        st.page_link("pages/front.py", label="Front", icon=":material/show_chart:", query_params=query)
        st.page_link("pages/search.py", label="Search", icon=":material/travel_explore:", query_params=query)
        if entry.task == "image":
            _other_page(entry, "Similarity", "pages/similarity.py", ":material/compare:")
            _other_page(entry, "Prune", "pages/pruning.py", ":material/content_cut:")
        if entry.read_table is None and entry.card.data is not None:
            _measure(entry, working=working)
        st.download_button(
            "Export",
            data=lambda: export_supernet(entry),
            file_name=f"{_file_name(entry)}.zip",
            mime="application/zip",
            key=f"export-{entry.supernet_id}",
            on_click="ignore",
            icon=":material/archive:",
            help="The whole supernet as one file: weights, card, and its complete table where it has one. Load it on any "
            "other machine under **Load a file or a folder**.",
        )
        st.download_button(
            "Weights",
            data=entry.read,
            file_name=f"{_file_name(entry)}.safetensors",
            mime="application/octet-stream",
            key=f"weights-{entry.supernet_id}",
            on_click="ignore",
            icon=":material/download:",
            help="The supernet's own file alone.",
        )
        if entry.origin in ("trained", "uploaded"):
            _rename(entry)
            _delete(entry)


def _file_name(entry: SupernetEntry) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in display_name(entry.title).lower())
    return f"supernet-{kept.strip('-')[:40] or entry.supernet_id}"


def _other_page(entry: SupernetEntry, label: str, page: str, icon: str) -> None:
    """A page that shows whichever supernet the session is at."""
    if st.button(label, key=f"details-{label.lower()}", icon=icon):
        front_state.show_supernet(entry.supernet_id)
        st.switch_page(page)


def _measure(entry: SupernetEntry, *, working: bool) -> None:
    if can_be_whole(entry.space):
        st.button(
            "Measure every subnet",
            key=f"evaluate-{entry.supernet_id}",
            on_click=measuring.evaluate,
            args=(entry,),
            icon=":material/calculate:",
            **door.lock(
                Action.START,
                disabled=working,
                help="Runs in the background; afterwards the Front page shows the exact front.",
            ),
        )
    st.button(
        "Measure a sample",
        key=f"sample-{entry.supernet_id}",
        on_click=measuring.sample,
        args=(entry, min(measuring.USUAL_SAMPLE, entry.space.size)),
        icon=":material/insights:",
        **door.lock(
            Action.START,
            disabled=working or entry.space.size < 2,
            help=f"{measuring.USUAL_SAMPLE} subnets, spread evenly over MACs; the front is then of these.",
        ),
    )


def _rename(entry: SupernetEntry) -> None:
    with st.popover("Rename", icon=":material/edit:", key="details-rename"):
        with checked.form() as form:
            name = checked.name_field(
                "Name", value=display_name(entry.title) or UNNAMED, key=f"details-name-{entry.supernet_id}"
            )
        if form.start(
            "Rename",
            key="rename-supernet",
            type="primary",
            action=Action.RENAME,
            own=door.is_own(entry.supernet_id),
        ):
            titles = resources.store().titles
            change = titles.rename_run if entry.origin == "trained" else titles.rename_supernet
            try:
                change(entry.supernet_id, name)
            except CoreError as error:
                st.error(for_markdown(error, 600))
            else:
                st.rerun()


def _delete(entry: SupernetEntry) -> None:
    with st.popover("Delete", icon=":material/delete:", key="details-delete"):
        st.markdown(for_markdown(lost_with(resources.store_or_none(), entry), 600))
        sure = st.checkbox("This cannot be undone; delete it.", key=f"details-sure-{entry.supernet_id}")
        st.button(
            "Delete this supernet",
            key=f"delete-{entry.supernet_id}",
            on_click=delete,
            args=(entry,),
            type="primary",
            **door.lock(Action.DELETE, own=door.is_own(entry.supernet_id), disabled=not sure),
        )


def _progress(entry: SupernetEntry) -> None:
    def running() -> bool:
        return active(measuring.runs(entry))

    def show() -> None:
        with st.container(key="job-progress"):
            for run in measuring.runs(entry):
                if not run.state.is_final:
                    job_row(run)

    watch(show, running)


def _what(entry: SupernetEntry) -> None:
    data = data_name(entry)
    needs = (
        f"Its subnets are measured on the data set **{for_markdown(data)}**."
        if data
        else "Its card names no data: bring images of your own, above, to measure its subnets."
        if entry.task == "image"
        else "Its card names no data."
    )
    st.markdown(f"**{count_of(entry.space.size, 'subnet')}**, from {len(entry.space)} choices. {needs}")


def _ends(entry: SupernetEntry) -> None:
    """The smallest and the largest subnet with their costs and diagrams."""
    try:
        ends = entry.space.ends
        names = ("Smallest", "Largest") if ends else ("The dearest of a fixed draw",)
        for name, arch, column in zip(names, ends or (entry.reference,), st.columns(len(names)), strict=True):
            with column:
                _end(entry, name, arch)
    except CoreError as error:
        st.caption(for_markdown(error, 600))


def _end(entry: SupernetEntry, name: str, arch: Arch) -> None:
    rows = supernets.stage_rows(entry, arch)
    st.markdown(f"**{name}**: {costs_text(rows)}")
    diagram(entry, arch, key=f"diagram-{name}-{entry.supernet_id}")


def _space(entry: SupernetEntry) -> None:
    st.subheader("Search space", anchor=False)
    with st.container(key="supernet-space"):
        html_table(choice_rows(entry.space), "Choices of the search space")
        if rows := part_rows(entry):
            terms.caption("In parts: subnets share weights with those of their own part alone.")
            html_table(rows, "Parts of the supernet")


def _front(entry: SupernetEntry) -> None:
    [card] = gallery(resources.store_or_none(), [entry])
    st.subheader("Front", anchor=False)
    if card.thumbnail is None:
        terms.caption("None yet: measure some of its subnets.")
        return
    st.html(f'<div class="ps-supernet">{thumbnail_html(card.thumbnail)}</div>')
    st.caption(card.covered.sentence or f"The exact front: {card.state}.")


def _came_from(found: CameFrom, entry: SupernetEntry) -> None:
    st.subheader("Where it came from", anchor=False)
    st.markdown(for_markdown(found.sentence, 300))
    st.markdown("\n".join(f"- {for_markdown(sentence, 400)}" for sentence in found.told))
    for what, value in found.facts:
        st.caption(f"{what}: {for_markdown(value)}")
    if found.fixed:
        with st.expander(f"{len(found.fixed)} parts that stay as they are"):
            html_table([{"part": each.part, "why": each.why} for each in found.fixed], "What stays fixed")
    if found.run is not None:
        training = found.run.params.get("training")
        with st.expander("Settings of the training"):
            settings_table(training if isinstance(training, dict) else {}, "Settings of the training")


def _training(entry: SupernetEntry) -> None:
    """Curves, losses and the film of the training that made it, where it was trained here."""
    run = came_from(resources.store_or_none(), entry).run
    if run is None:
        return
    st.subheader("Its training", anchor=False)
    if st.toggle("Show its curves and its film", key=f"details-training-{entry.supernet_id}"):
        watching.draw(run)


def _measured(entry: SupernetEntry) -> None:
    st.subheader("What was measured", anchor=False)
    rows = measured_rows(resources.store_or_none(), entry)
    if entry.origin == "shipped":
        st.caption("Its complete table comes with it.")
    if not rows:
        if entry.origin != "shipped":
            st.caption("Nothing yet.")
        return
    html_table(
        [
            {"what": row.what, "title": row.run.title, "state": row.run.state.value, "found": row.told}
            for row in rows[:_MOST_ROWS]
        ],
        "What was measured",
    )
    with st.container(horizontal=True):
        for row in rows[:_MOST_ROWS]:
            if row.what in ("search", "sample") and row.run.state is not RunState.QUEUED and row.told:
                st.page_link(
                    "pages/front.py",
                    label=display_name(row.run.title, 40),
                    icon=":material/show_chart:",
                    query_params={"supernet": entry.supernet_id, "run": row.run.run_id},
                )
        st.page_link("pages/runs.py", label="All runs", icon=":material/list:")
