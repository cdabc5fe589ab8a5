"""Which basket: choose, make, rename, delete, and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.people import Action
from core.text import display_name, for_markdown
from core.words import count_of
from pages.ui import baskets, history, state
from pages.ui.people import door

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.baskets import Basket, BasketItem

_CHOOSER = "bk-basket"
_LEFT = "basket-left"
_DELETED = "basket-deleted"
_REMOVED = "basket-removed"


def bar(store: RunStore, basket: Basket | None) -> None:
    """The settings bar: a chooser of baskets and what can be done with them."""
    there = {each.basket_id: each for each in store.baskets.list()}
    with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
        if there:
            state.keep(_CHOOSER, there, basket.basket_id if basket else next(iter(there)))
            if basket:
                st.session_state[_CHOOSER] = basket.basket_id
            st.selectbox(
                "Basket",
                list(there),
                format_func=lambda i: _title(there[i].name, there[i].size),
                key=_CHOOSER,
                on_change=_chosen,
                width=320,
                help="Baskets are kept with the runs; everybody who uses this home sees them.",
            )
        with st.popover("New basket", icon=":material/add:", key="bk-new"):
            _name_form("bk-new-name", "Make it", "", lambda name: _make(store, name))
        if basket is None:
            return
        with st.popover("Rename", icon=":material/edit:", key="bk-rename"):
            rename = store.baskets.rename
            _name_form("bk-name", "Rename it", basket.name, lambda name: rename(basket.basket_id, name))
        st.button(
            "Delete",
            key="bk-delete",
            icon=":material/delete:",
            on_click=_delete,
            args=(store, basket),
            **door.lock(Action.COLLECT, help="Can be undone."),
        )


def _title(name: str, size: int) -> str:
    return f"{display_name(name)} ({count_of(size, 'network')})"


def _chosen() -> None:
    """What the chooser says, unless the browser has not heard yet that another is shown, or that this one is gone."""
    basket_id = st.session_state.get(_CHOOSER)
    if basket_id is None or (history.is_behind() and basket_id == st.session_state.get(_LEFT)):
        return
    baskets.choose(basket_id)
    st.session_state.pop(_REMOVED, None)


def _go_to(basket_id: str | None) -> None:
    """Another basket, from anywhere but the chooser."""
    st.session_state[_LEFT] = st.session_state.get(_CHOOSER)
    baskets.choose(basket_id)
    state.forget_widgets(_CHOOSER)


def _name_form(key: str, label: str, name: str, change: object) -> None:
    with st.form(f"{key}-form", border=False):
        given = st.text_input("Name", value=name, key=key)
        if st.form_submit_button(label, key=f"{key}-submit", type="primary", **door.lock(Action.COLLECT)):
            baskets.attempt(lambda: change(given))  # type: ignore[operator]
            state.forget_widgets(_CHOOSER)
            st.rerun()


def _make(store: RunStore, name: str) -> None:
    _go_to(store.baskets.create(name))


def _delete(store: RunStore, basket: Basket) -> None:
    baskets.attempt(lambda: store.baskets.delete(basket.basket_id))
    st.session_state[_DELETED] = (basket.basket_id, basket.name)
    _go_to(None)


def remove(store: RunStore, basket: Basket, network_id: str) -> None:
    """Take a network out, remembering it for `undo`."""
    gone = baskets.attempt(lambda: store.baskets.remove(basket.basket_id, network_id))
    if gone is not None:
        st.session_state[_REMOVED] = (basket.basket_id, gone)


def undo(store: RunStore, basket: Basket | None) -> None:
    """What was deleted or removed last, with the button that brings it back."""
    deleted: tuple[str, str] | None = st.session_state.get(_DELETED)
    if deleted:
        _offer(f"The basket “{for_markdown(deleted[1])}” was deleted.", "bk-undo-delete", _bring_back, store)
    removed: tuple[str, BasketItem] | None = st.session_state.get(_REMOVED)
    if (
        removed
        and basket
        and removed[0] == basket.basket_id
        and removed[1].network_id not in basket.network_ids
    ):
        _offer(f"{for_markdown(removed[1].title)} was removed.", "bk-undo-remove", _put_back, store)


def was_deleted(basket_id: str) -> bool:
    """Whether this visitor has just deleted it."""
    return st.session_state.get(_DELETED, ("",))[0] == basket_id


def _offer(text: str, key: str, action: object, store: RunStore) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{key}-row"):
        st.markdown(text)
        st.button("Undo", key=key, icon=":material/undo:", on_click=action, args=(store,))  # type: ignore[arg-type]


def _bring_back(store: RunStore) -> None:
    basket_id, _ = st.session_state.pop(_DELETED, ("", ""))
    if basket_id:  # a second press finds it brought back
        baskets.attempt(lambda: store.baskets.restore(basket_id))
        _go_to(basket_id)


def _put_back(store: RunStore) -> None:
    basket_id, item = st.session_state.pop(_REMOVED, ("", None))
    if item is not None:
        baskets.attempt(lambda: store.baskets.add(basket_id, item.network_id, item.title, place=item.place))
