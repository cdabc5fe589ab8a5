"""Small answers leave at once.

asyncio turns Nagle's algorithm off on connections whose socket names its protocol. Streamlit binds a socket that names
none and hands it to uvicorn, so the body of every small answer, and every message but the first of several, waited 40 ms
for the browser to acknowledge what went before (uvicorn's issue 3149).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_made = AutoHTTPProtocol.connection_made


def send_at_once() -> None:
    """Of every connection from here on. A WebSocket keeps the connection on which a browser asked for it."""
    AutoHTTPProtocol.connection_made = _made_without_delay  # type: ignore[method-assign]


def _made_without_delay(self: Any, transport: asyncio.BaseTransport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _made(self, transport)
