"""Search a supernet for its front: ask an algorithm, measure, tell it, until the budget is spent.

The run's record holds every measurement with the number of the batch it belongs to, what earlier searches told it
(step `TOLD`), and the seconds of each batch; nothing else is needed to go on: a resumed run builds the algorithm
again, repeats the stored batches and continues where they end, so that it asks for exactly what an uninterrupted run
would have asked for. A batch is stored as a whole; one that was interrupted is measured again.

An architecture is measured once per run however often it is asked for, and the budget counts distinct ones. A budget
in seconds is held against the stored seconds, so a resumed run neither pays for the repetition nor gains by the
interruption. Only validation objectives may steer: a search that looks at test data would report its luck.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.executors.choosing import chosen
from core.library.front_so_far import MARGIN, FrontSoFar
from core.library.measuring import (
    DataChoice,
    by_forward_pass,
    counted_beforehand,
    counted_columns,
    from_table,
    work_of_stages,
)
from core.library.measuring_at_once import measuring_on
from core.library.search_in_flight import Width, began_in_flight, search_in_flight
from core.library.search_log import MOST_IDLE, OTHER_REQUEST, Limits, Spent, by_step, save, told_first
from core.library.searches import Bound
from core.library.supernets import SupernetEntry
from core.library.warm_start import earlier_measurements
from core.objectives.base import OBJECTIVES, FromFiles, names_of, require_choosable, usual_pair
from core.objectives.base import objectives as described
from core.records import Measurement, Progress
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.seeding import stream
from core.spaces import Arch

if TYPE_CHECKING:
    from core.executors.base import Executor
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Search"
WEIGHT_CLASS = "measuring"
APART = ("seed", "processes")
"""What does not make another setting: the seed, and what changes no number."""
_CALL_SECONDS = 0.25
"""Modeled seconds of a question where several are on their way: what it costs to ask is little beside them."""
_SAMPLE = 64
"""Architectures whose work stands for that of the others."""


MeasureBatch = Callable[[Sequence[Arch]], Iterator[Measurement | None]]
"""Measures the different architectures of a batch in any order, one at a time; None while it waits."""


class Request(BaseConfig):
    """What to search, how, and for how long."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    algorithm: str = Field("nsga2", description="Which algorithm proposes architectures")
    config: Settings = Field(default_factory=dict, description="The algorithm's settings")
    objectives: list[str] = Field(
        default_factory=lambda: list(usual_pair() or ()),
        min_length=1,
        max_length=6,
        description="What to trade off",
    )
    constraints: list[Bound] = Field(default_factory=list, max_length=12, description="Bounds to keep")
    budget: int = Field(400, ge=1, le=10_000_000, description="Distinct architectures to measure at most")
    seconds: float | None = Field(
        None, gt=0, le=10_000_000, description="End with the batch in which this much time was spent"
    )
    seed: int = Field(0, ge=0, description="Decides every draw")
    data: DataChoice | None = Field(None, description="Measure on other data than the supernet's own")
    reference: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="Hypervolume reference per objective; the others are chosen"
    )
    from_runs: list[str] = Field(
        default_factory=list, max_length=50, description="Earlier searches of the same supernet to start from"
    )
    keep_mb: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Megabytes of activations kept between batches, which changes no number; 0 keeps none",
    )
    use_table: bool = Field(True, description="Look numbers up where the supernet's complete table has them")
    processes: int = Field(1, ge=1, le=64, description="Processes that measure; the numbers are the same")
    in_flight: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Questions on their way at once: 1 waits for all of a batch, more asks for the next as soon as one is "
        "answered; empty: as many as a cluster has cores, 1 without one",
    )

    @field_validator("objectives")
    @classmethod
    def _may_steer(cls, names: list[str]) -> list[str]:
        for name in names:
            require_choosable(name)
        if len(set(names)) != len(names):
            raise InvalidInput("Each objective can be searched on only once.")
        return names

    @property
    def measured(self) -> list[str]:
        """Every objective that is searched for or bounded, each once."""
        return list(dict.fromkeys([*self.objectives, *(bound.objective for bound in self.constraints)]))


