"""The menu: a page says in its folder what it is called and where it stands, and is found there.

A page is `pages/<name>.py` and the folder `pages/ui/<name>/`, whose `PAGE` describes it; nothing else lists pages.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

_PAGES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Page:
    """What the menu and the head of a page say.

    Attributes:
        title: its name; one word.
        question: one sentence, the question the page answers.
        icon: a name of the Material symbols ("show_chart").
        place: where the menu lists it; smaller comes first, and the first is the landing page.
    """

    title: str
    question: str
    icon: str
    place: int


def pages() -> dict[str, Page]:
    """Every page by the name of its file, in the menu's order. Imports each page's folder, none of its parts.

    Raises:
        AttributeError, ModuleNotFoundError: a page has no folder, or its folder describes no page.
    """
    found: dict[str, Page] = {
        path.stem: importlib.import_module(f"pages.ui.{path.stem}").PAGE for path in _PAGES.glob("*.py")
    }
    return dict(sorted(found.items(), key=lambda item: (item[1].place, item[0])))


def path_of(name: str) -> str:
    """A page's file as Streamlit wants it, from the folder of app.py."""
    return f"pages/{name}.py"


def icon(page: Page) -> str:
    """A page's icon as Streamlit wants it."""
    return f":material/{page.icon}:"
