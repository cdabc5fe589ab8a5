"""A Ray cluster, by the address of its head.

The driver itself does not load Ray: a process of its own speaks with the cluster (`core.executors.ray_link`).
"""

from __future__ import annotations

import importlib.util
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from pydantic import Field

from core.config import BaseConfig, JsonObject
from core.errors import CoreError, InvalidInput
from core.executors.backend import Backend, Event, Kept, Lost
from core.executors.base import EXECUTORS, Executor
from core.executors.calling import ROOT
from core.executors.calls import Call, Node
from core.executors.events_json import heard
from core.executors.frames import read_frame, write_frame
from core.executors.machine import code_hash, torch_version
from core.executors.ray_demand import MOST
from core.executors.session import RESUME, Session

_OPEN_SECONDS, _LOOK_SECONDS = 90.0, 20.0
_STOP_SECONDS = 1.5
_MOST_ENDS = 4
"""So often a connection ends before its session is given up."""
_Frame = tuple[JsonObject, bytes]


class _Ray(Backend):
    """The driver's end of the link."""

    def __init__(self, address: str, shared: Mapping[str, bytes], *, work: bool) -> None:
        self._address, self._shared, self._work = address, shared, work
        self._running: set[int] = set()
        self._ends = 0
        self._start()

    def _start(self) -> None:
        self._wanted: int | None = None
        self._frames: queue.SimpleQueue[_Frame | None] = queue.SimpleQueue()
        self._later: deque[_Frame] = deque()  # heard while nodes were asked for
        self._nodes: list[Node] = []
        self._said: deque[str] = deque(maxlen=40)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.executors.ray_link"],
            cwd=ROOT,
            env={"RAY_BACKEND_LOG_LEVEL": "error", **os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        threading.Thread(target=_read, args=(self._process.stdout, self._frames), daemon=True).start()
        threading.Thread(target=_read_log, args=(self._process.stderr, self._said), daemon=True).start()
        self._write(
            {
                "address": self._address,
                "work": self._work,
                "code": code_hash(),
                "torch": torch_version(),
                "shared": [[name, len(value)] for name, value in self._shared.items()],
            },
            b"".join(self._shared.values()),
        )

    def _start_again(self) -> None:
        """Connect anew: Ray ends the process that uses it at faults of its own, among them a call that ends as it is cancelled.

        Raises:
            CoreError: there is no cluster any more.
        """
        ended = f"The connection to the Ray cluster has ended. {RESUME}"
        self._ends += 1
        print("\n".join(self._said), file=sys.stderr)
        if self._ends >= _MOST_ENDS or not self._nodes:
            self._frames.put(None)  # whoever asks again hears it again
            raise CoreError(ended)
        print("The connection to the Ray cluster has ended: connecting again.", file=sys.stderr)
        self.close()
        self._start()
        try:
            self.until_known(self._address, patience=_LOOK_SECONDS)
        except CoreError as error:
            raise CoreError(ended) from error

    def _write(self, head: JsonObject, body: bytes = b"") -> None:
        assert self._process.stdin is not None
        # A link that has ended is heard of by its reader.
        with suppress(OSError, ValueError):
            write_frame(self._process.stdin, head, body)

    def until_known(self, address: str, *, patience: float) -> None:
        """Wait until every node that is there has said what it computes with; at most so many seconds.

        Raises:
            CoreError: there is none with a core.
        """
        deadline = time.monotonic() + patience
        while not (computing := [node for node in self._nodes if node.alive and node.cores]) or not all(
            node.code or node.refused for node in computing
        ):
            if time.monotonic() > deadline:
                if computing:  # who has not answered yet is used when it has
                    return
                raise CoreError(
                    f"The Ray cluster at {address} has no node that computes: start one with `ray start --address={address}`. "
                    "(Where Ray starts machines by itself, a run asks it for the first one.)"
                )
            self.wait(1.0)

    @property
    def slots(self) -> int:
        return sum(node.cores for node in self._nodes if node.alive and node.code and not node.refused)

    def nodes(self) -> list[Node]:
        with suppress(queue.Empty):
            while True:
                frame = self._frames.get_nowait()
                if frame is not None and frame[0]["event"] == "nodes":
                    self._hear_nodes(frame[0]["nodes"])
                    continue
                if frame is None:
                    self._frames.put(None)  # for who waits, even if what came before is not wanted any more
                    break
                self._later.append(frame)
        return list(self._nodes)

    def submit(self, ticket: int, call: Call) -> None:
        self._running.add(ticket)
        at = None if call.checkpoint is None else len(call.payload)
        head: JsonObject = {
            "command": "submit",
            "ticket": ticket,
            "function": call.function,
            "checkpoint": at,
        }
        self._write(head, call.payload + (call.checkpoint or b""))

    def want(self, waiting: int) -> None:
        waiting = min(waiting, MOST)
        if waiting != self._wanted:
            self._wanted = waiting
            self._write({"command": "want", "waiting": waiting})

    def wait(self, seconds: float) -> list[Event]:
        try:
            frame = self._later.popleft() if self._later else self._frames.get(timeout=seconds)
        except queue.Empty:
            return []
        if frame is None:
            self._start_again()
            lost, self._running = sorted(self._running), set()
            return [Lost(ticket, "the connection to the Ray cluster ended") for ticket in lost]
        event = self._event(*frame)
        return [] if event is None else [event]

    def _event(self, head: JsonObject, body: bytes) -> Event | None:
        match head["event"]:
            case "nodes":
                self._hear_nodes(head["nodes"])
                return None
            case "unusable":
                raise CoreError(str(head["sentence"]))
            case "gone":
                raise CoreError(f"The head of the Ray cluster has gone. {RESUME}")
            case "stopped":
                return None
        event = heard(head, body)
        if not isinstance(event, Kept):
            self._running.discard(event.ticket)
        return event

    def _hear_nodes(self, found: Any) -> None:
        before = {node.name for node in self._nodes if node.refused}
        self._nodes = [Node(**each) for each in found]
        for node in self._nodes:
            if node.refused and node.name not in before:
                print(f"Not used: {node.refused}", file=sys.stderr)

    def stop(self) -> None:
        self._later.clear()
        self._running.clear()
        self._write({"command": "stop"})
        deadline = time.monotonic() + _STOP_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty):
                frame = self._frames.get(timeout=left)
                if frame is None:
                    self._frames.put(None)
                    return
                if frame[0]["event"] == "stopped":
                    return
                if frame[0]["event"] == "nodes":
                    self._hear_nodes(frame[0]["nodes"])
        # It does not answer: Ray ends what a driver has started when the driver is gone.
        self._process.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self._process.kill()
        self._process.wait()