def settled(request: Request) -> Request:
    """The same search with the algorithm's settings spelled out, so that equal searches read equal.

    Raises:
        NotFound, InvalidInput: the algorithm does not exist, or a setting does not fit.
    """
    config = ALGORITHMS.config(request.algorithm, request.config)
    return request.model_copy(update={"config": config.model_dump(mode="json")})


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Search, or go on searching; yields after every measured architecture.

    Artifacts: `evaluations.csv` (every measurement, with `on_front`) and `summary.json`.

    Raises:
        NotFound: the supernet, the algorithm, an objective or an earlier search does not exist.
        InvalidInput: a setting does not fit, nothing keeps the bounds, an earlier search is of no use here, or the
            stored measurements belong to another request.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    yield Progress(0.0, f"Preparing {entry.title}.")
    keep = request.keep_mb * 10**6
    problem = Problem(
        entry.space,
        tuple(described(request.objectives)),
        constraints=tuple(bound.constraint for bound in request.constraints),
        counted=counted_beforehand(entry),
        work=work_of_stages(entry, keep=keep),
    )
    algorithm = ALGORITHMS.create(request.algorithm, request.config, problem=problem, seed=request.seed)
    names = request.measured

    def earlier() -> list[Measurement]:
        return earlier_measurements(library, entry, request.from_runs, names, request.data)

    fixed = _fixed_reference(request, entry)
    place = chosen(request.processes)
    flies = _flies(request, algorithm, place, ledger)
    looked_up = from_table(entry, names) if request.use_table and request.data is None else None
    if (looked_up is not None and not began_in_flight(ledger)) or (place.name == "here" and not flies):
        measure = looked_up or by_forward_pass(entry, request.data, names, keep=keep)
        yield Progress(0.0, f"Searching {entry.title}.")
        yield from search(request, algorithm, measure, fixed, ledger, earlier=earlier)
        return
    with measuring_on(place, entry, request.data, names, keep=keep) as elsewhere:
        yield Progress(0.0, f"Searching {entry.title}.{_how(request, algorithm, flies)}")
        if not flies:
            yield from search(request, algorithm, elsewhere.batch, fixed, ledger, earlier=earlier)
            return
        most = _together(problem)
        yield from search_in_flight(
            Limits(request.budget, request.seconds),
            algorithm,
            elsewhere.at_once,
            fixed,
            ledger,
            width=lambda: Width(request.in_flight or max(elsewhere.slots, 1), most),
            from_runs=bool(request.from_runs),
            earlier=earlier,
        )


def _flies(request: Request, algorithm: SearchAlgorithm, place: Executor, ledger: Ledger) -> bool:
    """Whether questions are asked while others are on their way; a run goes on as it began."""
    if began_in_flight(ledger):
        return True
    wanted = request.in_flight != 1 if place.name == "ray" else (request.in_flight or 1) > 1
    able = not algorithm.in_batches and not names_of(FromFiles, request.measured)
    return wanted and able and not ledger.measurements()


def _how(request: Request, algorithm: SearchAlgorithm, flies: bool) -> str:
    """A sentence where several questions were asked for, and batches are what there is."""
    if flies or (request.in_flight or 1) == 1:
        return ""
    if algorithm.in_batches:
        return f" {algorithm.label} learns from whole batches, so each batch is divided among the places that measure."
    return " It goes on in batches, each divided among the places that measure."


def _together(problem: Problem) -> int:
    """Architectures of a question, so that it takes about a quarter of a second; one where no work is known."""
    if problem.work is None:
        return 1
    rows = problem.space.sample_array(_SAMPLE, stream(0, "search", "work"))
    lone = float(problem.work.seconds(rows).sum(axis=1).mean())
    return max(1, round(_CALL_SECONDS / max(lone, 1e-6)))


