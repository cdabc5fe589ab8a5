"""Parts of the Pruning page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Pruning",
    question="What does pruning do to a network? Remove weights in many ways, and see accuracy, robustness and geometry change together.",
    icon="content_cut",
    place=50,
)
