"""Faults of daily use: an answer that is held back, a pick that is taken back."""

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
    Fault(
        "a chooser that has not heard of a pick takes it back",
        "pages/ui/selection.py",
        "if not (history.is_behind() and value in st.session_state.get(self._unheard_key, ())):",
        "if True:",
        ("tests/pages/test_session_values.py",),
    ),
    Fault(
        "no browser is behind",
        "pages/ui/history.py",
        "return here is not None and params != here and params in _written() and not _went_through_history()",
        "return False",
        ("tests/pages/test_address.py",),
    ),
]
