"""Long work in parts that need nothing of each other: one after the other here, or as calls of an executor.

A part is a generator with a ledger of its own that returns bytes: wherever it runs it is the same code, so its result is
the same to the last bit. Only the driver writes to the run's record. It writes the numbers of a part down as they come,
and keeps the last checkpoint of every part that is at work: a part whose node is lost goes on from there, and so does
every part of a run whose driver was lost. What a part returns and the files it made come back together, once; whoever
owns the run writes down that the part is done.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from core.errors import Cancelled, CoreError, DamagedArtifact
from core.executors.calls import Call
from core.library.packed import is_packed, pack, unpack
from core.library.part_rows import PLACES, Places
from core.records import Metrics, Progress
from core.store.ledger import MemoryLedger
from core.words import format_count

if TYPE_CHECKING:
    from core.executors.base import Executor
    from core.executors.calls import Desk
    from core.ledger import Ledger

Steps = Generator[Progress, None, bytes]
"""Progress of one part, from 0 to 1; returns its result."""

_SAY_SECONDS = 1.0
"""A part elsewhere says how far it is so often."""
_MOST_SAID = 1 << 20
"""With a checkpoint larger than this it says so only when there is a new one."""
_CHECKPOINT_SHARE = 0.1
"""Of the time, where several parts are at work: writing all their checkpoints may take this much."""


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a run's work.

    Attributes:
        index: which one, from 0; its name in checkpoints.
        steps: does it in this process, with a ledger of its own.
        function, payload: do it elsewhere (`core.executors.calls.Call`); the payload is made when its turn comes.
        work: how much it is, in any unit.
    """

    index: int
    steps: Callable[[Ledger], Steps]
    function: str
    payload: Callable[[], bytes]
    work: float = 1.0


@dataclass(frozen=True)
class PartDone:
    """What a part came to.

    Attributes:
        value: what its generator returned.
        files: artifacts it made, name -> (bytes, media type).
    """

    index: int
    value: bytes
    files: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)


class PartLedger(MemoryLedger):
    """The ledger of a part: what it writes stays here, and is handed on with each checkpoint.

    Args:
        state: what an earlier attempt handed on, None for a first one.
        hand: takes the state whenever there is a checkpoint.
    """

    def __init__(self, state: bytes | None, hand: Callable[[bytes], None]) -> None:
        super().__init__()
        self._hand = hand
        self.files: dict[str, tuple[bytes, str]] = {}
        checkpoint, rows = read_state(state)
        self._checkpoint = checkpoint
        for row in rows:
            super().log_metrics(int(row["step"]), {n: v for n, v in row.items() if n != "step"})

    @property
    def state(self) -> bytes:
        """Its checkpoint with the numbers so far."""
        return dump_state(self._checkpoint, self.metrics())

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        super().checkpoint(data, fraction=fraction)
        self._hand(self.state)

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        self.files[name] = (data, media_type)
        return super().save_artifact(name, data, media_type)


def dump_state(checkpoint: bytes | None, rows: Sequence[Metrics], said: str = "") -> bytes:
    """Where a part stands, as bytes."""
    pieces = {"about": json.dumps({"rows": list(rows), "said": said}).encode()}
    return pack(pieces if checkpoint is None else {**pieces, "checkpoint": checkpoint})


def read_state(state: bytes | None) -> tuple[bytes | None, list[Metrics]]:
    """The checkpoint and the numbers in a state."""
    if state is None:
        return None, []
    pieces = unpack(state)
    return pieces.get("checkpoint"), json.loads(pieces["about"])["rows"]


def at_desk(desk: Desk, steps: Callable[[Ledger], Steps]) -> bytes:
    """Do a part where a call runs; returns what `done_in_parts` reads.

    Args:
        desk: of the call; gets the state at every checkpoint, and now and then how far it is.
        steps: the part.

    Raises:
        Cancelled: nobody wants the result any more.
    """
    fraction, due, said = 0.0, time.monotonic() + _SAY_SECONDS, ""

    def hand(state: bytes) -> None:
        # The message of the last step comes along: the state is the newest one all the same.
        checkpoint, rows = read_state(state)
        desk.keep(dump_state(checkpoint, rows, said), fraction)

    ledger = PartLedger(desk.checkpoint, hand)
    running = steps(ledger)
    while True:
        try:
            step = next(running)
        except StopIteration as stop:
            return _result(stop.value, ledger)
        if desk.cancelled:
            running.close()
            raise Cancelled("Cancelled.")
        fraction, said = max(fraction, step.fraction), step.message
        if time.monotonic() >= due and len(ledger.state) < _MOST_SAID:
            hand(ledger.state)
            due = time.monotonic() + _SAY_SECONDS


