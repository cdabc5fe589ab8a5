"""The Class page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Class",
    question="Where is everybody, what did we predict, and what do we find together?",
    icon="group",
    place=54,
)
