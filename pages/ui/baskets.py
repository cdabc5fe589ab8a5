"""The basket a visitor puts networks into: which one it is, and the button that stands beside every network.

Baskets are kept in the store and seen by everybody who uses this home; which one is filled is the session's
own choice. On a machine of one's own that is the basket changed last, so it is there again after a reload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from core.errors import CoreError, NotFound
from core.library.network_id import NetworkId
from core.people import Action
from core.settings import settings
from core.text import for_markdown
from pages.ui import resources
from pages.ui.people import door

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.baskets import Basket

T = TypeVar("T")

PAGE = "pages/basket.py"
FIRST_NAME = "Basket"
_CHOSEN = "basket-chosen"
_SAID = "basket-said"


def store() -> RunStore | None:
    """The store; None, without a word, where there is none."""
    return resources.quiet_store()


def current() -> Basket | None:
    """The basket that is filled now; None before there is one."""
    kept = store()
    if kept is None:
        return None
    basket_id = st.session_state.get(_CHOSEN)
    # Nobody else uses this machine's pages without a list of hosts, or a student's sandbox: the last one is this visitor's.
    if basket_id is None and settings().allowed_hosts and not resources.place():
        return None
    try:
        found = kept.baskets.lately(basket_id)
    except CoreError:  # damaged; the Basket page says so
        found = None
    if found is None:  # somebody deleted it
        st.session_state.pop(_CHOSEN, None)
        return None
    st.session_state[_CHOSEN] = found.basket_id
    return found


def choose(basket_id: str | None) -> None:
    """Fill this one from now on."""
    st.session_state[_CHOSEN] = basket_id


def add(network_id: str, title: str) -> None:
    """Put a network into the current basket; the first one makes a basket."""

    def put() -> None:
        kept = resources.store()
        basket = current()
        if basket is None:
            choose(kept.baskets.create(FIRST_NAME))
        try:
            kept.baskets.add(st.session_state[_CHOSEN], network_id, title)
        except NotFound:  # deleted in the same moment
            choose(kept.baskets.create(FIRST_NAME))
            kept.baskets.add(st.session_state[_CHOSEN], network_id, title)

    attempt(put)


def add_all(networks: Sequence[tuple[str, str]]) -> None:
    """Put several networks, (id, title) each, into the current basket; the first ones make a basket."""

    def put() -> None:
        kept = resources.store()
        basket = current()
        if basket is None:
            choose(kept.baskets.create(FIRST_NAME))
        kept.baskets.add_all(st.session_state[_CHOSEN], networks)

    attempt(put)


def attempt(change: Callable[[], T]) -> T | None:
    """Make a change; what the store has against it is said at the next drawing."""
    try:
        return change()
    except CoreError as error:
        st.session_state[_SAID] = str(error)
        return None


def say() -> None:
    """Why the last change was not made, once."""
    if said := st.session_state.pop(_SAID, ""):
        st.warning(for_markdown(said, 600), icon=":material/info:")


def button(network_id: str, title: str, *, key: str = "basket-add", what: str = "") -> None:
    """The button beside a network that puts it aside.

    Args:
        network_id: of the network.
        title: what it is called now.
        key: widget key.
        what: which of several networks it is ("A"), "" where there is one.
    """
    basket = current()
    inside = basket is not None and network_id in basket.network_ids
    name = f"“{for_markdown(basket.name)}”" if basket else "a new basket"
    said = (f"{what} is in the basket" if what else "In the basket") if inside else f"Add {what} to basket"
    st.button(
        " ".join(said.split()),
        key=key,
        on_click=add,
        args=(network_id, title),
        icon=":material/shopping_basket:",
        **door.lock(
            Action.COLLECT,
            disabled=inside or store() is None,
            help=f"Puts this network into {name}, which is kept with the runs. The Basket page shows it as a table, with "
            "a report to take home and a link to share.",
        ),
    )
    say()


def arch_ids(supernet_id: str) -> list[str]:
    """Architectures of the subnets of one supernet in the current basket, in order."""
    basket = current()
    found = [NetworkId.find(each) for each in basket.network_ids] if basket else []
    return [which.part for which in found if which and (which.origin, which.owner) == ("subnet", supernet_id)]


def of_supernet(supernet_id: str) -> list[str]:
    """Ids of the subnets of one supernet in the current basket, as networks."""
    return [str(NetworkId.subnet(supernet_id, arch_id)) for arch_id in arch_ids(supernet_id)]
