"""Parts of the Search page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Search",
    question="How do I find good subnets quickly? An algorithm proposes, the supernet measures, the front grows.",
    icon="travel_explore",
    place=30,
)
