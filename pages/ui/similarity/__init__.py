"""The panels of the Similarity page, one module each. They draw; they compute nothing."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Similarity",
    question="What did these networks learn, and is it the same? Subnets of one supernet share weights; do they compute the same?",
    icon="compare",
    place=40,
)
