"""Basket: networks put aside, side by side, with a report to take home and a link to share."""

from __future__ import annotations

import streamlit as st

from core.views.basket import basket_view
from pages.ui import baskets, resources
from pages.ui.basket import PAGE, manage, report, table
from pages.ui.basket.state import View, address
from pages.ui.setup import empty, link_to, setup, share, unseen_heading

setup(PAGE)

asked = address.current()
store = resources.store_or_none()
if store is None:
    st.stop()
basket = baskets.current()
if (
    asked.basket
    and (basket is None or basket.basket_id != asked.basket)
    and not manage.was_deleted(asked.basket)
):
    st.warning(
        "The basket of this link does not exist any more. Those that are kept here can be chosen below.",
        icon=":material/link_off:",
    )
unseen_heading("Networks put aside")
manage.bar(store, basket)
manage.undo(store, basket)
baskets.say()
if basket is None:
    address.publish(View())
    none = "No basket is chosen." if store.baskets.list() else "There is no basket yet."
    empty(
        f"{none} **Add to basket** beside a network on the Front, Similarity or Pruning page puts it aside; "
        "the first one makes a basket.",
        page="pages/front.py",
        label="Choose a network on the Front page",
    )
    st.stop()
shown = address.publish(View(basket.basket_id))
if not basket.items:
    empty(
        "This basket is empty. **Add to basket** beside a network on the Front, Similarity or Pruning page puts it here.",
        page="pages/front.py",
        label="Choose a network on the Front page",
    )
else:
    view = basket_view(store, basket.items)
    table.draw(view)
    table.act_on_one(store, basket, view)
    report.buttons(store, basket, view, link_to(shown))
share(shown, "Opening this address shows the same basket to everybody who can reach this server.")
