"""Tells `core.people` who asks in a thread; importing this is what makes it ask."""

from __future__ import annotations

import threading

from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.people import NOBODY, Person
from core.people.asking import set_asker
from pages.ui import first_visit
from pages.ui.classroom import member
from pages.ui.people.visitor import visitor


def asking() -> Person | None:
    """Who asks in this thread: a person, nobody, or None for the machine's own work and for students of a class.

    A thread of the web server without a session is nobody's: it serves what a page has prepared.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return NOBODY if threading.current_thread().name.startswith("asyncio_") else None
    if first_visit.is_this(context.session_id) or member.sandbox() is not None:
        return None
    return visitor()


set_asker(asking)
