"""The networks of a basket as a table with headings, and what can be done with one of them."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import streamlit as st

from core.library.network_id import NetworkId
from core.reports.content import numbers_table
from core.text import display_name, for_markdown
from core.views.basket import BasketNetwork, BasketView
from pages.ui import state
from pages.ui.basket import manage

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.baskets import Basket

_PICKED = "bk-network"


def draw(view: BasketView) -> None:
    """The table; the same rows and columns as in the report."""
    table = numbers_table(view)
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.columns)
    rows = []
    for row, network in zip(table.rows, view.networks, strict=True):
        cells = [html.escape(display_name(text)) for text in row]
        first = f'<th scope="row">{cells[0]}</th>'
        others = "".join(
            f'<td class="{"value" if n in table.numbers else "text"}">{text}</td>'
            for n, text in enumerate(cells)
            if n
        )
        gone = "" if network.info else " class='ps-gone'"
        rows.append(f"<tr{gone}>{first}{others}</tr>")
    with st.container(key="basket-table"):
        st.html('<p class="ps-note ps-narrow">Scroll the table sideways for more numbers.</p>')
        st.html(
            f'<div class="ps-scroll" tabindex="0" role="region" aria-label="{html.escape(table.caption)}">'
            f'<table class="ps-basket"><caption>{html.escape(table.caption)}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )
    for network in view.networks:
        if network.missing:
            st.warning(
                f"**{for_markdown(network.title)}** (`{network.network_id}`) is missing: {for_markdown(network.missing, 400)}",
                icon=":material/link_off:",
            )


def act_on_one(store: RunStore, basket: Basket, view: BasketView) -> None:
    """A chooser of networks: open the chosen one where it belongs, or take it out."""
    by_id = {each.network_id: each for each in view.networks}
    state.keep(_PICKED, by_id, next(iter(by_id)))
    with st.container(horizontal=True, vertical_alignment="bottom", key="basket-one"):
        chosen = st.selectbox(
            "Network", list(by_id), format_func=lambda i: display_name(by_id[i].title), key=_PICKED, width=360
        )
        page, label, query = _place(by_id[chosen])
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query)
        st.button(
            "Remove from the basket",
            key="bk-remove",
            icon=":material/delete:",
            on_click=manage.remove,
            args=(store, basket, chosen),
        )


def _place(network: BasketNetwork) -> tuple[str, str, dict[str, str]]:
    """The page where a network is shown, what the link says, and its address; "" where it is gone."""
    info, which = network.info, NetworkId.find(network.network_id)
    if info is None or which is None:
        return "", "", {}
    if which.origin == "subnet":
        return "pages/front.py", "Open on the Front page", {"supernet": which.owner, "sid": which.part}
    if which.origin == "pruned":
        parent = dict(network.known.facts).get("Pruned from", "")
        return (
            "pages/pruning.py",
            "Open on the Pruning page",
            {"parent": parent, "model": network.network_id},
        )
    return "pages/similarity.py", "Open on the Similarity page", {"models": network.network_id}
