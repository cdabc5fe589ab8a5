"""A process that performs calls, one after the other: `python -m core.executors.process_worker FOLDER`.

Calls come on standard input and answers leave on what was standard output, which the functions themselves cannot
reach. When the input ends the driver wants no more, or is dead: the process ends, in the middle of a call if it must.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from core.config import JsonObject
from core.executors.backend import Kept
from core.executors.calling import performed
from core.executors.calls import Desk
from core.executors.events_json import said
from core.executors.frames import read_frame, write_frame
from core.executors.machine import node_name

GONE_STATUS = 75
_GONE_SECONDS = 1.0


class SharedFiles(Mapping[str, bytes]):
    """What is shared, read from files when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds shared.json, name -> file."""
        self._folder = folder
        self._files: dict[str, str] = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
        self._read: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        if name not in self._read:
            self._read[name] = (self._folder / self._files[name]).read_bytes()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def main(folder: str) -> int:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver
    answers: BinaryIO = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints goes to the log
    cancelled = threading.Event()
    calls: queue.SimpleQueue[tuple[JsonObject, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls, cancelled), daemon=True).start()
    shared = SharedFiles(Path(folder))
    while True:
        head, body = calls.get()
        ticket, at = int(str(head["ticket"])), head["checkpoint"]
        # The body is the payload, then the checkpoint if there is one.
        payload, checkpoint = (body, None) if at is None else (body[: int(str(at))], body[int(str(at)) :])

        def keep(checkpoint: bytes, fraction: float, ticket: int = ticket) -> None:
            write_frame(answers, *said(Kept(ticket, checkpoint, fraction)))

        desk = Desk(shared, checkpoint, keep, cancelled.is_set)
        write_frame(answers, *said(performed(ticket, str(head["function"]), payload, desk, node_name())))


def _listen(calls: queue.SimpleQueue[tuple[JsonObject, bytes]], cancelled: threading.Event) -> None:
    with os.fdopen(os.dup(0), "rb") as pipe:
        while (frame := read_frame(pipe)) is not None:
            calls.put(frame)
    cancelled.set()
    time.sleep(_GONE_SECONDS)
    os._exit(GONE_STATUS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
