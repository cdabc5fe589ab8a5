"""Latency of every subnet of a supernet on this machine: some timed, the others predicted, the front all timed.

First a planned sample of whole subnets is timed and a model fitted to it. Then whatever could be on the front of
latency and accuracy, given how far predictions of unseen subnets are off, is timed as well, until no subnet that was
not timed could be there (with a stated confidence); those near the front are timed once more against each other. In
every batch a few anchors are timed along: they put all batches on one scale and show whether the machine moved.

A batch is kept as soon as it is done, so a run that was cut repeats one batch at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.config import BaseConfig
from core.errors import CoreError, InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.latency.candidates import chances, near_front, next_batch
from core.evaluation.latency.device import this_device
from core.evaluation.latency.model import CrossValidation, LatencyModel, fit_latency
from core.evaluation.latency.plan import anchors_of, default_size, plan_sample
from core.evaluation.latency.profile import (
    FILE,
    MOST_SUBNETS,
    Anchors,
    Device,
    LatencyProfile,
    Protocol,
    Timings,
    now,
)
from core.evaluation.latency.protocol import Patience, Timed, time_rounds
from core.library import supernets
from core.library.latency import LatencyRecord, Settled, identity_of
from core.library.supernets import SupernetEntry
from core.objectives.base import objective, quality_of
from core.objectives.timing import Race
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Latency"
WEIGHT_CLASS = "measuring"
_BATCH = 256
_NEAR = 0.03
"""Slower than the front by at most this share: timed once more, against each other."""
_MOST_NEAR = 384
_MOST_AGAIN = 3
_SHOW_SECONDS = 0.2
# Shares of the whole that the parts usually take.
_SAMPLED, _SEARCHED = 0.5, 0.9

MakeRace = Callable[[Sequence[bytes]], Race]


class Request(BaseConfig):
    """Whose subnets to time, and how."""

    supernet: str = Field(description="A shipped supernet's name, an id, or a .safetensors file")
    name: str = Field("", max_length=60, description="What the machine is called; its processor if left out")
    threads: int = Field(1, ge=1, le=256, description="Threads that one answer may use")
    batch: int = Field(1, ge=1, le=1024, description="Samples of one answer")
    subnets: int | None = Field(
        None,
        ge=16,
        le=20_000,
        description="Subnets of the sample; as many as the predictor needs if left out",
    )
    most: int = Field(2000, ge=16, le=100_000, description="Subnets timed at most, the sample among them")
    confidence: float = Field(
        0.95, ge=0.5, le=0.999, description="That no subnet which was not timed is on the front"
    )
    agreement: float = Field(
        0.99, ge=0.5, le=1.0, description="Rank correlation of two halves of the rounds that is enough"
    )
    seconds: float = Field(60.0, gt=0, le=86_400, description="Seconds of timing per batch at most")
    seed: int = Field(0, ge=0, description="Of the sample and of the visiting order")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Batch(_Part):
    """Subnets that were timed against each other, the anchors among them.

    Attributes:
        arch_ids, ms, spread: of each; see `Timed`.
        anchors: milliseconds of the anchors in this batch.
        again: whether its subnets had been timed before, and these numbers replace those.
    """

    arch_ids: tuple[str, ...]
    ms: tuple[float, ...]
    spread: tuple[float, ...]
    rounds: int
    agreement: float
    agreed: bool
    seconds: float
    anchors: tuple[float, ...]
    again: bool = False


class State(_Part):
    """What a run knows so far."""

    device: Device
    layout: str
    anchors: tuple[str, ...]
    batches: tuple[Batch, ...] = ()

    @property
    def known(self) -> dict[str, tuple[float, float]]:
        """arch_id -> (milliseconds, spread), every batch on the scale of the first; a later time replaces."""
        found: dict[str, tuple[float, float]] = {}
        for batch in self.batches:
            scale = float(np.median(np.array(self.batches[0].anchors) / np.array(batch.anchors)))
            for arch_id, ms, spread in zip(batch.arch_ids, batch.ms, batch.spread, strict=True):
                if batch.again or arch_id not in found:
                    found[arch_id] = ms * scale, spread * scale
        return found


@dataclass(eq=False)
class Work:
    """One run with everything it needs handed in.

    Attributes:
        request: what was asked for.
        costs: of the supernet.
        quality: (objective, arch_id -> value, larger is better); None where there is no table of it.
        file: ONNX file of an architecture.
        race: makes a race of files.
        ledger: of the run.
        state: what is known.
        table: SHA-256 of the table of qualities.
        clock: seconds that only grow.
    """

    request: Request
    costs: CostTable
    quality: tuple[str, dict[str, float]] | None
    file: Callable[[tuple[int, ...]], bytes]
    race: MakeRace
    ledger: Ledger
    state: State
    table: str = ""
    clock: Callable[[], float] = time.monotonic
    fraction: float = 0.0
    model: LatencyModel | None = None

    def run(self) -> Generator[Progress, None, Settled | None]:
        """Time all that must be; returns how sure the front is, None where there is no quality."""
        sample = self.sample()
        if not self.state.batches:
            yield from self._time(sample, "the sample", (0.02, _SAMPLED))
        yield self._said(self.fraction, "Fitting the predictor to the sample.")
        # Form and strength are those that fit the sample best, whatever is timed later.
        rows = self.costs.space.from_ids(sample)
        self.model, _ = fit_latency(self.costs, rows, self._timed(sample))
        return None if self.quality is None else (yield from self._settle(len(sample)))

    def sample(self) -> list[str]:
        """The planned sample; the anchors are among it."""
        size = self.request.subnets or default_size(self.costs)
        rows = plan_sample(self.costs, min(size, self.request.most), self.request.seed)
        return self.costs.space.arch_ids(rows)

    def _settle(self, sampled: int) -> Generator[Progress, None, Settled]:
        """Time what could be on the front until it is settled, then those near it against each other."""
        assert self.quality is not None
        name, known = self.quality
        ids = list(known)
        quality, rows = np.array([known[i] for i in ids]), self.costs.space.from_ids(ids)
        while True:
            yield self._said(self.fraction, "Fitting the predictor to what was timed.")
            model, validation = self._fit(sampled)
            ms = self._timed(ids)
            chance = chances(quality, ms, model.predict(self.costs, rows), validation)
            left = self.request.most - len(self.state.known)
            batch = next_batch(chance, self.request.confidence, max(0, min(_BATCH, left)))
            if len(batch):
                which = [ids[i] for i in batch]
                said = f"{len(which)} that could be on the front"
                yield from self._time(which, said, (self.fraction, self._further()))
                continue
            near = [ids[i] for i in near_front(quality, ms, _NEAR)[:_MOST_NEAR]]
            again = [each.again for each in self.state.batches]
            if again[-1] or sum(again) == _MOST_AGAIN:
                return Settled(
                    objective=name,
                    confidence=self.request.confidence,
                    chance=float(chance.sum()),
                    table=self.table,
                )
            said = f"the {len(near)} nearest the front once more"
            yield from self._time(near, said, (max(self.fraction, _SEARCHED), 0.98), again=True)

    def _further(self) -> float:
        """Where the fraction goes with a batch of candidates: nobody knows how many there will be."""
        return self.fraction + (_SEARCHED - self.fraction) * 0.4

    def _timed(self, ids: Sequence[str]) -> NDArray[np.float64]:
        known = self.state.known
        return np.array([known[i][0] if i in known else np.nan for i in ids])

    def _fit(self, sampled: int) -> tuple[LatencyModel, CrossValidation]:
        known = self.state.known
        rows, ms = self.costs.space.from_ids(list(known)), [ms for ms, _ in known.values()]
        sample = np.arange(len(known)) < sampled
        return fit_latency(self.costs, rows, ms, validated=sample, like=self.model)

    def _time(
        self, ids: Sequence[str], said: str, span: tuple[float, float], *, again: bool = False
    ) -> Generator[Progress, None, None]:
        """Export and time a batch, with the anchors, and keep it."""
        low, high = span
        middle = low + 0.4 * (high - low)
        together = list(dict.fromkeys([*self.state.anchors, *ids]))
        began, shown, files = self.clock(), self.clock(), []
        for index, arch_id in enumerate(together):
            if index == 0 or self.clock() - shown >= _SHOW_SECONDS:
                shown = self.clock()
                at = low + (middle - low) * index / len(together)
                yield self._said(at, f"Exporting {said}: {index:,} of {len(together):,} subnets.")
            files.append(self.file(self.costs.space.from_id(arch_id)))
        yield self._said(middle, f"Timing {said}: {len(together):,} subnets.")
        race = self.race(files)
        del files
        patience = Patience(agreement=self.request.agreement, most_seconds=self.request.seconds)
        found: Timed | None = None
        for found in time_rounds(race, patience, self.clock):
            if self.clock() - shown >= _SHOW_SECONDS:
                shown = self.clock()
                # The halves come closer as one over the rounds; how many it takes, they say themselves.
                share = min(1.0, (1 - patience.agreement) / max(1 - found.agreement, 1e-9)) ** 0.5
                told = f"round {found.rounds}, two halves agree by {found.agreement:.3f}"
                yield self._said(middle + (high - middle) * share, f"Timing {said}: {told}.")
        assert found is not None
        batch = Batch(
            arch_ids=tuple(together),
            ms=tuple(found.ms.tolist()),
            spread=tuple(found.spread.tolist()),
            rounds=found.rounds,
            agreement=found.agreement,
            agreed=found.agreed,
            seconds=self.clock() - began,
            anchors=tuple(found.ms[: len(self.state.anchors)].tolist()),
            again=again,
        )
        self.state = self.state.model_copy(update={"batches": (*self.state.batches, batch)})
        self.fraction = max(self.fraction, high)
        self.ledger.checkpoint(self.state.model_dump_json().encode(), fraction=self.fraction)
        yield Progress(
            self.fraction, f"Timed {len(self.state.known):,} subnets.", {"timed": len(self.state.known)}
        )

    def _said(self, fraction: float, message: str) -> Progress:
        self.fraction = max(self.fraction, min(1.0, fraction))
        return Progress(self.fraction, message, {"timed": len(self.state.known)})


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Time, predict, settle the front; the artifacts are `profile.json` and `latency.json`.

    Raises:
        NotFound: the supernet does not exist.
        InvalidInput: the machine or the supernet is another one than when the run was cut.
        CoreError: ONNX cannot express the supernet.
    """
    entry = library.supernet(request.supernet)
    device = this_device(name=request.name, threads=request.threads, batch=request.batch)
    yield Progress(0.0, f"Preparing {entry.title}.")
    work = prepared(request, entry, device, ledger)
    began = work.clock()
    settled = yield from work.run()
    record = _record(work, entry, settled, work.clock() - began)
    ledger.save_artifact(FILE, record.profile.encode(), "application/json")
    record.save(ledger)
    yield Progress(1.0, _summary(record, entry), {"timed": len(record.profile.timings.ms)})


