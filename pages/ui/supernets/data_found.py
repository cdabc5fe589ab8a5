"""What data of a visitor's own hold, before anything is trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.datasets.found import skipped_sentence
from core.text import for_markdown
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from core.datasets.found import Found

_MOST_CLASSES = 12


def show_found(found: Found) -> None:
    """Counts, facts, warnings, a table of the classes, and what was left out."""
    st.markdown(
        f"**{found.total('samples'):,} {found.samples} in {len(found.classes):,} classes.** {' '.join(found.facts)}"
    )
    for sentence in found.warnings():
        st.warning(for_markdown(sentence, 600), icon=":material/warning:")
    _classes(found)
    for skipped in found.skipped:
        st.caption(for_markdown(skipped_sentence(skipped), 600))


def _classes(found: Found) -> None:
    """How many samples each class has, and how many go where."""
    rows = [
        {
            "class": each.name,
            found.samples: f"{each.samples:,}",
            "training": f"{each.train:,}",
            "validation": f"{each.validation:,}",
            "test": f"{each.test:,}",
        }
        for each in found.classes
    ]
    html_table(rows[:_MOST_CLASSES], "Samples of each class")
    if len(rows) > _MOST_CLASSES:
        st.caption(f"{len(rows) - _MOST_CLASSES:,} more classes are not listed.")
