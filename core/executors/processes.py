"""Several processes of this machine, each with one torch thread.

Fresh Python processes, never forks, which can hang on torch's live state. What is shared lies in files that each reads
when it is first asked for. Processes are started as calls come and stay for the session.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import Field

from core.config import BaseConfig, JsonObject
from core.executors.backend import Backend, Event, Lost
from core.executors.base import EXECUTORS, Executor
from core.executors.calling import ROOT
from core.executors.calls import Call, Node
from core.executors.events_json import heard
from core.executors.frames import read_frame, write_frame
from core.executors.machine import this_node
from core.executors.session import Session

_POLITE_SECONDS = 0.3
_Message = tuple["_Worker", tuple[JsonObject, bytes] | None]


class _Worker:
    """One process, and the ticket of the call it performs."""

    def __init__(self, folder: Path, messages: queue.SimpleQueue[_Message]) -> None:
        self.ticket: int | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.executors.process_worker", str(folder)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, args=(messages,), daemon=True)
        self._reader.start()

    def _read(self, messages: queue.SimpleQueue[_Message]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as pipe:
            while (frame := read_frame(pipe)) is not None:
                messages.put((self, frame))
        messages.put((self, None))

    def begin(self, ticket: int, call: Call) -> None:
        self.ticket = ticket
        at = None if call.checkpoint is None else len(call.payload)
        assert self.process.stdin is not None
        # One that has died is heard of by its reader.
        with suppress(OSError):
            write_frame(
                self.process.stdin,
                {"ticket": ticket, "function": call.function, "checkpoint": at},
                call.payload + (call.checkpoint or b""),
            )

    def ask_to_end(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def end(self, deadline: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        self.process.kill()
        self.process.wait()
        self._reader.join(1.0)

    def how_it_ended(self) -> str:
        code = self.process.wait()
        if code >= 0:
            return f"its process ended early (status {code})"
        name = signal.Signals(-code).name
        hint = ", often because memory ran out" if -code == signal.SIGKILL else ""
        return f"its process was ended by the system ({name}{hint})"


class _Processes(Backend):
    def __init__(self, n: int, folder: Path) -> None:
        self._n, self._folder = n, folder
        self._workers: list[_Worker] = []
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()

    @property
    def slots(self) -> int:
        return self._n

    def nodes(self) -> list[Node]:
        return [this_node(self._n, sum(worker.ticket is not None for worker in self._workers))]

    def submit(self, ticket: int, call: Call) -> None:
        worker = next((each for each in self._workers if each.ticket is None), None)
        if worker is None:
            worker = _Worker(self._folder, self._messages)
            self._workers.append(worker)
        worker.begin(ticket, call)

    def wait(self, seconds: float) -> list[Event]:
        try:
            worker, frame = self._messages.get(timeout=seconds)
        except queue.Empty:
            return []
        if frame is not None:
            head, body = frame
            if head["event"] != "kept":
                worker.ticket = None
            return [heard(head, body)]
        if worker not in self._workers:  # ended on purpose
            return []
        self._workers.remove(worker)
        worker.ask_to_end()
        return [] if worker.ticket is None else [Lost(worker.ticket, worker.how_it_ended())]

    def stop(self) -> None:
        self._end([worker for worker in self._workers if worker.ticket is not None])

    def close(self) -> None:
        self._end(list(self._workers))

    def _end(self, workers: list[_Worker]) -> None:
        self._workers = [each for each in self._workers if each not in workers]
        for worker in workers:
            worker.ask_to_end()
        deadline = time.monotonic() + _POLITE_SECONDS
        for worker in workers:
            worker.end(deadline if worker.ticket is not None else 0.0)


@EXECUTORS.register("processes")
class Processes(Executor):
    """Runs calls in several processes of this machine."""

    label = "Processes"
    source = "Python's subprocess"

    class Config(BaseConfig):
        """How many processes."""

        processes: int = Field(2, ge=1, le=1024, description="Calls at once")

    @contextmanager
    def opened(self, shared: Mapping[str, bytes]) -> Iterator[Session]:
        """See `Executor.opened`."""
        with tempfile.TemporaryDirectory(prefix="paretoscope-calls-") as name:
            folder = Path(name)
            files = {each: f"shared{index}" for index, each in enumerate(shared)}
            for each, file in files.items():
                (folder / file).write_bytes(shared[each])
            (folder / "shared.json").write_text(json.dumps(files), encoding="utf-8")
            backend = _Processes(self.config.processes, folder)
            try:
                yield Session(backend)
            finally:
                backend.close()
