"""The web server around the pages: who may ask, what a browser may load, and a warm start.

Streamlit looks at the Host header only where a WebSocket is opened, takes any port of this machine for
its own origin there, and sends no security headers; so this stands before it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from streamlit import config
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.file_util import get_static_dir

from core import logs
from core.settings import ASSETS, settings
from pages.ui.asgi import Application, Receive, Scope, Send
from pages.ui.look import Look
from pages.ui.operations import Health, Metrics
from pages.ui.packed import Packed, PackedFiles, pack_first
from pages.ui.people import door, visitor
from pages.ui.people.header import UserHeader
from pages.ui.sockets import send_at_once

ICON = str(ASSETS / "look" / "mark.svg")
_OWN = frozenset({"127.0.0.1", "localhost", "::1"})
_PACKED = Packed()
_TURN_SECONDS = 0.001
_EVERY_ADDRESS = ("0.0.0.0", "::")
# A name or an address in brackets, then a port: of all else a URL may hold, nothing belongs here.
_SPELLED = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^][:/?#@\\\s]+)(:[0-9]{0,5})?")
_REFUSED = (
    b"This server does not answer to that name. PARETOSCOPE_ALLOWED_HOSTS lists further ones; see the README."
)


def middleware() -> list[Middleware]:
    """What every request passes before Streamlit sees it, outermost first."""
    _no_components_of_others()
    send_at_once()
    own = settings()
    _PACKED.folder = own.home / "packed"
    address = config.get_option("server.address")
    listening = set() if address is None or address in _EVERY_ADDRESS else {address.lower()}
    return [
        Middleware(SecurityHeaders, frame_ancestors=own.frame_ancestors),
        Middleware(Health),
        Middleware(OwnNamesOnly, hosts=_OWN | listening | set(own.allowed_hosts)),
        Middleware(Metrics),
        *_user_header(),
        Middleware(PackedFiles, folder=Path(get_static_dir()), packed=_PACKED),
        Middleware(Look),
    ]


def _user_header() -> list[Middleware]:
    """What believes a proxy's word about who asks, where that is set; and whether a log-in is configured."""
    visitor.expect()
    own = settings()
    if not own.user_header:
        return []
    return [
        Middleware(
            UserHeader, name=own.user_header, trusted=own.trusted_proxies, refused=door.header_was_refused
        )
    ]


def _no_components_of_others() -> None:
    """Streamlit reads the metadata of all that is installed, in search of components, before it listens: a quarter of a
    second of every start, and these pages use none."""
    BidiComponentManager.discover_and_register_components = _nothing  # type: ignore[method-assign]


def _nothing(self: BidiComponentManager, *, start_file_watching: bool = True) -> None:
    pass


class OwnNamesOnly:
    """Refuses requests under a foreign name, and WebSockets that another site's page opens."""

    def __init__(self, app: Application, hosts: frozenset[str] | set[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        host = header(scope, b"host")
        if self._known(host) and (scope["type"] == "http" or _same_origin(header(scope, b"origin"), host)):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign origin"})
        else:
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(_REFUSED)).encode()),
            ]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})

    def _known(self, host: str) -> bool:
        parts = _parsed(f"//{host}") if _SPELLED.fullmatch(host) else None
        if parts is None:
            return False
        name = (parts.hostname or "").removesuffix(".")
        return bool(name) and (name in self.hosts or "*" in self.hosts)


def header(scope: Scope, name: bytes) -> str:
    """The value of a request's header, "" where it is absent; two of one name count as none that is known."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else ("" if not values else "\n")


def _parsed(address: str) -> Any:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no port
    except ValueError:
        return None
    return parts


def _same_origin(origin: str, host: str) -> bool:
    """Whether a page of this very server asks: same name and port. Programs send no origin and may ask."""
    if not origin:
        return True
    if not _SPELLED.fullmatch(origin.partition("://")[2]):
        return False
    asking, own = _parsed(origin), _parsed(f"//{host}")
    if asking is None or own is None or asking.scheme not in ("http", "https"):
        return False
    usual = 443 if asking.scheme == "https" else 80
    return (asking.hostname, asking.port or usual) == (own.hostname, own.port or usual)


class SecurityHeaders:
    """Adds to every answer what tells the browser to load nothing from elsewhere and to be framed by nobody."""

    def __init__(self, app: Application, frame_ancestors: str = "") -> None:
        self.app = app
        self.headers = security_headers(frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    pair for pair in message.get("headers", []) if pair[0].lower() not in dict(self.headers)
                ]
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def security_headers(frame_ancestors: str = "") -> list[tuple[bytes, bytes]]:
    """The headers of every answer.

    Args:
        frame_ancestors: origins, separated by spaces, whose pages may show this one in a frame; none if empty.
    """
    policy = {
        "default-src": "'self'",
        # The page starts with a line of script of Streamlit's own. Plotly's WebGL and parallel coordinates
        # compile their drawing commands, which needs eval; no text of a visitor's gets there.
        "script-src": " ".join(["'self'", "'unsafe-eval'", *_inline_scripts()]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "media-src": "'self' data: blob:",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": frame_ancestors or "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }
    if not frame_ancestors:
        headers["x-frame-options"] = "DENY"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _inline_scripts() -> list[str]:
    """Sources that allow the scripts written into Streamlit's page, and no others."""
    page = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    return [f"'sha256-{digest}'" for digest in digests]


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Open the first page once before anybody does, while the first browser is still loading its scripts.

    Then go on with the runs that the last server's end interrupted. At the end, hand back those that run.
    """
    from pages.ui import first_visit, resources

    async def begin() -> None:
        await first_visit.make()
        await asyncio.to_thread(resources.take_up_runs)

    # A page's script and the event loop share one interpreter: with 5 ms a turn, Python's default, sixty small
    # files wait for each other behind it.
    sys.setswitchinterval(_TURN_SECONDS)
    tasks = [
        asyncio.create_task(begin()),
        asyncio.create_task(asyncio.to_thread(pack_first, Path(get_static_dir()), _PACKED)),
    ]
    first_visit.when_quiet(_PACKED.pack_well)
    logs.begin()  # what was imported meanwhile has loggers of its own
    yield
    for task in tasks:
        task.cancel()
    await asyncio.to_thread(resources.hand_back_runs)
