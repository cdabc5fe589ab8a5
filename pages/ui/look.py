"""The app's styles and script, named in the page itself: they are there before the first element, so that nothing jumps.

The fonts are Streamlit's own, cut down to what the pages write (`.ci/fonts`): 0.1 instead of 1 MB on a first visit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.settings import ASSETS
from pages.ui.packed import ENCODINGS, FOR_GOOD, compress, taken

_FOLDER = ASSETS / "look"
_SCRIPT = b"text/javascript; charset=utf-8"
_TYPES = {
    "look.css": b"text/css; charset=utf-8",
    "charts.js": _SCRIPT,
    "look.js": _SCRIPT,
    "later.js": _SCRIPT,
}
# Under the names of Streamlit's whole fonts, which it asks for. Letters that are left out come from the system's.
_FONTS = {
    "SourceSansVF-Upright": "sans.woff2",
    "SourceSerifVariable-Roman": "serif.woff2",
    "MaterialSymbols-Rounded": "icons.woff2",
}
_FONT = re.compile(r".*/static/media/([\w-]+)\.[\w.-]+\.woff2")
_NOT_ASKED = (b"if-none-match", b"if-modified-since", b"accept-encoding")


class Look:
    """Serves what gives the pages their look, and names it in every HTML page that passes."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.files = {name: (_FOLDER / name).read_bytes() for name in _TYPES}
        self.fonts = {name: (_FOLDER / "fonts" / file).read_bytes() for name, file in _FONTS.items()}
        self._packed = {
            (name, encoding): compress(content, encoding)
            for name, content in self.files.items()
            for encoding in ENCODINGS
        }
        styles, charts, script, later = (
            f"./{_versioned(name, content)}" for name, content in self.files.items()
        )
        # look.js loads the last when the first chart is painted.
        self.links = (
            f'<link rel="stylesheet" href="{styles}"><script defer src="{charts}"></script>'
            f'<script defer src="{script}" data-later="{later}"></script>'
        ).encode()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        name = path.rpartition("/")[2]
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
        elif name in self.files:
            await self._send_file(name, scope, send)
        elif (font := _FONT.fullmatch(path)) and font[1] in self.fonts:
            await _send_font(self.fonts[font[1]], scope, send)
        else:
            # The whole page each time, unpacked: "not modified" is said of the file on the disk, which has no link.
            asked = [(k, v) for k, v in scope["headers"] if k not in _NOT_ASKED]
            is_page = any(k == b"accept" and b"text/html" in v for k, v in scope["headers"])
            encoding = taken(dict(scope["headers"]).get(b"accept-encoding", b"")) if is_page else None
            scope = {**scope, "headers": asked} if is_page else scope
            await self.app(scope, receive, _Linking(send, self.links, encoding))

    async def _send_file(self, name: str, scope: MutableMapping[str, Any], send: Any) -> None:
        encoding = taken(dict(scope["headers"]).get(b"accept-encoding", b"")) or ""
        body = self._packed.get((name, encoding))
        headers = [(b"cache-control", FOR_GOOD), (b"vary", b"accept-encoding")]
        if body is not None:
            headers.append((b"content-encoding", encoding.encode()))
        await _send(scope, send, self.files[name] if body is None else body, _TYPES[name], headers)


async def _send_font(font: bytes, scope: MutableMapping[str, Any], send: Any) -> None:
    """Its name knows nothing of what ours holds, so a browser asks each time whether it is still the same."""
    version = f'"{hashlib.sha256(font).hexdigest()[:16]}"'.encode()
    headers = [(b"cache-control", b"no-cache"), (b"etag", version)]
    if dict(scope["headers"]).get(b"if-none-match") == version:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    else:
        await _send(scope, send, font, b"font/woff2", headers)


def _versioned(name: str, content: bytes) -> str:
    return f"{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


async def _send(
    scope: MutableMapping[str, Any], send: Any, body: bytes, kind: bytes, more: list[tuple[bytes, bytes]]
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


class _Linking:
    """Passes an answer on; of an HTML page it waits for the whole and adds the links at the end of its head."""

    def __init__(self, send: Callable[..., Awaitable[None]], links: bytes, encoding: str | None) -> None:
        self.send = send
        self.links = links
        self.encoding = encoding
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
        body = self.body.replace(b"</head>", self.links + b"</head>", 1)
        kept = [
            (k, v)
            for k, v in start["headers"]
            if k.lower() not in (b"content-length", b"etag", b"accept-ranges", b"last-modified", b"vary")
        ]
        headers = [*kept, (b"vary", b"accept-encoding")]
        if self.encoding:
            body = compress(body, self.encoding)
            headers.append((b"content-encoding", self.encoding.encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send({**start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _is_page(start: MutableMapping[str, Any]) -> bool:
    headers = {k.lower(): v for k, v in start.get("headers", [])}
    return (
        start["status"] == 200
        and headers.get(b"content-type", b"").startswith(b"text/html")
        and b"content-encoding" not in headers
    )