T = TypeVar("T")


def stretch(
    steps: Generator[Progress, None, T], what: str, *, begins: float = 0.0, share: float = 1.0
) -> Generator[Progress, None, T]:
    """One stretch of a part's work; returns what it returns.

    Args:
        steps: with fractions of the stretch.
        what: is done, for messages.
        begins, share: where in the part it begins, and how much of it it is.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            found: T = stop.value
            return found
        yield Progress(begins + share * step.fraction, f"{what}: {step.message}", step.metrics)


def _result(value: bytes, ledger: PartLedger) -> bytes:
    media = {name: kind for name, (_, kind) in ledger.files.items()}
    about = json.dumps({"media": media, "rows": ledger.metrics()}).encode()
    files = {f"file {name}": data for name, (data, _) in ledger.files.items()}
    return pack({"value": value, "about": about, **files})


def done_in_parts(
    parts: Sequence[Part],
    executor: Executor,
    shared: Callable[[], Mapping[str, bytes]],
    ledger: Ledger,
    *,
    done: float = 0.0,
    what: str = "parts",
    places: Places = PLACES,
    earlier: Callable[[bytes], tuple[int, bytes]] | None = None,
) -> Iterator[Progress | PartDone]:
    """Do what is left of a run; yields how far all of it is, and each part as it is done.

    Whoever iterates writes a part down before it asks for the next step: then no finished part is done again.

    Args:
        parts: those that are not done.
        executor: where; in this process they are done one after the other, without one.
        shared: bytes that parts elsewhere need; asked for only if any runs elsewhere.
        ledger: the run's record.
        done: work of the parts that were done before, in the unit of `Part.work`.
        what: what parts are, for messages.
        places: where the numbers of parts stand in the record.
        earlier: reads a part and its checkpoint from that of an earlier release, which was that of the part at work.
    """
    if not parts:
        return
    run = _Run(parts, ledger, done=done, what=what, places=places, earlier=earlier)
    if executor.name == "here":
        for part in parts:
            yield from run.here(part)
        return
    with executor.opened(shared()) as session:
        left = deque(parts)

        def calls() -> Iterator[Call]:
            while left:
                part = left.popleft()
                yield Call(run.key(part), part.function, part.payload(), run.state(part.index))

        running = session.run(calls(), keep=run.keep, waiting=lambda: len(left))
        try:
            with closing(running) as results:  # type: ignore[type-var]
                for result in results:
                    if result is not None:
                        yield run.finished(result.key, result.value)
                    run.keep_all(now=False)
                    yield run.progress(session.slots)
        finally:
            # Cancelled or failed: what the next checkpoint would have held.
            with suppress(CoreError):
                run.keep_all(now=True)


class _Run:
    """The driver's side: states and fractions of the parts at work."""

    def __init__(
        self,
        parts: Sequence[Part],
        ledger: Ledger,
        *,
        done: float,
        what: str,
        places: Places,
        earlier: Callable[[bytes], tuple[int, bytes]] | None,
    ) -> None:
        self._ledger, self._what, self._left, self._places = ledger, what, len(parts), places
        self._work = {part.index: part.work for part in parts}
        self._done, self._of = done, done + sum(self._work.values())
        self._fractions: dict[int, float] = {}
        self._said: dict[int, str] = {}
        self._checkpoints = {i: c for i, c in _kept(ledger, earlier).items() if i in self._work}
        self._due, self._unwritten = 0.0, False
        self._rows: dict[int, dict[int, Metrics]] = {
            index: {int(row["step"]): row for row in rows}
            for index, rows in places.parts(ledger.metrics()).items()
        }

    def key(self, part: Part) -> str:
        return f"part {part.index}"

    def state(self, index: int) -> bytes | None:
        """What a part goes on from; None if it has not begun."""
        checkpoint = self._checkpoints.get(index)
        return (
            None if checkpoint is None else dump_state(checkpoint, list(self._rows.get(index, {}).values()))
        )

    # --- in this process --------------------------------------------------------------------------

    def here(self, part: Part) -> Iterator[Progress | PartDone]:
        ledger = PartLedger(
            self.state(part.index), lambda state: self._keep_state(part.index, state, now=True)
        )
        running = part.steps(ledger)
        while True:
            try:
                step = next(running)
            except StopIteration as stop:
                self._log(part.index, ledger.metrics())
                self._over(part.index)
                yield PartDone(part.index, stop.value, ledger.files)
                return
            self._fractions[part.index] = step.fraction
            yield Progress(self._fraction, step.message, step.metrics)

    # --- elsewhere --------------------------------------------------------------------------------

    def keep(self, key: str, state: bytes, fraction: float) -> None:
        index = int(key.removeprefix("part "))
        self._fractions[index] = max(fraction, self._fractions.get(index, 0.0))
        self._said[index] = json.loads(unpack(state)["about"])["said"]
        self._keep_state(index, state, now=False)

    def finished(self, key: str, value: bytes) -> PartDone:
        index, pieces = int(key.removeprefix("part ")), unpack(value)
        about = json.loads(pieces["about"])
        self._log(index, about["rows"])
        self._over(index)
        files = {name: (pieces[f"file {name}"], kind) for name, kind in about["media"].items()}
        return PartDone(index, pieces["value"], files)

    def progress(self, slots: int) -> Progress:
        going = [self._said[index] for index in sorted(self._fractions) if self._said.get(index)]
        more = f"; {going[0]}" if going else ""
        places = f" in {format_count(slots)} places" if slots > 1 else ""
        return Progress(self._fraction, f"{format_count(self._left)} {self._what} left{places}{more}")

    # --- both -------------------------------------------------------------------------------------

    @property
    def _fraction(self) -> float:
        going = sum(self._work[index] * fraction for index, fraction in self._fractions.items())
        return min(1.0, (self._done + going) / self._of)

    def _over(self, index: int) -> None:
        self._done += self._work[index]
        self._left -= 1
        self._fractions.pop(index, None)
        self._said.pop(index, None)
        self._checkpoints.pop(index, None)

    def _keep_state(self, index: int, state: bytes, *, now: bool) -> None:
        checkpoint, rows = read_state(state)
        self._log(index, rows)
        if checkpoint is not None and checkpoint != self._checkpoints.get(index):
            self._checkpoints[index], self._unwritten = checkpoint, True
            self.keep_all(now=now)

    def _log(self, index: int, rows: Sequence[Metrics]) -> None:
        known = self._rows.setdefault(index, {})
        for row in rows:
            step = int(row["step"])
            if not _same(known.get(step), row):
                told = self._places.whole(index, row)
                self._ledger.log_metrics(int(told["step"]), {n: v for n, v in told.items() if n != "step"})
                known[step] = row

    def keep_all(self, *, now: bool) -> None:
        """Write the checkpoints of all parts at work down where there are new ones, unless that was done a moment ago."""
        started = time.monotonic()
        if self._unwritten and (now or started >= self._due):
            pieces = {str(index): data for index, data in sorted(self._checkpoints.items())}
            self._ledger.checkpoint(pack(pieces), fraction=self._fraction)
            self._unwritten = False
            self._due = time.monotonic() + (time.monotonic() - started) / _CHECKPOINT_SHARE


def _same(one: Metrics | None, other: Metrics) -> bool:
    """Whether two rows are equal, NaN being equal to itself."""
    return one is not None and (
        one == other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


def _kept(ledger: Ledger, earlier: Callable[[bytes], tuple[int, bytes]] | None) -> dict[int, bytes]:
    """Part -> its last checkpoint, as the record has them."""
    kept = ledger.latest_checkpoint()
    if kept is None:
        return {}
    if is_packed(kept):
        return {int(name): data for name, data in unpack(kept).items()}
    if earlier is None:
        raise DamagedArtifact("What this run kept of its parts cannot be read; start the run anew.")
    return dict([earlier(kept)])
