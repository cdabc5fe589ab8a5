"""Class: a teacher and thirty students on one server, without accounts."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError, NotFound
from core.store.classes import REMOVED
from core.text import for_markdown
from pages.ui.classroom import PAGE, arriving, member, student, teacher, who_sees
from pages.ui.classroom.state import View, address
from pages.ui.home_store import home_is_open, home_store
from pages.ui.setup import setup, unseen_heading

setup(PAGE, for_anybody=True)

view = address.current()
if not home_is_open():
    st.stop()
mine = member.member()
if not view.code and mine is not None:
    view = View(code=mine.student.code, show=view.show)
address.publish(view)
member.write_cookie()
unseen_heading("Class")
if not view.code:
    arriving.draw()
    who_sees.draw()
    st.stop()
try:
    room = arriving.room_of(view.code)
except NotFound:
    arriving.no_such_class()
except CoreError as error:
    st.error(for_markdown(error, 600), icon=":material/error:")
    st.stop()
if view.teacher and home_store().classes.is_teacher(room.code, view.teacher):
    teacher.draw(view, room)
elif view.teacher:
    st.warning(
        "This teacher's link does not lead the class any more. At the server, `python -m core class new-secret "
        f"{room.code}` makes another one.",
        icon=":material/link_off:",
    )
elif member.choose(room.code) and (mine := member.member()) is not None:
    student.draw(view, mine)
else:
    if member.choose(room.code):
        st.warning(REMOVED, icon=":material/info:")
    arriving.nickname(room)
    who_sees.draw()
