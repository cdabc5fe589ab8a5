"""The gallery: every supernet with a thumbnail of its front, filtered and found by name."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.library import supernets
from core.library.supernets import DamagedSupernet, SupernetEntry
from core.people import Action
from core.plots.thumbnail import thumbnail_html
from core.text import display_name, for_markdown
from core.views.gallery import GalleryCard
from core.views.gallery import gallery as gallery_of
from core.words import count_of
from pages.ui import resources, state
from pages.ui.people import door
from pages.ui.supernets import state as page_state
from pages.ui.supernets.view import View

_ACROSS = 4
_SOME = 3
"""Supernets from which on there is something to filter."""


def gallery(entries: Sequence[SupernetEntry], view: View) -> View:
    """One card per supernet that fits; returns the view with what the filters say."""
    if not entries:
        st.info(
            "There is no supernet yet. Train one below; the digits are built in.",
            icon=":material/hub:",
        )
        return view
    cards = gallery_of(resources.store_or_none(), entries)
    view = _filters(cards, view)
    fitting = [card for card in cards if _fits(card, view)]
    if not fitting:
        st.info("No supernet fits. Loosen a filter.", icon=":material/filter_alt_off:")
    for row in range(0, len(fitting), _ACROSS):
        for card, column in zip(fitting[row : row + _ACROSS], st.columns(_ACROSS, gap="small"), strict=False):
            with column, st.container(border=True, key=f"supernet-{card.entry.supernet_id}"):
                _card(card)
    return view


def _filters(cards: Sequence[GalleryCard], view: View) -> View:
    if len(cards) < _SOME:
        return replace(view, task="", family="", words="")
    tasks = {card.entry.task: card.task for card in cards}
    families = {card.entry.family: card.family for card in cards}
    with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
        state.start("gallery-words", view.words)
        words = st.text_input(
            "Search by name",
            key="gallery-words",
            width=230,
            placeholder="any name",
            icon=":material/search:",
        )
        task = _one_of("Data", "gallery-task", tasks, view.task)
        family = _one_of("Family", "gallery-family", families, view.family)
    return replace(view, task=task, family=family, words=(words or "").strip()[:80])


def _one_of(label: str, key: str, names: Mapping[str, str], now: str) -> str:
    state.keep(key, ["", *names], now if now in names else "")
    chosen = st.selectbox(
        label, ["", *names], format_func=lambda name: names[name] if name else "all", key=key, width=200
    )
    return str(chosen or "")


def _fits(card: GalleryCard, view: View) -> bool:
    return (
        view.task in ("", card.entry.task)
        and view.family in ("", card.entry.family)
        and view.words.casefold() in card.entry.title.casefold()
    )


def _card(card: GalleryCard) -> None:
    entry = card.entry
    data = data_name(entry) or "data not named"
    lines = ((card.task, card.family), (count_of(card.covered.size, "subnet"), data))
    facts = "<br>".join(" · ".join(html.escape(display_name(f)) for f in line if f) for line in lines)
    picture = (
        thumbnail_html(card.thumbnail)
        if card.thumbnail is not None
        else '<p class="ps-thumbnail ps-none">No front yet. Open it to measure its subnets.</p>'
    )
    st.html(
        f'<div class="ps-supernet">{picture}<h2>{html.escape(display_name(entry.title))}</h2>'
        f"<p>{facts}</p>"
        f'<p class="ps-state">{html.escape(card.state)} · {entry.origin}</p></div>'
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Open",
            key=f"gallery-open-{entry.supernet_id}",
            on_click=page_state.show,
            args=(entry.supernet_id,),
            icon=":material/folder_open:",
            help=f"What {display_name(entry.title)} is, and what can be done with it.",
        )
        if card.covered.measured:
            st.page_link(
                "pages/front.py",
                label="Front",
                icon=":material/show_chart:",
                query_params={"supernet": entry.supernet_id},
            )


def damaged() -> None:
    """What cannot be read any more, each with what happened and a button to remove it."""
    store = resources.store_or_none()
    if store is None:
        return
    for entry in supernets.damaged(store):
        sentence = f"{for_markdown(entry.title)}: {for_markdown(entry.sentence, 600)}"
        _damaged(entry.supernet_id, sentence, lambda entry=entry: delete(entry))
    for row in store.damaged("supernets"):
        _damaged(f"row-{row.key}", for_markdown(row.sentence, 600), lambda row=row: store.remove_damaged(row))


def _damaged(key: str, sentence: str, remove: Callable[[], object]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"damaged-{key}"):
        st.warning(sentence, icon=":material/broken_image:")
        st.button(
            "Remove",
            key=f"remove-damaged-{key}",
            on_click=remove,
            icon=":material/delete:",
            **door.lock(Action.REPAIR),
        )


def data_name(entry: SupernetEntry) -> str:
    """The data set a supernet's card names, "" if none."""
    return display_name(entry.card.data.name if entry.card.data else "")


def delete(entry: SupernetEntry | DamagedSupernet) -> None:
    """Remove a supernet that was trained or loaded here."""
    try:
        if entry.origin == "uploaded":
            resources.store().delete_supernet(entry.supernet_id)
        else:
            resources.store().delete_run(entry.supernet_id)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")
    else:
        page_state.show("")
