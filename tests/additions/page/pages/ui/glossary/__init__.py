"""Parts of the Glossary page."""

from __future__ import annotations

from pages.ui.menu import Page

PAGE = Page(title="Glossary", question="What do these numbers mean?", icon="dictionary", place=52)
