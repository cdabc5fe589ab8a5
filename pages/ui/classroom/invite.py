"""How students come in: code, link and QR code, large enough for the last row."""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlsplit

import streamlit as st

from core.store.class_rows import Room, Student
from core.text import for_markdown
from pages.ui.classroom import who_sees
from pages.ui.classroom.state import View
from pages.ui.setup import copyable, link_to, note

_THIS_COMPUTER = {"localhost", "127.0.0.1", "[::1]", "::1"}


def draw(view: View, room: Room, students: Sequence[Student]) -> None:
    """The invitation, who has come, and the teacher's own link."""
    link = link_to({"class": room.code})
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        spelled = f"{room.code[:3]} {room.code[3:]}"
        st.html(
            f'<p class="ps-code-label">Open this page and type the code</p><p class="ps-code">{html.escape(spelled)}</p>'
        )
        copyable(link, "Copy the students' link")
        if (urlsplit(link).hostname or "") in _THIS_COMPUTER:
            st.caption(
                ":material/warning: This address works on this computer only. `make class` starts a server that others in "
                "the room reach, and prints its address."
            )
        names = ", ".join(for_markdown(each.nickname) for each in students)
        here = f"**{len(students)}** here" + ("" if room.rules.anonymous or not names else f": {names}")
        st.markdown(f"{here}.")
    with right:
        st.html(f'<img class="ps-qr" alt="QR code of the link for students" src="{html.escape(_qr(link))}">')
    with st.expander("Your link to lead this class: a secret", icon=":material/lock:", key="class-own-link"):
        copyable(link_to({"class": room.code, "teacher": view.teacher}), "Copy your own link")
        note(
            "Keep it as a bookmark, and do not show it: whoever opens it leads the class. It also stands in the address of "
            "this page."
        )
    who_sees.draw()


@st.cache_data(show_spinner=False, max_entries=64)
def _qr(link: str) -> str:
    import segno

    # Dark on white in either theme: not every reader takes the inverse.
    picture: str = segno.make(link, error="m", micro=False).svg_data_uri(
        scale=8, border=3, dark="#000000", light="#ffffff"
    )
    return picture
