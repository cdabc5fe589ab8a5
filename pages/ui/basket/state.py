"""The Basket page's view: which basket its address names."""

from __future__ import annotations

from dataclasses import dataclass

from pages.ui import baskets
from pages.ui.address import PageAddress, matching, part


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes:
        basket: id of the basket, "" for the current one.
    """

    basket: str = part("id", matching(r"[0-9a-f]{32}"))

    def checked(self) -> View:
        return self


address: PageAddress[View] = PageAddress(
    View, key="basket-view", widgets="bk-", on_arrival=lambda view: baskets.choose(view.basket or None)
)
