"""An executor for tests that runs calls in this process, several times and in another order, as a cluster may."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from core.config import BaseConfig
from core.executors import Call, Desk, Executor, Node, Session
from core.executors.backend import Backend, Event, Lost
from core.executors.calling import performed
from core.executors.machine import this_node


class ShuffledBackend(Backend):
    """Four slots; every third call is lost the first time, every second answers twice."""

    slots = 4  # type: ignore[assignment]

    def __init__(self, shared: Mapping[str, bytes], seed: int) -> None:
        self._shared = dict(shared)
        self._rng = random.Random(seed)
        self._waiting: list[tuple[int, Call]] = []
        self._lost: set[str] = set()
        self.performed: list[str] = []

    def nodes(self) -> list[Node]:
        return [this_node(4, len(self._waiting))]

    def submit(self, ticket: int, call: Call) -> None:
        self._waiting.append((ticket, call))

    def wait(self, seconds: float) -> list[Event]:
        if not self._waiting:
            return []
        self._rng.shuffle(self._waiting)
        ticket, call = self._waiting.pop()
        desk = Desk(self._shared, call.checkpoint, lambda checkpoint, fraction: None, lambda: False)
        self.performed.append(call.key)
        done = performed(ticket, call.function, call.payload, desk, "here")
        if len(self.performed) % 3 == 0 and call.key not in self._lost:
            self._lost.add(call.key)
            return [Lost(ticket, "the test wanted it"), done]  # its answer comes all the same, too late
        return [done, done] if len(self.performed) % 2 else [done]

    def stop(self) -> None:
        self._waiting.clear()


class Shuffled(Executor):
    """See `ShuffledBackend`."""

    name = "shuffled"
    label = "Shuffled"
    source = "a test"

    def __init__(self, seed: int = 0, config: BaseConfig | None = None) -> None:
        super().__init__(config)
        self._seed = seed

    @contextmanager
    def opened(self, shared: Mapping[str, bytes]) -> Iterator[Session]:
        """See `Executor.opened`."""
        self.backend = ShuffledBackend(shared, self._seed)
        yield Session(self.backend)