def prepared(request: Request, entry: SupernetEntry, device: Device, ledger: Ledger) -> Work:
    """The work of a run, with what it knows already. Loads torch."""
    file, race = racing(entry, threads=request.threads, batch=request.batch, seed=request.seed)
    costs = CostTable.of(supernets.load(entry))
    anchors = _anchors(request, costs)
    fresh = State(device=device, layout=identity_of(entry).layout, anchors=anchors)
    return Work(
        request=request,
        costs=costs,
        quality=quality_in(entry),
        file=file,
        race=race,
        ledger=ledger,
        state=_resumed(ledger, fresh),
        table=entry.table_sha256,
    )


def racing(
    entry: SupernetEntry, *, threads: int, batch: int, seed: int = 0
) -> tuple[Callable[[tuple[int, ...]], bytes], MakeRace]:
    """What exports a supernet's subnets for timing, and what times them. Loads torch.

    Raises:
        DataUnavailable: a graph's subnets are timed on the graph, which is not here.
    """
    from core.export.onnx_parts import OnnxParts

    supernet = supernets.load(entry)
    parts = OnnxParts(supernet)
    whole = supernet.task.whole
    sample = supernets.dataset(entry).calibration.first(1).arrays() if whole else parts.sample(batch)
    return parts.file, lambda files: Race(files, sample, threads=threads, seed=seed)


