"""Connections of the server: small answers are not held back."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from pages.ui import server, sockets


async def no_delay_of_a_connection() -> bool:
    """Whether a connection to a socket bound as Streamlit binds it sends small answers at once."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    bound = socket.socket(socket.AF_INET)
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    running = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    serving = asyncio.create_task(running.serve(sockets=[bound]))
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 204 " in await reader.readline()
    [protocol] = running.server_state.connections
    connection = protocol.transport.get_extra_info("socket")
    found = bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    writer.close()
    running.should_exit = True
    await serving
    return found


def test_small_answers_do_not_wait_to_be_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AutoHTTPProtocol, "connection_made", sockets._made)
    if asyncio.run(no_delay_of_a_connection()):
        pytest.skip("this uvicorn does it itself: pages/ui/sockets.py can go")
    server.middleware()
    assert asyncio.run(no_delay_of_a_connection())
