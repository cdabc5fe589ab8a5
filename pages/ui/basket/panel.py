"""The basket below the chart of the Front page: the same table, with the way to the Basket page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.text import for_markdown
from core.views.basket import basket_view
from pages.ui import baskets, terms
from pages.ui.basket import manage, table

if TYPE_CHECKING:
    from core.store import RunStore


def draw(store: RunStore | None) -> None:
    """The current basket; what to do where it is empty."""
    basket = baskets.current()
    if store is None or basket is None or not basket.items:
        terms.caption(
            "The basket is empty. **Add to basket** puts the selected subnet aside, to compare it later."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{for_markdown(basket.name)}**")
        st.page_link(
            baskets.PAGE,
            label="Open the basket: report, link, rename",
            icon=":material/arrow_forward:",
            query_params={"id": basket.basket_id},
        )
    view = basket_view(store, basket.items)
    table.draw(view)
    table.act_on_one(store, basket, view)
    manage.undo(store, basket)
