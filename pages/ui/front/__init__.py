"""Parts of the Front page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Front",
    question="Which subnet should I take? Every dot is one subnet of the supernet; no other subnet beats those on the line.",
    icon="show_chart",
    place=10,
)