def _read(pipe: IO[bytes], frames: queue.SimpleQueue[_Frame | None]) -> None:
    with pipe:
        while (frame := read_frame(pipe)) is not None:
            frames.put(frame)
    frames.put(None)


def _read_log(pipe: IO[bytes], said: deque[str]) -> None:
    """What Ray prints is of interest only when something has gone wrong."""
    with pipe:
        for line in pipe:
            said.append(line.decode(errors="replace").rstrip())


@EXECUTORS.register("ray")
class Ray(Executor):
    """Runs calls on the nodes of a Ray cluster, one per core."""

    label = "Ray"
    source = "Moritz et al., Ray: a distributed framework for emerging AI applications, OSDI 2018"

    class Config(BaseConfig):
        """Where the cluster is."""

        address: str = Field(
            "auto", min_length=1, description="host:port of its head; auto for this machine's"
        )

    @contextmanager
    def opened(self, shared: Mapping[str, bytes]) -> Iterator[Session]:
        """See `Executor.opened`; besides, every node that is there has the driver's code and torch.

        Raises:
            InvalidInput: Ray is not installed, or a node differs; the sentence names it.
            CoreError: there is no cluster, or none that can be used from this machine.
        """
        with _connected(self.config.address, shared, work=True) as backend:
            if refused := [node.refused for node in backend.nodes() if node.alive and node.refused]:
                raise InvalidInput(" ".join(refused))
            yield Session(backend)


def nodes_at(address: str) -> list[Node]:
    """The nodes of a cluster, those that would be refused too; takes seconds.

    Args:
        address: host:port of its head.

    Raises:
        CoreError: see `Ray.opened`.
    """
    with _connected(address, {}, work=False) as backend:
        return backend.nodes()


@contextmanager
def _connected(address: str, shared: Mapping[str, bytes], *, work: bool) -> Iterator[_Ray]:
    if importlib.util.find_spec("ray") is None:
        raise InvalidInput(
            "PARETOSCOPE_RAY_ADDRESS is set, and Ray is not installed: pip install -r requirements-cluster.txt"
        )
    backend = _Ray(address, shared, work=work)
    try:
        backend.until_known(address, patience=_OPEN_SECONDS if work else _LOOK_SECONDS)
        yield backend
    finally:
        backend.close()
