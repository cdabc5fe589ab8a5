"""The app's styles, named in the page itself: they are there before the first element, so that nothing jumps.

With them comes a script of a few lines, which has to be there before Streamlit's own (see `pages.ui.history`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.settings import ASSETS

_FILE = ASSETS / "look" / "look.css"
_NAME = "look.css"
SCRIPT = (ASSETS / "look" / "history.js").read_text(encoding="utf-8")
"""What stands in every page; the server's policy names its hash."""
_NOT_ASKED = (b"if-none-match", b"if-modified-since", b"accept-encoding")


class Look:
    """Serves the styles, and writes a link to them and the script into every HTML page that passes."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.styles = _FILE.read_bytes()
        version = hashlib.sha256(self.styles).hexdigest()[:12]
        link = f'<link rel="stylesheet" href="./{_NAME}?v={version}">'
        self.head = f"{link}<script>{SCRIPT}</script>".encode()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].endswith(f"/{_NAME}"):
            await self._send_styles(scope, send)
        else:
            # The whole page each time, unpacked: "not modified" is said of the file on the disk, which has no link.
            asked = [(k, v) for k, v in scope["headers"] if k not in _NOT_ASKED]
            is_page = any(k == b"accept" and b"text/html" in v for k, v in scope["headers"])
            scope = {**scope, "headers": asked} if is_page else scope
            await self.app(scope, receive, _Adding(send, self.head))

    async def _send_styles(self, scope: MutableMapping[str, Any], send: Any) -> None:
        headers = [
            (b"content-type", b"text/css; charset=utf-8"),
            (b"content-length", str(len(self.styles)).encode()),
            (b"cache-control", b"public, immutable, max-age=31536000"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.styles})


class _Adding:
    """Passes an answer on; of an HTML page it waits for the whole and adds to the end of its head."""

    def __init__(self, send: Callable[..., Awaitable[None]], head: bytes) -> None:
        self.send = send
        self.head = head
        self.start: MutableMapping[str, Any] | None = None
        self.body = b""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self.start = message
        elif message["type"] == "http.response.body" and self.start is not None:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self.start)
        else:
            await self.send(message)

    async def _finish(self, start: MutableMapping[str, Any]) -> None:
        body = self.body.replace(b"</head>", self.head + b"</head>", 1)
        kept = [
            (k, v)
            for k, v in start["headers"]
            if k.lower() not in (b"content-length", b"etag", b"accept-ranges", b"last-modified")
        ]
        headers = [*kept, (b"content-length", str(len(body)).encode())]
        await self.send({**start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _is_page(start: MutableMapping[str, Any]) -> bool:
    headers = {k.lower(): v for k, v in start.get("headers", [])}
    return (
        start["status"] == 200
        and headers.get(b"content-type", b"").startswith(b"text/html")
        and b"content-encoding" not in headers
    )
