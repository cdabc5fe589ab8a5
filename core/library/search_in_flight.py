"""A search with several answers on their way: whatever is measured first is told first, and the next is asked for.

Nothing waits for the slowest of a batch. What is asked depends on the order in which answers come, so the order is what
the record keeps: measurements in the order they arrived, one step per answer. What else decides the questions (how many
are on their way, how many architectures each holds) is written down before the first is asked under it. A resumed run
builds the algorithm again, asks as often as it asked then, tells what is stored as it came, and so asks for exactly what
it would have asked for; what was on its way is measured again. Nothing is told twice and nothing is measured twice in one
run.

The metrics of each step say besides what every search says: `asked`, the number of the question; `knew`, how many answers
were told when it was asked; `in_flight`, how many others were on their way when it came.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import DamagedArtifact, InvalidInput
from core.library.front_so_far import FrontSoFar
from core.library.search_log import MOST_IDLE, OTHER_REQUEST, Limits, Spent, by_step, save, told_first
from core.records import Measurement, Metrics, Progress
from core.search import SearchAlgorithm
from core.spaces import Arch

if TYPE_CHECKING:
    from core.ledger import Ledger

Question = tuple[int, Sequence[Arch]]
"""Its number, and different architectures to measure together."""
Answer = tuple[int, Sequence[Measurement]]
"""Number of the question, and its measurements in any order."""
MeasureAtOnce = Callable[[Iterator[Question | None]], Generator[Answer | None]]
"""Takes the next question when it has room for one, None where there is none before another answer came; yields answers
as they come, and None now and then while it waits."""


@dataclass(frozen=True)
class Width:
    """How many questions are on their way at once, and how many architectures each holds at most."""

    questions: int
    most: int = 1

    def size(self, batch: int) -> int:
        """Architectures of the next question: a share of what the algorithm likes to be asked for at a time."""
        return batch if self.questions == 1 else max(1, min(self.most, -(-batch // self.questions)))


@dataclass(frozen=True)
class _Asked:
    """A question on its way.

    Attributes:
        every: architectures the algorithm gave.
        fresh: of them, those to be measured.
        knew: answers told when it was asked.
    """

    every: tuple[Arch, ...]
    fresh: tuple[Arch, ...]
    knew: int


def search_in_flight(
    limits: Limits,
    algorithm: SearchAlgorithm,
    measure: MeasureAtOnce,
    fixed: Mapping[str, float],
    ledger: Ledger,
    *,
    width: Callable[[], Width],
    from_runs: bool = False,
    earlier: Callable[[], list[Measurement]] = list,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Progress]:
    """Search with several questions on their way, or go on doing so.

    Args:
        limits: when to end; what is on its way then is still told.
        algorithm: fresh, and none that asks in batches.
        measure: measures several questions at once.
        fixed: objective -> reference value; what is missing is set by the first answer.
        ledger: the run's record; what it holds is repeated first.
        width: how many at once now; a cluster may grow.
        from_runs: whether earlier searches are told first.
        earlier: what they measured; called if that is not in the record yet.
        clock: seconds that only grow.

    Raises:
        InvalidInput: the record belongs to another request.
        DamagedArtifact: it does not say how many were on their way.
    """
    flight = _Flight(limits, algorithm, fixed, ledger, clock)
    stored = by_step(ledger)
    flight.told_first(told_first(from_runs, stored, earlier, ledger))
    flight.repeat(stored, width)
    with closing(measure(flight.questions())) as answers:
        while flight.waiting:
            with flight.spent.measuring():
                answer = next(answers)
            # Whoever measures may be late with an answer that came before, in another way: it is told once.
            if answer is not None and answer[0] in flight.waiting:
                flight.take(*answer)
                flight.write()
                flight.ask(width)
            yield flight.progress()
    flight.end()
    yield Progress(1.0, flight.last_words(), flight.metrics)


class _Flight:
    """The state of such a search."""

    def __init__(
        self,
        limits: Limits,
        algorithm: SearchAlgorithm,
        fixed: Mapping[str, float],
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self.limits, self.algorithm, self.ledger = limits, algorithm, ledger
        self.front = FrontSoFar(algorithm.problem, fixed)
        self.spent = Spent(clock)
        self.waiting: dict[int, _Asked] = {}
        self._queue: deque[int] = deque()
        self._known: dict[Arch, Measurement] = {}
        self._flying: set[Arch] = set()
        self._told = self._budget = self._numbers = self._answers = self._idle = 0
        self._widths = _widths(ledger)
        self._last: tuple[int, list[Measurement], Metrics] = (0, [], {})

    @property
    def metrics(self) -> dict[str, float]:
        return self.front.metrics | self.spent.metrics

    @property
    def _done(self) -> int:
        return len(self._known) - self._told

    def told_first(self, told: Sequence[Measurement]) -> None:
        """Take in what earlier searches measured, before the first question."""
        self.algorithm.tell(told)
        self.front.add(told, evaluated=False)
        self._known, self._told = {m.arch: m for m in told}, len(told)
        self._budget = min(self.limits.budget, self.algorithm.space.size - len(told))

    def repeat(self, stored: Mapping[int, Sequence[Measurement]], width: Callable[[], Width]) -> None:
        """Ask and tell as the record says, then ask what comes next.

        Raises:
            InvalidInput: an answer is to none of the questions that were on their way.
        """
        logged = {int(row["step"]): row for row in self.ledger.metrics()}
        for step in range(len(stored)):
            self._ask_as_written()
            batch = stored.get(step, ())
            archs = tuple(m.arch for m in batch)
            number = next((n for n, asked in self.waiting.items() if archs and asked.fresh == archs), None)
            if number is None:
                raise InvalidInput(OTHER_REQUEST)
            before = self._done
            self.take(number, batch)
            self.spent.as_stored(logged.get(step), before, len(batch))
            if step not in logged:
                self._log()
        self.ask(width)

    # --- asking ---------------------------------------------------------------------------------

    def questions(self) -> Iterator[Question | None]:
        """Questions as there is room for them; ends when nothing is on its way any more."""
        while self.waiting:
            if self._queue:
                number = self._queue.popleft()
                yield number, self.waiting[number].fresh
            else:
                yield None

    def ask(self, width: Callable[[], Width]) -> None:
        """Ask until as many are on their way as there may be.

        First as many as before: a run that is resumed elsewhere has asked them already, and must again.
        """
        over = self._ask_as_written()
        wanted = width()
        if wanted != self._width:
            self._widths.append((self._answers, wanted))
            # On disk before anything is asked by it.
            _keep_widths(self.ledger, self._widths, self.limits.fraction(self._done, self._budget, 0.0))
            self._ask(wanted, over)

    def _ask_as_written(self) -> bool:
        """Ask as the record says it was asked after as many answers; returns whether the time was spent then."""
        over = self.limits.over(self.spent.seconds)
        before = [width for at, width in self._widths if at < self._answers]
        here = [width for at, width in self._widths if at == self._answers]
        for width in before[-1:] + here:
            self._ask(width, over)
        return over

    @property
    def _width(self) -> Width | None:
        return self._widths[-1][1] if self._widths else None

    def _ask(self, width: Width, over: bool) -> None:
        while len(self.waiting) < width.questions and not over and self._idle < MOST_IDLE:
            left = self._budget - self._done - len(self._flying)
            if left <= 0:
                return
            with self.spent.proposing():
                every = self.algorithm.ask(min(width.size(self.algorithm.batch_size), left))
            if not every:
                return  # finished, or it needs an answer that is on its way
            fresh = [a for a in dict.fromkeys(every) if a not in self._known and a not in self._flying]
            self._idle = 0 if fresh else self._idle + 1
            if not fresh:
                self._tell(every)
                continue
            self.waiting[self._numbers] = _Asked(tuple(every), tuple(fresh), self._answers)
            self._queue.append(self._numbers)
            self._flying.update(fresh)
            self._numbers += 1

    def _tell(self, every: Sequence[Arch]) -> None:
        with self.spent.proposing():
            self.algorithm.tell([self._known[arch] for arch in every if arch in self._known])

    # --- answers --------------------------------------------------------------------------------

    def take(self, number: int, found: Sequence[Measurement]) -> None:
        """Tell the algorithm an answer."""
        asked = self.waiting.pop(number)
        if number in self._queue:
            self._queue.remove(number)  # answered by the record
        by_arch = {m.arch: m for m in found}
        batch = [by_arch[arch] for arch in asked.fresh]
        self._flying.difference_update(asked.fresh)
        self._known.update((m.arch, m) for m in batch)
        self._tell(asked.every)
        self.front.add(batch)
        about: Metrics = {"asked": number, "knew": asked.knew, "in_flight": len(self.waiting)}
        self._last = self._answers, batch, about
        self._answers += 1

    def write(self) -> None:
        """Write the last answer down."""
        step, batch, _ = self._last
        self.ledger.add_measurements(step, batch)
        self._log()

    def _log(self) -> None:
        step, _, about = self._last
        self.ledger.log_metrics(step, {**self.metrics, **about})

    def progress(self) -> Progress:
        flying = f" {len(self.waiting):,} on their way." if self.waiting else ""
        said = self.front.sentence(self._budget) + flying
        return Progress(
            self.limits.fraction(self._done, self._budget, self.spent.seconds), said, self.metrics
        )

    def end(self) -> None:
        save(self.algorithm.problem, list(self._known.values()), self._told, self.front, self.ledger)

    def last_words(self) -> str:
        ended = self.limits.why_ended(self.spent.seconds)
        return " ".join([f"Done: {self.front.sentence(self._budget)}", *ended, *self.algorithm.remarks])


def began_in_flight(ledger: Ledger) -> bool:
    """Whether a run asked with answers on their way; it can only go on like that."""
    return bool(_widths(ledger))


def _widths(ledger: Ledger) -> list[tuple[int, Width]]:
    """(answers told before, how many at once from then on), as the record says."""
    kept = ledger.latest_checkpoint()
    if kept is None:
        return []
    try:
        return [(int(at), Width(int(questions), int(most))) for at, questions, most in json.loads(kept)]
    except (ValueError, TypeError) as error:
        raise DamagedArtifact(
            "What this search wrote down of its questions cannot be read; start it anew."
        ) from error


def _keep_widths(ledger: Ledger, widths: Sequence[tuple[int, Width]], fraction: float) -> None:
    rows = [[at, width.questions, width.most] for at, width in widths]
    ledger.checkpoint(json.dumps(rows).encode(), fraction=fraction)
