"""Networks that were tuned or trained alone, as points beside the front; nothing is looked up before a person asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Objective
from core.words import within_sentence
from pages.ui import resources

if TYPE_CHECKING:
    import pandas as pd


def choose() -> bool:
    """Whether they are drawn."""
    return st.toggle(
        "Trained on their own",
        value=False,
        key="log-trained",
        help="Networks with architectures of this supernet that were tuned, trained from scratch beside that, or trained alone, as "
        "stars: means over their seeds. A click selects the subnet of that architecture.",
    )


def points(entry: SupernetEntry, x: Objective, y: Objective, *, asked: bool) -> pd.DataFrame | None:
    """The networks as a table of points, None for none; says so where there is nothing to draw."""
    if not asked:
        return None
    from core.views.trained import trained_points  # nothing of it is loaded before the first chart

    found = trained_points(resources.store_or_none(), entry)
    if not len(found):
        st.caption(
            "No network of this supernet's architectures was trained on its own yet: **Tune** on the card does."
        )
        return None
    if not {x.name, y.name} <= set(found):
        st.caption(
            f"Networks trained on their own have no {within_sentence(x.label)} or no {within_sentence(y.label)}."
        )
        return None
    return found


def revision(table: pd.DataFrame | None) -> str:
    """Changes whenever the points do."""
    return (
        ""
        if table is None
        else "/".join(f"{t}{a}" for t, a in zip(table["title"], table["accuracy"], strict=True))
    )
