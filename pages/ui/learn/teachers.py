"""The teacher's guide, inside Learn, and as a page to take along."""

from __future__ import annotations

import html
from dataclasses import replace

import streamlit as st

from core import glossary
from core.reports import teachers_guide
from core.reports.document import Block, Heading, Paragraph, Table
from pages.ui.learn import state
from pages.ui.learn.view import View


def draw(view: View) -> None:
    """Draw the guide and write its address."""
    guide = teachers_guide.document()
    st.header(guide.title, anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "All lessons",
            key="lesson-all",
            icon=":material/list_alt:",
            on_click=state.show,
            args=(replace(view, guide=False),),
        )
        st.download_button(
            "Take the guide along",
            data=teachers_guide.as_html,
            file_name="teachers-guide.html",
            mime="text/html",
            key="lesson-guide-file",
            on_click="ignore",
            icon=":material/download:",
            help="One HTML page that needs nothing else. `python -m core teachers-guide --out guide.html` writes the same.",
        )
        st.page_link("pages/classroom.py", label="Lead a class", icon=":material/arrow_forward:")
    st.markdown(guide.lead)
    with st.container(key="lesson-guide-text"):
        for block in guide.blocks:
            _draw(block)
    state.publish(view)


def _draw(block: Block) -> None:
    if isinstance(block, Heading):
        (st.subheader if block.level == 2 else st.markdown)(
            block.text if block.level == 2 else f"#### {block.text}"
        )
    elif isinstance(block, Paragraph):
        st.markdown(glossary.in_markdown(block.text))
        if block.link:
            st.code(block.link, language=None)
    elif isinstance(block, Table):
        _table(block)


def _table(block: Table) -> None:
    """As wide as the text, its cells whole sentences."""
    head = "".join(f'<th scope="col">{glossary.in_html(name)}</th>' for name in block.columns)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>{"".join(f"<td><p>{glossary.in_html(each)}</p></td>" for each in others)}</tr>'
        for first, *others in block.rows
    )
    st.html(
        f'<div class="ps-scroll" tabindex="0" role="group" aria-label="{block.caption}"><table class="ps-table ps-told">'
        f'<caption class="ps-unseen">{block.caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
