"""Faults of daily use: an answer that is held back."""

from __future__ import annotations

from tests.mutation.fault import Fault

_IN_SOCKETS = ("tests/pages/test_sockets.py",)

FAULTS = [
    Fault(
        "nobody asks that small answers leave at once",
        "pages/ui/server.py",
        "    send_at_once()\n",
        "",
        _IN_SOCKETS,
    ),
    Fault(
        "small answers wait until the browser has acknowledged what went before",
        "pages/ui/sockets.py",
        "connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)",
        "connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)",
        _IN_SOCKETS,
    ),
]
