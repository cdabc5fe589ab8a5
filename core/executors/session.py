"""Running calls: how many at once, what is told of them, what is started again, and that each comes back once."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from core import errors
from core.errors import CoreError
from core.executors.backend import Backend, Event, Failed, Finished, Kept, Lost
from core.executors.calls import Call, Done, Node

RESUME = "What was measured is kept: resume the run to go on."
MOST_LOSSES = 4
"""A call that was lost so often is believed to be the reason itself."""
_HEARTBEAT_SECONDS = 0.4
_ASK_AGAIN_SECONDS = 0.05
_ALONE_SECONDS = 120.0
"""Without any slot, for so long: nodes may be on their way."""


def _ignore(key: str, checkpoint: bytes, fraction: float) -> None:
    """For who keeps nothing."""


def _at_least_one() -> int:
    """For who does not know how many calls there will be."""
    return 1


@dataclass
class _Start:
    call: Call
    losses: int = 0


@dataclass
class _Run:
    """What one `run` knows: its starts by ticket, and what waits to be started again."""

    source: Iterator[Call | None]
    running: dict[int, _Start] = field(default_factory=dict)
    again: deque[_Start] = field(default_factory=deque)
    keys: set[str] = field(default_factory=set)
    more: bool = True
    asked: bool = False  # the source said to wait for another result


class Session:
    """An opened executor."""

    def __init__(self, backend: Backend) -> None:
        """Made by an executor, around the place it has opened."""
        self._backend = backend
        self._tickets = 0
        self._busy = False
        self._done: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()

    @property
    def slots(self) -> int:
        """Calls that run at once now; a cluster may grow and shrink."""
        return self._backend.slots

    def nodes(self) -> list[Node]:
        """The machines, with what they have done for this session."""
        return [
            replace(node, done=self._done[node.name], seconds=float(self._seconds[node.name]))
            for node in self._backend.nodes()
        ]

    def run(
        self,
        calls: Iterable[Call | None],
        *,
        keep: Callable[[str, bytes, float], None] = _ignore,
        waiting: Callable[[], int] = _at_least_one,
    ) -> Iterator[Done | None]:
        """Run calls; each key comes back exactly once, in the order of completion, whatever was started again.

        Args:
            calls: the next one is taken only when a slot is free, so that a generator may decide with what it has been
                told meanwhile. None means that there is nothing to give before another result has come.
            keep: called in this thread with key, checkpoint and fraction whenever a call hands one over.
            waiting: about how many calls are yet to be taken, asked while all slots are full: a cluster that grows with
                what waits is told.

        Yields:
            What was done; None at least every half second while nothing was, so that the caller can report and stop.
            Closing the iterator ends what runs within 2 seconds.

        Raises:
            CoreError: a function raised it, of its class and with its sentence; a function raised anything else; a call
                was lost again and again; or the place is gone.
        """
        if self._busy:
            raise RuntimeError("a session runs one iterator of calls at a time")
        self._busy = True
        run = _Run(iter(calls))
        try:
            yield from self._run(run, keep, waiting)
        finally:
            self._busy = False
            self._backend.want(0)
            if run.running:
                self._backend.stop()

    def _run(
        self, run: _Run, keep: Callable[[str, bytes, float], None], waiting: Callable[[], int]
    ) -> Iterator[Done | None]:
        seen = alone = time.monotonic()
        while True:
            self._fill(run)
            self._backend.want(self._waiting(run, waiting))
            if not (run.running or run.again or run.more):
                return
            alone = time.monotonic() if run.running or self.slots else alone
            if time.monotonic() - alone > _ALONE_SECONDS:
                raise CoreError(
                    f"Nobody has been there to compute for {_ALONE_SECONDS:.0f} seconds. {RESUME}"
                )
            idle = run.asked and not run.running
            # What a place hears of itself ends a wait without an event: the next is as much shorter.
            due = max(0.01, seen + _HEARTBEAT_SECONDS - time.monotonic())
            for event in self._backend.wait(_ASK_AGAIN_SECONDS if idle else due):
                done = self._heard(run, event, keep)
                if done is not None:
                    yield done
                    run.asked, seen = False, time.monotonic()
            if idle:
                run.asked = False
            if idle or time.monotonic() - seen >= _HEARTBEAT_SECONDS:
                yield None
                seen = time.monotonic()

    def _fill(self, run: _Run) -> None:
        while len(run.running) < self.slots:
            if run.again:
                self._start(run, run.again.popleft())
                continue
            if not run.more or run.asked:
                return
            try:
                call = next(run.source)
            except StopIteration:
                run.more = False
                return
            if call is None:
                run.asked = True
                return
            if call.key in run.keys:
                raise ValueError(f"two calls have the key {call.key!r}")
            run.keys.add(call.key)
            self._start(run, _Start(call))

    def _waiting(self, run: _Run, waiting: Callable[[], int]) -> int:
        if len(run.running) < self.slots:
            return 0
        return len(run.again) + (max(1, waiting()) if run.more and not run.asked else 0)

    def _start(self, run: _Run, start: _Start) -> None:
        self._tickets += 1
        run.running[self._tickets] = start
        self._backend.submit(self._tickets, start.call)

    def _heard(self, run: _Run, event: Event, keep: Callable[[str, bytes, float], None]) -> Done | None:
        start = run.running.get(event.ticket)
        if start is None:  # of a start that was given up, or of an earlier run
            return None
        call = start.call
        if isinstance(event, Kept):
            start.call = replace(call, checkpoint=event.checkpoint)
            keep(call.key, event.checkpoint, event.fraction)
            return None
        del run.running[event.ticket]
        if isinstance(event, Finished):
            self._done[event.node] += 1
            self._seconds[event.node] += event.seconds  # type: ignore[assignment]
            return Done(call.key, event.value, event.node, event.seconds)
        if isinstance(event, Failed):
            raise _error(call, event)
        assert isinstance(event, Lost)
        start.losses += 1
        if start.losses >= MOST_LOSSES:
            raise CoreError(
                f"{call.key} was started {start.losses} times, and each time {event.why}. {RESUME}"
            )
        print(f"{call.key} is started again: {event.why}.", file=sys.stderr)
        run.again.append(start)
        return None


def _error(call: Call, event: Failed) -> CoreError:
    kind = getattr(errors, event.error, None) if event.error else None
    if isinstance(kind, type) and issubclass(kind, CoreError):
        return kind(event.sentence)
    return CoreError(
        f"{call.key} ({call.function}) stopped with an unexpected error: {event.sentence}. {RESUME}"
    )
