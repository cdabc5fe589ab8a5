"""The buttons that put many subnets into the basket at once: those on the front, or all that are selected."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.library.networks import subnet_id
from core.library.supernets import SupernetEntry
from core.people import Action
from core.store.baskets import MOST_NETWORKS
from core.words import format_count
from pages.ui import baskets
from pages.ui.people import door


def buttons(entry: SupernetEntry, arch_ids: Sequence[str], members: int, *, key: str) -> None:
    """Draw both buttons.

    Args:
        entry: the supernet.
        arch_ids: what is selected, the front's members first.
        members: how many of them are on the front.
        key: of the widgets.
    """
    for which, label, chosen in (
        ("front", "Add those on the front to the basket", arch_ids[:members]),
        ("all", "Add all to the basket", arch_ids),
    ):
        full = len(chosen) > MOST_NETWORKS
        st.button(
            label,
            key=f"{key}-{which}",
            icon=":material/shopping_basket:",
            on_click=_put,
            args=(entry, tuple(chosen[: MOST_NETWORKS + 1])),
            **door.lock(
                Action.COLLECT,
                disabled=not chosen or full or baskets.store() is None,
                help=f"{format_count(len(chosen))} are more than a basket holds ({MOST_NETWORKS})."
                if full
                else None,
            ),
        )
    baskets.say()


def _put(entry: SupernetEntry, arch_ids: Sequence[str]) -> None:
    baskets.add_all([(subnet_id(entry, i), f"{entry.title} {i}") for i in arch_ids])
