"""The Words page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Words",
    question="What do the terms on the other pages mean?",
    icon="menu_book",
    place=70,
)
