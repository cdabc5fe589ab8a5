"""Links to a lesson: for others, without what one has done oneself; a teacher hides controls in them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui.address import format_view
from pages.ui.learn.opened import Opened
from pages.ui.learn.view import PARTS, View
from pages.ui.setup import copyable, link_to, note


def draw(opened: Opened, view: View) -> None:
    """The link to this lesson, and what it hides."""
    with st.expander(
        "Link to this lesson, for a class or a slide", icon=":material/link:", key="lesson-links"
    ):
        asked = opened.lesson.controls(opened.evidence)
        names = {f"{name}": f"Control: {ask.text}" for name, ask in asked.items()} | PARTS
        hidden = st.multiselect(
            "Hide from those who open it",
            list(names),
            default=[name for name in view.hidden if name in names],
            format_func=names.__getitem__,
            key="ls-hide",
            placeholder="Nothing is hidden",
            help="A hidden control stays where it stands now. Whoever knows how can change a link: hiding guides, it does "
            "not protect.",
        )
        embed = st.toggle(
            "For a slide or a course page",
            key="ls-embed",
            help="The lesson alone, without the menu, to stand in a frame.",
        )
        clean = replace(view, hidden=tuple(hidden), step="", draft="", taken="", settled="", done=())
        link = format_view(clean) | ({"embed": "true"} if embed else {})
        copyable(link_to(link), what="Copy lesson link")
        note(
            "It opens this lesson with the same run, seed and settings, and without what you have done. "
            "The address of this page itself holds that, too: keep it as a bookmark to go on later."
        )
