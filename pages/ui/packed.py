"""Streamlit's scripts and styles, compressed once and kept.

Streamlit sends its bundle as it is, because packing it anew at every request costs more than it saves.
Kept packed, a first visit moves 3 instead of 8 MB.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from pages.ui import first_visit

_PREFIX = "/static/"
_TEXT = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
# Level 9 saves another 5 % and takes three times as long.
_LEVEL = 4
# Names in the bundle carry a hash of what is in them: a changed file has another name.
_FOR_GOOD = b"public, immutable, max-age=31536000"


class PackedFiles:
    """Answers requests for the bundle's scripts and styles where the browser takes gzip.

    The page itself names two files in a header that are fetched beside the rest then, and not only when the first
    element arrives that needs them: the chart library, and the part that brings the app's styles in.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], folder: Path, kept: dict[Path, bytes] | None = None
    ) -> None:
        self.app = app
        self.folder = folder.resolve()
        self.kept = {} if kept is None else kept
        links = [f"<{_PREFIX}js/{file.name}>; rel=modulepreload" for file in named_ahead(self.folder)]
        self._links = [(b"link", link.encode()) for link in links]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        file = self._asked_for(scope) if scope["type"] == "http" else None
        if file is None:
            await self.app(scope, receive, self._naming_ahead(send))
            return
        first_visit.asked()
        body = self.kept.get(file) or await asyncio.to_thread(pack, file, self.kept)
        headers = [
            (b"content-type", _TEXT[file.suffix]),
            (b"content-encoding", b"gzip"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", _FOR_GOOD),
            (b"vary", b"accept-encoding"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _asked_for(self, scope: MutableMapping[str, Any]) -> Path | None:
        """The file of the bundle that is meant, None for everything else."""
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or not path.startswith(_PREFIX):
            return None
        headers = dict(scope["headers"])
        if not _takes_gzip(headers.get(b"accept-encoding", b"")) or b"range" in headers:
            return None
        try:
            file = (self.folder / path.lstrip("/")).resolve()
            known = file.is_relative_to(self.folder / "static") and file.is_file()
        except (OSError, ValueError):  # a name too long, or with a zero byte
            return None
        return file if known and file.suffix in _TEXT else None

    def _naming_ahead(self, send: Any) -> Any:
        async def with_links(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if any(k.lower() == b"content-type" and v.startswith(b"text/html") for k, v in headers):
                    message = {**message, "headers": [*headers, *self._links]}
            await send(message)

        return with_links


def _takes_gzip(accepted: bytes) -> bool:
    """Whether a browser takes gzip: it says so, and not with a weight of nothing ("gzip;q=0")."""
    for each in accepted.lower().split(b","):
        name, _, weight = each.replace(b" ", b"").partition(b";")
        if name == b"gzip":
            return not re.fullmatch(rb"q=0(\.0*)?", weight)
    return False


def pack(file: Path, kept: dict[Path, bytes]) -> bytes:
    """The file compressed, and kept; two threads may do the same work once."""
    body = gzip.compress(file.read_bytes(), _LEVEL, mtime=0)
    kept[file] = body
    return body


def pack_first(folder: Path, kept: dict[Path, bytes]) -> None:
    """Pack what every first visit asks for: what is named ahead, and what Streamlit's page names."""
    folder = folder.resolve()
    named = re.findall(r'"\./(static/[^"]+)"', (folder / "index.html").read_text(encoding="utf-8"))
    files = [*named_ahead(folder), *(folder / name for name in named)]
    for file in files:
        if file.suffix in _TEXT and file.is_file() and file not in kept:
            pack(file, kept)


def named_ahead(folder: Path) -> list[Path]:
    """The bundle's files that draw charts (4.7 of the 8 MB) and `st.html`; none where Streamlit calls them otherwise."""
    place = folder / "static" / "js"
    return [file for pattern in ("PlotlyChart.*.js", "Html.*.js") for file in sorted(place.glob(pattern))]
