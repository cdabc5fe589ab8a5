"""The first visit, made by the server itself: imports, the table, the front and the figure are ready for the next.

It also means that every visitor finds the menu: until a first session has run app.py, Streamlit answers a
link to a page with that page's file alone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance

from core import runtime

if TYPE_CHECKING:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_PATIENCE_SECONDS = 60.0
# A person reads the first page for a moment; then torch may take the processor.
_HEAVY_AFTER_SECONDS = 4.0
_sessions: set[str] = set()
_started = threading.Event()
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
    server, nobody = get_instance(), Nobody()
    session = server.connect_session(nobody, {})
    _sessions.add(session)
    try:
        message = BackMsg()
        message.rerun_script.SetInParent()
        server.handle_backmsg(session, message)
        await asyncio.wait_for(nobody.finished.wait(), _PATIENCE_SECONDS)
        await asyncio.to_thread(runtime.freeze)
    except TimeoutError:
        _log.warning("The first page took longer than %.0f s.", _PATIENCE_SECONDS)
    finally:
        server.close_session(session)


def is_this(session_id: str) -> bool:
    """Whether a session is the server's own."""
    return session_id in _sessions


def somebody_came() -> None:
    """Load torch beside the pages, once, some seconds after the first person's page."""
    if not _started.is_set():
        _started.set()
        timer = threading.Timer(_HEAVY_AFTER_SECONDS, runtime.heavy_imports_in_background)
        timer.daemon = True
        timer.start()
