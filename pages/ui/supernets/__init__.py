"""Parts of the Supernets page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(
    title="Supernets",
    question="What do I have, and what can I train or load? A supernet holds the weights of every subnet of its space.",
    icon="hub",
    place=20,
)
