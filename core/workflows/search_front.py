"""Search a supernet for its front: ask an algorithm, measure, tell it, until the budget is spent.

The run's record holds every measurement with the number of the batch it belongs to, and nothing else
is needed to go on: a resumed run builds the algorithm again, repeats the stored batches and continues
where they end, so that it asks for exactly what an uninterrupted run would have asked for. A batch is
stored as a whole; one that was interrupted is measured again.

An architecture is measured once per run however often it is asked for, and the budget counts distinct
ones. Only validation objectives may steer: a search that looks at test data would report its luck.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.library.csv_tables import csv_bytes
from core.library.evaluations import architectures, evaluations, left_out
from core.library.measuring import (
    DataChoice,
    Measure,
    by_forward_pass,
    counted_columns,
    from_table,
)
from core.library.searches import EVALUATIONS_FILE, SearchRecord
from core.library.supernets import SupernetEntry
from core.objectives.base import OBJECTIVES, require_choosable, usual_pair
from core.objectives.base import objectives as described
from core.pareto import hypervolume, non_dominated
from core.records import Measurement, Objective, Progress
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.search.base import cost_array
from core.spaces import Arch

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Search"
WEIGHT_CLASS = "measuring"
# Batches in a row without one new architecture, after which an algorithm is taken to be done.
_MOST_IDLE_BATCHES = 20
# How far beyond the worst value the reference point stands, so that extreme subnets count.
_MARGIN = 0.1


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
    budget: int = Field(400, ge=1, le=10_000_000, description="Distinct architectures to measure")
    seed: int = Field(0, ge=0, description="Decides every draw")
    data: DataChoice | None = Field(None, description="Measure on other data than the supernet's own")
    reference: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="Hypervolume reference per objective; the others are chosen"
    )
    use_table: bool = Field(True, description="Look numbers up where the supernet's complete table has them")

    @field_validator("objectives")
    @classmethod
    def _may_steer(cls, names: list[str]) -> list[str]:
        for name in names:
            require_choosable(name)
        if len(set(names)) != len(names):
            raise InvalidInput("Each objective can be searched on only once.")
        return names


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
        NotFound: the supernet, the algorithm or an objective does not exist.
        InvalidInput: a setting does not fit, or the stored measurements belong to another request.
        DataUnavailable: the data set is neither here nor reachable.
    """
    entry = library.supernet(request.supernet)
    algorithm = ALGORITHMS.create(
        request.algorithm,
        request.config,
        problem=Problem(entry.space, tuple(described(request.objectives))),
        seed=request.seed,
    )
    yield Progress(0.0, f"Preparing {entry.title}.")
    measure = from_table(entry, request.objectives) if request.use_table and request.data is None else None
    if measure is None:
        measure = by_forward_pass(entry, request.data, request.objectives)
    yield Progress(0.0, f"Searching {entry.title}.")
    yield from search(request, algorithm, measure, _fixed_reference(request, entry), ledger)


def search(
    request: Request, algorithm: SearchAlgorithm, measure: Measure, fixed: Mapping[str, float], ledger: Ledger
) -> Iterator[Progress]:
    """The loop itself, with everything it needs handed in.

    Args:
        request: budget and objectives.
        algorithm: fresh: nothing asked, nothing told.
        measure: yields one measurement per architecture it is given.
        fixed: objective -> reference value; what is missing is set by the first batch.
        ledger: the run's record; what it holds is repeated first.
    """
    stored = _by_step(ledger)
    logged = {row["step"] for row in ledger.metrics()}
    known: dict[Arch, Measurement] = {}
    budget = min(request.budget, algorithm.space.size)
    front = FrontSoFar(algorithm.objectives, fixed)
    idle = 0
    for step in count():
        asked = algorithm.ask(min(algorithm.batch_size, budget - len(known))) if len(known) < budget else []
        if not asked or idle == _MOST_IDLE_BATCHES:
            break
        fresh = [arch for arch in dict.fromkeys(asked) if arch not in known]
        if step in stored:
            batch = _in_order(fresh, stored.pop(step))
        else:
            batch = yield from _measured(fresh, measure, len(known), budget, front)
            ledger.add_measurements(step, batch)
        idle = 0 if batch else idle + 1
        known.update((m.arch, m) for m in batch)
        algorithm.tell([known[arch] for arch in asked])
        front.add(batch)
        if step not in logged:
            ledger.log_metrics(step, front.metrics)
        yield Progress(len(known) / budget, front.sentence(budget), front.metrics)
    if stored:
        raise InvalidInput(_OTHER_REQUEST)
    _save(algorithm, list(known.values()), front, ledger)
    yield Progress(1.0, f"Done: {front.sentence(budget)}", front.metrics)


_OTHER_REQUEST = (
    "The stored measurements do not follow from this run's settings, so it cannot be continued exactly. "
    "They are kept; start the search again as a new run."
)