def quality_in(entry: SupernetEntry) -> tuple[str, dict[str, float]] | None:
    """The usual quality in a supernet's complete table: (objective, arch_id -> value, larger is better)."""
    try:
        table = supernets.table(entry)
    except CoreError:  # damaged: its page says so, and there is no front to settle
        return None
    name = None if table is None else quality_of(table.columns)
    if table is None or name is None:
        return None
    return name, dict(zip(table["arch_id"], table[name].to_numpy(float).tolist(), strict=True))


def _anchors(request: Request, costs: CostTable) -> tuple[str, ...]:
    size = request.subnets or default_size(costs)
    rows = plan_sample(costs, min(size, request.most), request.seed)
    return tuple(costs.space.arch_ids(rows[anchors_of(costs.total("macs", rows))]))


def _resumed(ledger: Ledger, fresh: State) -> State:
    stored = ledger.latest_checkpoint()
    if stored is None:
        return fresh
    try:
        state = State.model_validate_json(stored)
    except ValidationError as error:
        raise InvalidInput("What this run had kept cannot be read; start it again as a new run.") from error
    if state.model_copy(update={"batches": ()}) != fresh:
        raise InvalidInput(
            "The machine, its onnxruntime or the supernet is another one than when this run was interrupted: "
            "start it again as a new run."
        )
    return state


