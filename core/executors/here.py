"""This process, one call after the other, in a thread of its own so that the driver hears of it meanwhile."""

from __future__ import annotations

import contextvars
import ctypes
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from core.errors import Cancelled
from core.executors.backend import Backend, Event, Kept
from core.executors.base import EXECUTORS, Executor
from core.executors.calling import performed
from core.executors.calls import Call, Desk, Node
from core.executors.machine import node_name, this_node
from core.executors.session import Session

_POLITE_SECONDS = 0.5
_FORCED_SECONDS = 1.0


class _Stopped(BaseException):
    """Raised inside a call that does not look whether it is cancelled."""


class _Here(Backend):
    def __init__(self, shared: Mapping[str, bytes]) -> None:
        self._shared = dict(shared)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()

    @property
    def slots(self) -> int:
        return 1

    def nodes(self) -> list[Node]:
        busy = self._thread is not None and self._thread.is_alive()
        return [this_node(1, int(busy))]

    def submit(self, ticket: int, call: Call) -> None:
        cancelled = self._cancelled = threading.Event()
        events = self._events

        def keep(checkpoint: bytes, fraction: float) -> None:
            if cancelled.is_set():
                raise Cancelled("Cancelled.")
            events.put(Kept(ticket, checkpoint, fraction))

        def work() -> None:
            with suppress(_Stopped):
                desk = Desk(self._shared, call.checkpoint, keep, cancelled.is_set)
                events.put(performed(ticket, call.function, call.payload, desk, node_name()))

        # With what the driver's thread has set for itself, such as a device.
        run = partial(contextvars.copy_context().run, work)
        self._thread = threading.Thread(target=run, name=f"call-{call.key}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> list[Event]:
        try:
            return [self._events.get(timeout=seconds)]
        except queue.Empty:
            return []

    def stop(self) -> None:
        thread = self._thread
        self._cancelled.set()
        if thread is None:
            return
        thread.join(_POLITE_SECONDS)
        if thread.is_alive() and thread.ident is not None:
            # Between two of its bytecodes. Inside a long call of a library nothing stops a thread but the process's end.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(_Stopped)
            )
            thread.join(_FORCED_SECONDS)


@EXECUTORS.register("here")
class Here(Executor):
    """Runs calls in this process, one after the other."""

    label = "This process"
    source = "Python's threading"

    @contextmanager
    def opened(self, shared: Mapping[str, bytes]) -> Iterator[Session]:
        """See `Executor.opened`."""
        backend = _Here(shared)
        try:
            yield Session(backend)
        finally:
            backend.stop()