def _measured(
    fresh: Sequence[Arch], measure: Measure, before: int, budget: int, front: FrontSoFar
) -> Generator[Progress, None, list[Measurement]]:
    """Measure new architectures; returns them in the order asked, whatever order they came in."""
    found: dict[Arch, Measurement] = {}
    for measurement in measure(fresh) if fresh else ():
        found[measurement.arch] = measurement
        if len(found) < len(fresh):
            done = before + len(found)
            yield Progress(done / budget, f"{done:,} of {budget:,} architectures measured.", front.metrics)
    return [found[arch] for arch in fresh]


def _by_step(ledger: Ledger) -> dict[int, list[Measurement]]:
    steps: dict[int, list[Measurement]] = {}
    for step, measurement in ledger.measurements():
        steps.setdefault(step, []).append(measurement)
    return steps


def _in_order(fresh: Sequence[Arch], stored: Sequence[Measurement]) -> list[Measurement]:
    if [m.arch for m in stored] != list(fresh):
        raise InvalidInput(_OTHER_REQUEST)
    return list(stored)


def _save(
    algorithm: SearchAlgorithm, measurements: list[Measurement], front: FrontSoFar, ledger: Ledger
) -> None:
    table = evaluations(algorithm.space, algorithm.objectives, measurements)
    ledger.save_artifact(EVALUATIONS_FILE, csv_bytes(architectures(algorithm.space, table)), "text/csv")
    SearchRecord(
        **front.metrics,  # type: ignore[arg-type]
        reference=front.reference,
        sources=tuple(sorted({str(m.how(o.name)) for m in measurements for o in algorithm.objectives})),
    ).save(ledger)


def _fixed_reference(request: Request, entry: SupernetEntry) -> dict[str, float]:
    """Reference values known before anything is measured: counted costs of the largest architecture."""
    if unknown := sorted(set(request.reference) - set(request.objectives)):
        raise InvalidInput(
            f"There is a reference value for {unknown[0]!r}, which is not an objective of this search."
        )
    largest = np.array([entry.reference], np.uint8)
    costs = counted_columns(entry, largest, request.objectives)
    worst = {name: float(column[0]) * (1 + _MARGIN) for name, column in costs.items()}
    known = {name: OBJECTIVES.get(name).reference for name in request.objectives}
    return {n: v for n, v in known.items() if v is not None} | worst | request.reference


class FrontSoFar:
    """The front of everything measured, and its hypervolume.

    Args:
        objectives: in the order of the columns.
        fixed: objective -> reference value. The others get the first batch's worst value and a tenth
            of its range, so that a resumed run, which sees the same first batch, has the same reference.
    """

    def __init__(self, objectives: Sequence[Objective], fixed: Mapping[str, float]) -> None:
        self._objectives = tuple(objectives)
        self._maximize = [o.maximize for o in objectives]
        self._fixed = dict(fixed)
        self._points = np.zeros((0, len(objectives)))
        self._evaluations = 0
        self._volume = 0.0
        self._left_out = 0
        self.reference: dict[str, float] | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Evaluations, members of the front, hypervolume (product of the objectives' units)."""
        return {
            "evaluations": self._evaluations,
            "front_size": len(self._points),
            "hypervolume": self._volume,
        }

    def add(self, batch: Sequence[Measurement]) -> None:
        """Take a batch in; what is only predicted or a proxy is counted as evaluated and stays off the front."""
        if not batch:
            return
        names = [o.name for o in self._objectives]
        stands = np.array([m.may_stand(names) for m in batch])
        costs = np.where(stands[:, None], cost_array(batch, self._objectives), np.nan)
        self._left_out += int((~stands).sum())
        signs = np.where(self._maximize, -1.0, 1.0)
        if self.reference is None:
            self.reference = self._chosen_reference(costs, signs)
        points = np.concatenate([self._points, costs * signs])
        self._points = points[non_dominated(points, maximize=self._maximize)]
        self._evaluations += len(batch)
        corner = [self.reference[o.name] for o in self._objectives]
        self._volume = hypervolume(self._points, corner, maximize=self._maximize)

    def sentence(self, budget: int) -> str:
        """The numbers in words."""
        found = (
            f"{self._evaluations:,} of {budget:,} architectures measured, {len(self._points):,} on the front."
        )
        return f"{found} {left_out(self._left_out, self._objectives)}".rstrip()

    def _chosen_reference(self, costs: np.ndarray, signs: np.ndarray) -> dict[str, float]:
        chosen: dict[str, float] = {}
        for index, objective in enumerate(self._objectives):
            finite = costs[np.isfinite(costs[:, index]), index]
            worst = float(finite.max()) if len(finite) else 0.0
            spread = (worst - float(finite.min()) if len(finite) else 0.0) or abs(worst) or 1.0
            moved = float((worst + _MARGIN * spread) * signs[index])
            chosen[objective.name] = self._fixed.get(objective.name, moved)
        return chosen