def _record(work: Work, entry: SupernetEntry, settled: Settled | None, seconds: float) -> LatencyRecord:
    state, known = work.state, work.state.known
    first, last = state.batches[0], state.batches[-1]
    profile = LatencyProfile(
        supernet=identity_of(entry),
        device=state.device,
        protocol=Protocol(
            rounds=min(b.rounds for b in state.batches),
            runs=4,
            agreement=min(b.agreement for b in state.batches),
            agreed=all(b.agreed for b in state.batches),
            seconds=max(seconds, sum(b.seconds for b in state.batches)),
        ),
        planned=min(len(known), MOST_SUBNETS),
        timings=Timings(
            arch_ids=tuple(known),
            ms=tuple(ms for ms, _ in known.values()),
            spread=tuple(spread for _, spread in known.values()),
        ),
        anchors=Anchors(arch_ids=state.anchors, start=first.anchors, end=last.anchors),
        date=now(),
    )
    return LatencyRecord.of(profile, work.costs, sampled=len(work.sample()), settled=settled, like=work.model)


def _summary(record: LatencyRecord, entry: SupernetEntry) -> str:
    n, size = len(record.profile.timings.ms), entry.space.size
    found = (
        f"{n:,} of {size:,} subnets timed; the others are predicted with a median error of "
        f"{format_share(record.validation.median_error, 1)}"
    )
    settled = record.settled
    if settled is None:
        return f"{found}. There is no table of their accuracy yet, so no front was settled."
    label = objective(settled.objective).label.lower()
    if settled.reached:
        return f"{found}. The front of latency and {label} consists of timed subnets."
    return (
        f"{found}. Not all that could be on the front of latency and {label} were timed: allow more of them."
    )
