"""Streamlit's scripts and styles, compressed once and kept.

Streamlit sends its bundle as it is, because packing it anew at every request costs more than it saves.
Kept packed, a first visit moves 2 instead of 8 MB. Brotli packs a fifth better than gzip; browsers take it over https
and from this machine, over plain http from elsewhere they take gzip alone.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import brotli
from streamlit.file_util import get_static_dir

from core.settings import settings
from pages.ui import first_visit

_PREFIX = "/static/"
_TEXT = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
ENCODINGS = ("br", "gzip")
"""Best first."""
# In the time a first visitor waits: 0.2 s for the chart library.
_SOON = {"br": 5, "gzip": 6}
# Another 15 %, for 10 s of the chart library; done once, when nobody waits, and kept on the disk.
_WELL = 11
_WORTH_IT_BYTES = 8_192
_LOWEST_PRIORITY = 19
# Names in the bundle carry a hash of what is in them: a changed file has another name.
FOR_GOOD = b"public, immutable, max-age=31536000"


class Packed:
    """Files and their packed bodies, in memory; what took long to pack is kept in a folder by its content's hash."""

    def __init__(self, folder: Path | None = None) -> None:
        """Args:
        folder: where well packed bodies are kept; None for nowhere. Made where it is missing.
        """
        self.folder = folder
        self.bodies: dict[tuple[Path, str], bytes] = {}

    def body(self, file: Path, encoding: str) -> bytes:
        """The file packed; two threads may do the same work once."""
        known = self.bodies.get((file, encoding))
        if known is None:
            content = file.read_bytes()
            known = self._read(content) if encoding == "br" else None
            known = known or compress(content, encoding)
            self.bodies[file, encoding] = known
        return known

    def pack_well(self) -> None:
        """Pack anew, as small as it gets, what was sent as Brotli so far. Takes some 15 s of one processor, once.

        A thread that does it beside others stands back for good.
        """
        if threading.current_thread() is not threading.main_thread():
            with suppress(AttributeError, OSError):  # no such question on this system
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        for file, encoding in list(self.bodies):
            content = file.read_bytes() if encoding == "br" else b""
            if len(content) >= _WORTH_IT_BYTES and self._read(content) is None:
                small = brotli.compress(content, quality=_WELL)
                self.bodies[file, encoding] = small
                self._write(content, small)

    def _place(self, content: bytes) -> Path | None:
        return self.folder / f"{hashlib.sha256(content).hexdigest()}.br" if self.folder else None

    def _read(self, content: bytes) -> bytes | None:
        """What the disk has; a file that does not unpack to the content is as good as none."""
        place = self._place(content)
        if place is None:
            return None
        try:
            body = place.read_bytes()
            return body if brotli.decompress(body) == content else None
        except (OSError, brotli.error):
            return None

    def _write(self, content: bytes, body: bytes) -> None:
        """Beside what is there, then in its place; a full disk only means packing again."""
        if (place := self._place(content)) is None:
            return
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=place.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(body)
                Path(name).replace(place)
            except OSError:
                Path(name).unlink()


def compress(content: bytes, encoding: str) -> bytes:
    """Bytes packed while somebody waits."""
    if encoding == "br":
        packed: bytes = brotli.compress(content, quality=_SOON["br"])
        return packed
    return gzip.compress(content, _SOON["gzip"], mtime=0)


def taken(accepted: bytes) -> str | None:
    """The best encoding a browser takes: it names it, and not with a weight of nothing ("gzip;q=0")."""
    names = set()
    for each in accepted.lower().split(b","):
        name, _, weight = each.replace(b" ", b"").partition(b";")
        if not re.fullmatch(rb"q=0(\.0*)?", weight):
            names.add(name.decode("latin-1"))
    return next((encoding for encoding in ENCODINGS if encoding in names), None)


class PackedFiles:
    """Answers requests for the bundle's scripts and styles where the browser takes them packed.

    The page itself names two files in a header that are fetched beside the rest then, and not only when the first
    element arrives that needs them: the chart library, and the part that brings the app's styles in.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], folder: Path, packed: Packed | None = None
    ) -> None:
        self.app = app
        self.folder = folder.resolve()
        self.packed = packed or Packed()
        links = [f"<{_PREFIX}js/{file.name}>; rel=modulepreload" for file in named_ahead(self.folder)]
        self._links = [(b"link", link.encode()) for link in links]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        file, encoding = self._asked_for(scope) if scope["type"] == "http" else (None, "")
        if file is None:
            await self.app(scope, receive, self._naming_ahead(send))
            return
        first_visit.asked()
        body = self.packed.bodies.get((file, encoding))
        if body is None:
            body = await asyncio.to_thread(self.packed.body, file, encoding)
        headers = [
            (b"content-type", _TEXT[file.suffix]),
            (b"content-encoding", encoding.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", FOR_GOOD),
            (b"vary", b"accept-encoding"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _asked_for(self, scope: MutableMapping[str, Any]) -> tuple[Path | None, str]:
        """The file of the bundle that is meant and how it may be packed; None for everything else."""
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or not path.startswith(_PREFIX):
            return None, ""
        headers = dict(scope["headers"])
        encoding = taken(headers.get(b"accept-encoding", b""))
        if encoding is None or b"range" in headers:
            return None, ""
        try:
            file = (self.folder / path.lstrip("/")).resolve()
            known = file.is_relative_to(self.folder / "static") and file.is_file()
        except (OSError, ValueError):  # a name too long, or with a zero byte
            return None, ""
        return (file, encoding) if known and file.suffix in _TEXT else (None, "")

    def _naming_ahead(self, send: Any) -> Any:
        async def with_links(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if any(k.lower() == b"content-type" and v.startswith(b"text/html") for k, v in headers):
                    message = {**message, "headers": [*headers, *self._links]}
            await send(message)

        return with_links


def pack_first(folder: Path, packed: Packed) -> None:
    """Pack what every first visit asks for: what is named ahead, and what Streamlit's page names."""
    folder = folder.resolve()
    named = re.findall(r'"\./(static/[^"]+)"', (folder / "index.html").read_text(encoding="utf-8"))
    files = [*named_ahead(folder), *(folder / name for name in named)]
    for file in files:
        if file.suffix in _TEXT and file.is_file():
            packed.body(file, "br")


def named_ahead(folder: Path) -> list[Path]:
    """The bundle's files that draw charts (4.7 of the 8 MB) and `st.html`; none where Streamlit calls them otherwise."""
    place = folder / "static" / "js"
    return [file for pattern in ("PlotlyChart.*.js", "Html.*.js") for file in sorted(place.glob(pattern))]


def pack_at_setup() -> None:
    """Pack well what a first visit asks for, before anybody comes: 10 s of one processor, once."""
    home = settings().home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    packed = Packed(home / "packed")
    pack_first(Path(get_static_dir()), packed)
    packed.pack_well()


if __name__ == "__main__":
    pack_at_setup()
