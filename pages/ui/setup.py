"""The first line of every page: title, look, session. A page must work as the first one a visitor sees."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import glossary
from core.settings import ASSETS
from pages.ui import first_visit, history, projector, state
from pages.ui.menu import Page
from pages.ui.people import door
from pages.ui.server import ICON

_LOOK = ASSETS / "look" / "look.css"
_WORDMARK = str(ASSETS / "look" / "wordmark.svg")


def setup(page: Page, *, for_anybody: bool = False) -> None:
    """Prepare the session and draw the page's head. May be called any number of times.

    The styles (assets/look/look.css) come early, with the page itself (see `pages.ui.look`), so that nothing jumps; and
    once more here, after Streamlit's own, which would win otherwise.

    Args:
        page: its name and the question it answers, from its folder.
        for_anybody: where people are told apart, those who are not known may see it, too.
    """
    _pass_through_app()
    st.set_page_config(
        page_title=f"{page.title} · Paretoscope",
        page_icon=ICON,
        layout="wide",
        initial_sidebar_state=230,
    )
    door.begin()
    state.session_id()
    if state.entered_page(page.title):
        history.enter()
    st.logo(_WORDMARK, size="large")
    st.html(_LOOK)
    on = projector.switch()
    # The styles know the mode by this key. Markdown, not HTML: its part of the scripts is there at once.
    with st.container(key="page-head-projector" if on else "page-head"):
        st.title(page.title, anchor=False)
        st.markdown(glossary.in_markdown(page.question))
    door.enter(for_anybody=for_anybody)
    context = get_script_run_ctx()
    if context is not None and not first_visit.is_this(context.session_id):
        first_visit.somebody_came()


def _pass_through_app() -> None:
    """Send the very first visitor of a server through app.py.

    Until some session has called `st.navigation`, Streamlit answers a deep link with the page's file
    alone, under a menu of file names. Calling it here and running again gives this visitor the same
    menu as everybody after.
    """
    context = get_script_run_ctx()
    if (
        st.session_state.get("came-through-app")
        or context is None
        or Path(context.main_script_path).name != "app.py"
    ):
        return
    st.session_state["came-through-app"] = True  # tried once: never a loop
    folder = Path(context.main_script_path).parent / "pages"
    # The default page answers to "/" alone, so none of ours may be it: a link may name any of them.
    home = st.Page(lambda: None, title="Home", url_path="home", default=True)
    st.navigation([home, *(st.Page(path) for path in sorted(folder.glob("*.py")))], position="hidden")
    st.rerun()


def note(text: str) -> None:
    """A quiet remark below a figure; plain text, whose terms are linked."""
    st.html(f'<p class="ps-note">{glossary.in_html(text)}</p>')


def link_to(link: Mapping[str, str]) -> str:
    """The whole address of a view as this visitor's browser would write it, behind any proxy."""
    page = (st.context.url or "").partition("?")[0].partition("#")[0]
    page += "" if urlsplit(page).path else "/"
    return f"{page}?{urlencode(link)}" if link else page


def share(
    link: Mapping[str, str],
    meaning: str = "Opening this address shows the same supernet, axes, limits and subnet.",
) -> None:
    """The address of a view, to copy."""
    with st.expander("Link to this view"):
        copyable(link_to(link))
        note(meaning)


def copyable(address: str, what: str = "Copy the link") -> None:
    """An address with a button that copies it; `what` the button is for."""
    # Streamlit's own element for code would bring 0.5 MB of scripts to every first visit.
    st.html(
        f'<div class="ps-link"><code>{html.escape(address)}</code>'
        f'<button type="button" class="ps-copy" aria-label="{html.escape(what)}">Copy</button></div>'
    )


def show_around() -> None:
    """A button that begins the guided first visit of the Front page (assets/look/later.js)."""
    st.html('<button type="button" class="ps-visit-again">Show me around the Front page</button>')


def unseen_heading(text: str, level: int = 2) -> None:
    """A heading for those who jump from heading to heading with a screen reader; the eye sees the parts anyway."""
    st.html(f'<h{level} class="ps-unseen">{html.escape(text)}</h{level}>')


def empty(text: str, *, page: str | None = None, label: str = "") -> None:
    """An empty state: one sentence and the one thing to do."""
    with st.container(border=True):
        st.markdown(text)
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")
