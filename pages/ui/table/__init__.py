"""Parts of the Tables page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Tables",
    question="Where is the front in results that others measured? A file is enough, no supernet is needed.",
    icon="table",
    place=35,
)