def search(
    request: Request,
    algorithm: SearchAlgorithm,
    measure: MeasureBatch,
    fixed: Mapping[str, float],
    ledger: Ledger,
    *,
    earlier: Callable[[], list[Measurement]] = list,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Progress]:
    """The loop itself, with everything it needs handed in.

    Every step's metrics say, besides the front, `seconds` spent so far on asking, measuring and telling, and
    `proposing_seconds`, the algorithm's own part of it.

    Args:
        request: budget and objectives.
        algorithm: fresh: nothing asked, nothing told.
        measure: yields one measurement per architecture it is given, and None now and then while it waits.
        fixed: objective -> reference value; what is missing is set by the first batch.
        ledger: the run's record; what it holds is repeated first.
        earlier: what the searches of `from_runs` measured; called if that is not in the record yet.
        clock: seconds that only grow.
    """
    stored, logged = by_step(ledger), {int(row["step"]): row for row in ledger.metrics()}
    front = FrontSoFar(algorithm.problem, fixed)
    told = told_first(bool(request.from_runs), stored, earlier, ledger)
    algorithm.tell(told)
    front.add(told, evaluated=False)
    known = {m.arch: m for m in told}
    budget = min(request.budget, algorithm.space.size - len(told))
    limits, spent, idle = Limits(request.budget, request.seconds), Spent(clock), 0
    for step in count():
        done = len(known) - len(told)
        if done >= budget or idle == MOST_IDLE or limits.over(spent.seconds):
            break
        with spent.proposing():
            asked = algorithm.ask(min(algorithm.batch_size, budget - done))
        if not asked:
            break
        fresh = [arch for arch in dict.fromkeys(asked) if arch not in known]
        if repeated := step in stored:
            batch = _in_order(fresh, stored.pop(step))
        else:
            batch = yield from _measured(fresh, measure, spent, limits, (done, budget), front)
            ledger.add_measurements(step, batch)
        idle = 0 if batch else idle + 1
        known.update((m.arch, m) for m in batch)
        with spent.proposing():
            algorithm.tell([known[arch] for arch in asked])
        front.add(batch)
        if repeated:
            spent.as_stored(logged.get(step), done, len(batch))
        if step not in logged:
            ledger.log_metrics(step, front.metrics | spent.metrics)
        now = limits.fraction(len(known) - len(told), budget, spent.seconds)
        yield Progress(now, front.sentence(budget), front.metrics | spent.metrics)
    if stored:
        raise InvalidInput(OTHER_REQUEST)
    save(algorithm.problem, list(known.values()), len(told), front, ledger)
    ended = [f"Done: {front.sentence(budget)}", *limits.why_ended(spent.seconds), *algorithm.remarks]
    yield Progress(1.0, " ".join(ended), front.metrics | spent.metrics)


def _measured(
    fresh: Sequence[Arch],
    measure: MeasureBatch,
    spent: Spent,
    limits: Limits,
    so_far: tuple[int, int],
    front: FrontSoFar,
) -> Generator[Progress, None, list[Measurement]]:
    """Measure new architectures; returns them in the order asked, whatever order they came in."""
    before, budget = so_far
    found: dict[Arch, Measurement] = {}
    with spent.measuring():
        coming = iter(measure(fresh) if fresh else ())
    while True:
        with spent.measuring():
            measurement = next(coming, "end")
        if isinstance(measurement, str):
            break
        if measurement is not None:
            found[measurement.arch] = measurement
        if len(found) < len(fresh):
            done = before + len(found)
            message = f"{done:,} of {budget:,} architectures measured."
            yield Progress(limits.fraction(done, budget, spent.seconds), message, front.metrics)
    return [found[arch] for arch in fresh]


def _in_order(fresh: Sequence[Arch], stored: Sequence[Measurement]) -> list[Measurement]:
    if [m.arch for m in stored] != list(fresh):
        raise InvalidInput(OTHER_REQUEST)
    return list(stored)


def _fixed_reference(request: Request, entry: SupernetEntry) -> dict[str, float]:
    """Reference values known before anything is measured: counted costs of the largest architecture."""
    if unknown := sorted(set(request.reference) - set(request.objectives)):
        raise InvalidInput(
            f"There is a reference value for {unknown[0]!r}, which is not an objective of this search."
        )
    largest = np.array([entry.reference], np.uint8)
    costs = counted_columns(entry, largest, request.objectives)
    worst = {name: float(column[0]) * (1 + MARGIN) for name, column in costs.items()}
    known = {name: OBJECTIVES.get(name).reference for name in request.objectives}
    return {n: v for n, v in known.items() if v is not None} | worst | request.reference
