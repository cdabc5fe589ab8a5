"""A visitor without a browser: Streamlit's protocol over a websocket, as far as clicks, forms and polls need it.

It keeps what a browser keeps: the widgets on the page by the keys the page gave them, what was entered into them, the
address, the fragments that ask to be run again by themselves, the messages that need not be sent twice.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_KEY = re.compile(r"\$\$ID-[0-9a-f]+-(.*)", re.DOTALL)
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_COOKIE = re.compile(r'data-cookie="([^"]*)"')
PATIENCE_SECONDS = 120.0


class Gone(Exception):
    """The server went away in the middle of an answer."""


class Visitor:
    """One visitor.

    Attributes:
        widgets: what is on the page: key -> (kind, the element's message, its fragment).
        took: kind of rerun -> milliseconds of each, "click", "open" or "poll".
        ids: everything of 32 hexadecimal digits that was ever received.
        cookie: what the pages wrote to be kept in the browser.
        received: sizes in bytes of the messages that answered last.
    """

    def __init__(self, address: str, cookie: str = "") -> None:
        self.url = address.replace("http", "ws") + "/_stcore/stream"
        self.cookie = cookie
        self.widgets: dict[str, tuple[str, Any, str]] = {}
        self.texts: list[str] = []
        self.took: dict[str, list[float]] = {"click": [], "open": [], "poll": []}
        self.ids: set[bytes] = set()
        self.received: list[int] = []
        self.errors: list[str] = []
        self.query = ""
        self.page = ""
        self._pages: dict[str, str] = {}
        self._kept: set[str] = set()
        self._values: dict[str, Any] = {}
        self._again: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None

    async def open(self, path: str = "", query: str = "") -> float:
        """Milliseconds until a page has run, in a new session; `query` is what stands behind the question mark."""
        headers = {"Cookie": f"paretoscope-class={self.cookie}"} if self.cookie else {}
        self.socket = await websockets.connect(
            self.url, max_size=None, ping_interval=None, additional_headers=headers
        )
        self.page = ""
        message = self.message()
        message.rerun_script.page_name = path
        message.rerun_script.query_string = self.query = query
        return await self.rerun(message, "open", fresh=True)

    async def go(self, path: str, query: str = "") -> float:
        """Milliseconds until another page has run, as by a link on the page."""
        async with self._turn:
            message = self.message()
            message.rerun_script.page_script_hash = self._pages[path]
            message.rerun_script.query_string = self.query = query
            return await self.rerun(message, "open", fresh=True)

    async def press(self, key: str, **values: Any) -> float:
        """Press a button after entering values into widgets; milliseconds until the page has answered.

        A value is text, a number, a truth value or a list of texts, as the widget takes it.

        Raises:
            KeyError: there is no such widget on the page now.
        """
        async with self._turn:
            message = self.message()
            for name, value in values.items():
                self._enter(name.replace("__", "-"), value)
            self._states(message)
            button = message.rerun_script.widget_states.widgets.add()
            button.id, button.trigger_value = self._widget(key)[1].id, True
            message.rerun_script.fragment_id = self.widgets[key][2]
            return await self.rerun(message, "click")

    async def enter(self, key: str, value: Any) -> float:
        """Change a widget; milliseconds until the page has answered."""
        async with self._turn:
            message = self.message()
            self._enter(key, value)
            self._states(message)
            message.rerun_script.fragment_id = self.widgets[key][2]
            return await self.rerun(message, "click")

    async def until(self, there: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait while the page polls, until something is so.

        Raises:
            TimeoutError: it never was.
        """
        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not so after {seconds:.0f} s; the page has {sorted(self.widgets)}")
            await asyncio.sleep(0.2)

    def start_polling(self) -> None:
        """From now on fragments run again by themselves when they asked for it."""
        self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Leave."""
        if self._polling:
            self._polling.cancel()
        with suppress(Exception):
            await self.socket.close()

    async def _poll(self) -> None:
        due: dict[str, float] = {}
        with suppress(websockets.WebSocketException, Gone):
            while True:
                await asyncio.sleep(0.1)
                now = time.monotonic()
                due = {f: due.get(f, now + seconds) for f, seconds in self._again.items()}
                for fragment in [f for f, at in due.items() if at <= now]:
                    due.pop(fragment)
                    async with self._turn:
                        if fragment in self._again:
                            message = self.message()
                            message.rerun_script.fragment_id = fragment
                            message.rerun_script.is_auto_rerun = True
                            await self.rerun(message, "poll")

    def message(self, fragment: str = "") -> BackMsg:
        """A wish to run the page again, or one fragment of it."""
        message = BackMsg()
        message.rerun_script.SetInParent()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.context_info.url = self.url.replace("ws", "http").partition("/_stcore")[0]
        return message

    def _widget(self, key: str) -> tuple[str, Any, str]:
        if key not in self.widgets:
            raise KeyError(f"no {key} at {self.query}, but {sorted(self.widgets)}; it says {self.texts}")
        return self.widgets[key]

    def _enter(self, key: str, value: Any) -> None:
        self._values[self._widget(key)[1].id] = value

    def _states(self, message: BackMsg) -> None:
        for widget_id, value in self._values.items():
            state = message.rerun_script.widget_states.widgets.add()
            state.id = widget_id
            if isinstance(value, bool):
                state.bool_value = value
            elif isinstance(value, int | float):
                state.double_value = float(value)
            elif isinstance(value, list):
                state.string_array_value.data.extend(value)
            else:
                state.string_value = value

    async def rerun(self, message: BackMsg, kind: str, *, fresh: bool = False) -> float:
        """Send it; milliseconds until the page has answered, which are kept under `kind`.

        Raises:
            Gone: the server went away.
        """
        message.rerun_script.SetInParent()
        # As a browser does: what it has need not be sent again.
        message.rerun_script.cached_message_hashes.extend(self._kept)
        self.received = []
        if fresh:
            self._values.clear()
        started = time.perf_counter()
        try:
            await self.socket.send(message.SerializeToString())
            while True:
                data = await asyncio.wait_for(self.socket.recv(), PATIENCE_SECONDS)
                if self._read(data):
                    break
        except websockets.WebSocketException as error:
            raise Gone from error
        took = 1000 * (time.perf_counter() - started)
        self.took[kind].append(took)
        return took

    def _read(self, data: Any) -> bool:
        """Take in a message; whether it says that the last script has ended."""
        answer = ForwardMsg()
        self.received.append(len(data))
        self.ids.update(_HEX.findall(data))
        answer.ParseFromString(data)
        if answer.metadata.cacheable:
            self._kept.add(answer.hash)
        kind = answer.WhichOneof("type")
        if kind == "new_session":
            if not answer.metadata.run.fragment_ids:
                self._begins()
        elif kind == "navigation":
            self._pages = {page.url_pathname: page.page_script_hash for page in answer.navigation.app_pages}
            self.page = answer.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = answer.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._again[answer.auto_rerun.fragment_id] = answer.auto_rerun.interval
        elif kind == "delta":
            self._drawn(answer.delta)
        return kind == "script_finished" and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def _begins(self) -> None:
        self.widgets, self.texts = {}, []
        self._again = {}

    def _drawn(self, delta: Any) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind)
        found = _KEY.fullmatch(str(getattr(element, "id", "")))
        if found:
            self.widgets[found[1]] = (kind, element, delta.fragment_id)
        if kind in ("markdown", "html", "alert", "text"):
            text = str(getattr(element, "body", ""))
            self.texts.append(text)
            for cookie in _COOKIE.findall(text):
                self.cookie = cookie
        elif kind == "exception":
            self.errors.append(element.message)


def processor_ms(pid: int) -> float:
    """Processor time that a process has used so far, its threads included and its children not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
