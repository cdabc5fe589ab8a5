"""What runs on the nodes of a Ray cluster: a call, what a node is, and the keeper of checkpoints.

Ray transports bytes that we packed. A node finds this module in its own copy of the project; a copy that differs from
the driver's computes nothing. The keeper lives beside the driver, so that what a call handed over outlives its node.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, cast

from core.errors import Cancelled
from core.executors.backend import Kept, Lost
from core.executors.calling import performed
from core.executors.calls import Desk
from core.executors.events_json import said
from core.executors.frames import packed, unpacked
from core.executors.machine import code_hash, node_name, torch_version

Reference = Any
"""Ray's own, of something in its store."""
_KEEP_SECONDS = 10.0


class _Gone(BaseException):
    """What is shared cannot be had any more: no fault of the call's."""


class _Shared(Mapping[str, bytes]):
    """What is shared, from the store of this node when it is first asked for."""

    def __init__(self, refs: Mapping[str, Reference]) -> None:
        self._refs: Mapping[str, Any] = refs
        self._read: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        import ray

        if name not in self._read:
            reference = self._refs[name]
            try:
                self._read[name] = cast(bytes, ray.get(reference))
            except ray.exceptions.RayError as error:
                raise _Gone from error
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._refs)

    def __len__(self) -> int:
        return len(self._refs)


_shared: dict[str, _Shared] = {}
"""Of the newest session that computes in this process."""


class Keeper:
    """The newest checkpoint of each call, until the driver takes it."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}

    def put(self, ticket: int, event: bytes) -> None:
        """Keep a packed event."""
        self._kept[ticket] = event

    def take(self) -> list[bytes]:
        """All there is, which is not kept any longer."""
        taken, self._kept = list(self._kept.values()), {}
        return taken


def about() -> bytes:
    """What decides the bits that this node computes: code, torch; and its name."""
    return packed({"code": code_hash(), "torch": torch_version(), "host": node_name()})


def perform(told: bytes, refs: Mapping[str, Reference], keeper: Any) -> bytes:
    """Perform a call; its event, packed.

    Args:
        told: packed head (ticket, function, checkpoint, session, node, code, torch) with payload and checkpoint.
        refs: what is shared, as references.
        keeper: takes checkpoints.
    """
    head, body = unpacked(told)
    ticket, node = int(str(head["ticket"])), str(head["node"])
    if (head["code"], head["torch"]) != (code_hash(), torch_version()):
        return packed({"event": "other", "ticket": ticket}, b"")
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # before torch is loaded
    cancelled, at = threading.Event(), head["checkpoint"]
    payload, checkpoint = (body, None) if at is None else (body[: int(str(at))], body[int(str(at)) :])

    def keep(checkpoint: bytes, fraction: float) -> None:
        import ray

        if cancelled.is_set():
            raise Cancelled("Cancelled.")
        # Acknowledged, so that it outlives this process; work goes on where the keeper is gone.
        with suppress(ray.exceptions.RayError):
            event = packed(*said(Kept(ticket, checkpoint, fraction)))
            ray.get(keeper.put.remote(ticket, event), timeout=_KEEP_SECONDS)

    session = str(head["session"])
    if session not in _shared:
        _shared.clear()
        _shared[session] = _Shared(refs)
    desk = Desk(_shared[session], checkpoint, keep, cancelled.is_set)
    try:
        with _told_by_interrupt(cancelled):
            return packed(*said(performed(ticket, str(head["function"]), payload, desk, node)))
    except _Gone:
        return packed(*said(Lost(ticket, "what is shared could not be read on its node")))


@contextmanager
def _told_by_interrupt(cancelled: threading.Event) -> Iterator[None]:
    """Ray interrupts a task that it cancels: here that raises nothing in the middle of a call, and is word to it."""
    before = signal.signal(signal.SIGINT, lambda *_: cancelled.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
