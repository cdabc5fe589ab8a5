"""Parts of the Runs page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Runs",
    question="What is going on? Every training, search and evaluation, with its progress, its log and its files.",
    icon="list_alt",
    place=60,
)
