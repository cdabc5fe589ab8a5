"""The first visit, made by the server itself: imports, the table, the front and the figure are ready for the next.

It also means that every visitor finds the menu: until a first session has run app.py, Streamlit answers a
link to a page with that page's file alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamlit import delta_generator
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance

from core import runtime
from pages.ui import theme_once

if TYPE_CHECKING:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_PATIENCE_SECONDS = 60.0
# A person reads the first page for a moment; then torch may take the processor. Not while a browser still loads.
_QUIET_SECONDS = 4.0
_LATEST_SECONDS = 60.0
_LATER_SECONDS = 30.0
_sessions: set[str] = set()
_later: list[Callable[[], None]] = []
_started = threading.Event()
_last_asked = 0.0
_log = logging.getLogger("paretoscope")


class Nobody:
    """A client that throws away what it is sent and knows when the page was complete."""

    client_context = None

    def __init__(self) -> None:
        self.finished = asyncio.Event()

    def write_forward_msg(self, msg: ForwardMsg) -> None:
        if msg.WhichOneof("type") == "script_finished":
            self.finished.set()


async def make() -> None:
    """Run the default page once, then hide what it loaded from the garbage collector."""
    runtime.collect_later()
    _spare_the_stack()
    theme_once.remember()
    server, nobody = get_instance(), Nobody()
    session = server.connect_session(nobody, {})
    _sessions.add(session)
    try:
        message = BackMsg()
        message.rerun_script.SetInParent()
        server.handle_backmsg(session, message)
        await asyncio.wait_for(nobody.finished.wait(), _PATIENCE_SECONDS)
        runtime.hide()
    except TimeoutError:
        _log.warning("The first page took longer than %.0f s.", _PATIENCE_SECONDS)
    finally:
        gc.enable()
        server.close_session(session)


def _spare_the_stack() -> None:
    """Streamlit looks through the stack once to see whether it runs in a console: a quarter of a second with all
    this loaded. It does not."""
    delta_generator._use_warning_has_been_displayed = True


def is_this(session_id: str) -> bool:
    """Whether a session is the server's own."""
    return session_id in _sessions


def asked() -> None:
    """A browser asked for a file or a page."""
    global _last_asked
    _last_asked = time.monotonic()


def when_quiet(work: Callable[[], None]) -> None:
    """Do this once, half a minute after the first person's browser has what it needs."""
    _later.append(work)


def somebody_came() -> None:
    """Load torch beside the pages, once, when the first person's browser has what it needs."""
    asked()
    if not _started.is_set():
        _started.set()
        threading.Thread(target=_load_when_quiet, name="after-first-page", daemon=True).start()


def _load_when_quiet() -> None:
    latest = time.monotonic() + _LATEST_SECONDS
    while (now := time.monotonic()) < min(_last_asked + _QUIET_SECONDS, latest):
        time.sleep(min(_last_asked + _QUIET_SECONDS, latest) - now)
    runtime.heavy_imports_in_background()
    time.sleep(_LATER_SECONDS if _later else 0.0)
    while _later:
        _later.pop()()
