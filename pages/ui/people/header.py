"""The header in which a reverse proxy names who asks: believed from the proxy alone, refused from everybody else.

A session sees the headers of the WebSocket's handshake, all of which a client may write. So this stands before Streamlit,
takes out whatever is spelled like the header, and puts what the proxy said under a name that nobody can guess.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_HEADER = f"x-paretoscope-{secrets.token_hex(24)}"
"""Under this name sessions of this process find who the proxy said it is."""

_PEER = "paretoscope.peer"
_LONGEST = 200
_REFUSED = (
    b"The header that names who asks was refused: only a trusted proxy may send it, once. See the README."
)


class UserHeader:
    """Refuses the header from anybody but a trusted proxy, and in any spelling but one."""

    def __init__(
        self,
        app: Application,
        name: str,
        trusted: tuple[IPv4Network | IPv6Network, ...],
        refused: Callable[[], None],
    ) -> None:
        """What every request passes.

        Args:
            app: what comes after.
            name: of the header.
            trusted: whose word counts.
            refused: called when one was refused.
        """
        self.app, self.trusted, self.refused = app, trusted, refused
        self.name = name.lower().encode()
        remember_peers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        # Some servers before us take "_" for "-", so both are the header; a proxy that forwards the other spelling as well
        # has let a client's through.
        named = [pair for pair in scope["headers"] if _alike(pair[0]) == _alike(self.name)]
        others = [
            pair for pair in scope["headers"] if pair not in named and pair[0].lower() != OWN_HEADER.encode()
        ]
        who = self._who(scope, named)
        if who is None:
            self.refused()
            await _refuse(scope, receive, send)
            return
        own = [(OWN_HEADER.encode(), quote(who, safe="").encode())] if who else []
        await self.app({**scope, "headers": [*others, *own]}, receive, send)

    def _who(self, scope: Scope, named: list[tuple[bytes, bytes]]) -> str | None:
        """Whom the proxy names, "" where nobody; None where the header must not be believed."""
        if not named:
            return ""
        if len(named) > 1 or named[0][0].lower() != self.name or not self._is_trusted(scope):
            return None
        try:
            who = named[0][1].decode("utf-8").strip()
        except UnicodeDecodeError:
            return None
        # A proxy that joins two headers into one writes a comma between them.
        return who if len(who) <= _LONGEST and "," not in who and (not who or who.isprintable()) else None

    def _is_trusted(self, scope: Scope) -> bool:
        peer = scope.get(_PEER) or scope.get("client")
        try:
            address = ip_address(str(peer[0]) if peer else "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


def remember_peers() -> None:
    """Have each request carry the address that really asks.

    The web server takes any X-Forwarded-For from this machine for the address of the client, before we see it: whoever can
    connect from here could name a trusted proxy.
    """
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    forwarding = ProxyHeadersMiddleware.__call__
    if getattr(forwarding, "remembers", False):
        return

    async def remembering(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            scope[_PEER] = scope.get("client")
        await forwarding(self, scope, receive, send)

    remembering.remembers = True  # type: ignore[attr-defined]
    ProxyHeadersMiddleware.__call__ = remembering  # type: ignore[method-assign]


def who_said(value: str) -> str:
    """What stands under `OWN_HEADER`, as the proxy wrote it."""
    return unquote(value)


def _alike(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "header refused"})
        return
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_REFUSED)).encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSED})
