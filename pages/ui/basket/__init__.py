"""Parts of the Basket page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Basket",
    question="Which networks have I put aside, how do they compare, and how do I take them to others?",
    icon="shopping_basket",
    place=55,
)
