"""Faults of daily use: an answer that is held back, a pick that is taken back."""

from __future__ import annotations

from tests.mutation.fault import Fault

_IN_PRESSES = ("tests/e2e/test_quick_presses.py",)
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
    Fault(
        "a pick by a button is taken back by a chooser that has not heard of it",
        "pages/ui/selection.py",
        "        self._leave()\n        st.session_state[self._key] = st.session_state[self._seed_key] = value",
        "        st.session_state[self._key] = st.session_state[self._seed_key] = value",
        ("tests/pages/test_session_values.py",),
    ),
    Fault(
        "what is undone comes back with the next press",
        "pages/ui/front/what_if.py",
        "st.session_state.get(_EDITION, 0) + 1",
        "st.session_state.get(_EDITION, 0)",
        _IN_PRESSES,
    ),
    Fault(
        "what the subnet before was changed to changes the one that was picked",
        "pages/ui/front/what_if.py",
        "elif history.is_behind():",
        "elif False:",
        _IN_PRESSES,
    ),
    Fault(
        "a chooser that is gone is asked what it holds",
        "pages/ui/basket/manage.py",
        "basket_id = st.session_state.get(_CHOOSER)",
        "basket_id = st.session_state[_CHOOSER]",
        _IN_PRESSES,
    ),
]
