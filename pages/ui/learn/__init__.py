"""The Learn page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Learn",
    question="How do supernets, fronts and searches work, and is it true of a run of my own?",
    icon="school",
    place=53,
)
