"""Why a worker should stop, heard from its server; and its end when the server dies.

A server that dies cannot ask. Its pipe closes, which a thread of the worker hears: the work has a moment to
reach its next step, then the process ends. A thread needs Python's lock, though, which loading a library or
compiling can hold for seconds. So the kernel keeps a second watch that needs nothing of Python's.
Imports only the standard library: this is set up before anything else is loaded.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

CANCELLED, INTERRUPTED = "cancelled", "interrupted"
GONE_STATUS = 75

_GONE_SECONDS = 0.8
_PR_SET_PDEATHSIG = 1


class StopSignal:
    """Whether, and why, this worker should stop: `reason` is "" while it should not."""

    def __init__(self) -> None:
        self.reason = ""
        self.finished = threading.Event()
        self.on_overdue: Callable[[], None] = lambda: None

    def listen(self) -> None:
        """Watch the pipe from the server in a thread, and have the kernel end us a second after it dies."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop(INTERRUPTED))
        if sys.platform == "linux":
            _end_after_parent()
        threading.Thread(target=self._watch, name="stop-signal", daemon=True).start()

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason

    def _watch(self) -> None:
        # os.read, since a daemon thread inside sys.stdin would make the interpreter's exit fail.
        received = b""
        while chunk := os.read(0, 256):
            received += chunk
            if b"cancel\n" in received:
                self._stop(CANCELLED)
        self._stop(INTERRUPTED)
        if not self.finished.wait(_GONE_SECONDS):
            self.on_overdue()
            os._exit(GONE_STATUS)


def _end_after_parent() -> None:
    """Ask the kernel for SIGHUP when the parent dies, handled by C's `alarm` itself.

    A handler gets the number of its signal, and SIGHUP is 1: `alarm(1)` makes the kernel send SIGALRM a
    second later, which ends the process. No Python runs in between. A parent that died before this line
    has closed the pipe, which the thread hears.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    libc.signal(signal.SIGHUP, ctypes.cast(libc.alarm, ctypes.c_void_p))
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
