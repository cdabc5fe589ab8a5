"""Timing what must be timed: a sample, whatever could be on the front given the predictor's errors, and the front again.

Every batch is timed with a few anchors among it: they put all batches on one scale, and show whether the machine moved.
A batch is kept as soon as it is done, so what was cut repeats one batch at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.evaluation.costs import CostTable
from core.evaluation.latency.candidates import chances, near_front, next_batch
from core.evaluation.latency.model import CrossValidation, LatencyModel, fit_latency
from core.evaluation.latency.profile import Device
from core.evaluation.latency.protocol import LEAST_ROUNDS, Patience, Timed, time_rounds
from core.objectives.timing import Race
from core.records import Progress
from core.spaces import Arch

if TYPE_CHECKING:
    from core.ledger import Ledger

_BATCH = 256
_NEAR = 0.05
"""Slower than the front by at most this share: timed once more, against each other."""
_MOST_NEAR = 384
_ROUNDS_AGAIN = 40
"""Rounds among those near the front, at least: few networks, and who is on the front is decided by a percent."""
_MOST_AGAIN = 3
_ALIKE, _SETTLED = 0.008, 0.004
"""Difference of two halves that is enough among candidates, which are much alike; and among those near the front."""
_SHOW_SECONDS = 0.2
# Shares of the whole that the parts usually take.
_SAMPLED, _SEARCHED = 0.5, 0.9

MakeRace = Callable[[], Race]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Settled(_Part):
    """Whether the front of latency and a quality consists of timed subnets only.

    Attributes:
        objective: the quality.
        confidence: that was asked for.
        chance: that any subnet which was not timed is on the front, at most.
        table: SHA-256 of the table with the qualities.
    """

    objective: str
    confidence: float = Field(gt=0, lt=1)
    chance: float = Field(ge=0)
    table: str = ""

    @property
    def reached(self) -> bool:
        return self.chance <= 1 - self.confidence


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


@dataclass(frozen=True)
class Quality:
    """What the front trades latency for.

    Attributes:
        objective: name of it, the larger the better.
        values: arch_id -> value, of every subnet that could be on the front.
        table: SHA-256 of the table they come from.
    """

    objective: str
    values: Mapping[str, float]
    table: str = ""


@dataclass(frozen=True)
class Limits:
    """When to stop.

    Attributes:
        most: subnets timed at most, the sample among them.
        confidence: that no subnet which was not timed is on the front.
        agreement: rank correlation of two halves of the rounds that is enough.
        seconds: of timing the sample at most; a quarter of it per later batch.
    """

    most: int = 2000
    confidence: float = 0.95
    agreement: float = 0.99
    seconds: float = 60.0


@dataclass(eq=False)
class Campaign:
    """One campaign with everything it needs handed in.

    Attributes:
        costs: of the supernet.
        sample: subnets that are timed first, by arch_id; the anchors are among them.
        quality: of the front; None where there is none.
        limits: when to stop.
        file: ONNX file of an architecture.
        race: makes a race without networks.
        ledger: keeps the batches.
        state: what is known.
        clock: seconds that only grow.
        fraction: how far it is.
        model: whose form and strength later fits have.
    """

    costs: CostTable
    sample: Sequence[str]
    quality: Quality | None
    limits: Limits
    file: Callable[[Arch], bytes]
    race: MakeRace
    ledger: Ledger
    state: State
    clock: Callable[[], float] = time.monotonic
    fraction: float = 0.0
    model: LatencyModel | None = None

    def run(self) -> Generator[Progress, None, Settled | None]:
        """Time all that must be; returns how sure the front is, None where there is no quality."""
        if self.state.batches:
            self.fraction = _SAMPLED
        else:
            yield from self._time(self.sample, "the sample", (0.02, _SAMPLED))
        yield self._said(self.fraction, "Fitting the predictor to the sample.")
        # Form and strength are those that fit the first batch best, whatever is timed later: a run that was cut after
        # some of it were timed again would else choose others than it had.
        first = self.state.batches[0]
        at = dict(zip(first.arch_ids, first.ms, strict=True))
        rows = self.costs.space.from_ids(self.sample)
        self.model, _ = fit_latency(self.costs, rows, [at[i] for i in self.sample])
        return None if self.quality is None else (yield from self._settle(self.quality))

    def _settle(self, of: Quality) -> Generator[Progress, None, Settled]:
        """Time what could be on the front until it is settled, then those near it against each other."""
        ids = list(of.values)
        quality, rows = np.array(list(of.values.values())), self.costs.space.from_ids(ids)
        while True:
            yield self._said(self.fraction, "Fitting the predictor to what was timed.")
            model, validation = self._fit()
            ms = self._timed(ids)
            chance = chances(quality, ms, model.predict(self.costs, rows), validation)
            left = self.limits.most - len(self.state.known)
            batch = next_batch(chance, self.limits.confidence, max(0, min(_BATCH, left)))
            if len(batch):
                which = [ids[i] for i in batch]
                said = f"{len(which)} that could be on the front"
                yield from self._time(which, said, (self.fraction, self._further()))
                continue
            near = [ids[i] for i in near_front(quality, ms, _NEAR)[:_MOST_NEAR]]
            again = [each.again for each in self.state.batches]
            if again[-1] or sum(again) == _MOST_AGAIN:
                return Settled(
                    objective=of.objective,
                    confidence=self.limits.confidence,
                    chance=float(chance.sum()),
                    table=of.table,
                )
            said = f"the {len(near)} nearest the front once more"
            yield from self._time(near, said, (max(self.fraction, _SEARCHED), 0.98), again=True)

    def _further(self) -> float:
        """Where the fraction goes with a batch of candidates: nobody knows how many there will be."""
        return self.fraction + (_SEARCHED - self.fraction) * 0.4

    def _timed(self, ids: Sequence[str]) -> NDArray[np.float64]:
        known = self.state.known
        return np.array([known[i][0] if i in known else np.nan for i in ids])

    def _fit(self) -> tuple[LatencyModel, CrossValidation]:
        known = self.state.known
        rows, ms = self.costs.space.from_ids(list(known)), [ms for ms, _ in known.values()]
        sample = np.arange(len(known)) < len(self.sample)
        return fit_latency(self.costs, rows, ms, validated=sample, like=self.model)

    def _time(
        self, ids: Sequence[str], said: str, span: tuple[float, float], *, again: bool = False
    ) -> Generator[Progress, None, None]:
        """Export and time a batch, with the anchors, and keep it."""
        low, high = span
        middle = low + 0.4 * (high - low)
        together = list(dict.fromkeys([*self.state.anchors, *ids]))
        began, shown, race = self.clock(), self.clock(), self.race()
        for index, arch_id in enumerate(together):
            if index == 0 or self.clock() - shown >= _SHOW_SECONDS:
                shown = self.clock()
                at = low + (middle - low) * index / len(together)
                yield self._said(at, f"Exporting {said}: {index:,} of {len(together):,} subnets.")
            race.add(self.file(self.costs.space.from_id(arch_id)))
        yield self._said(middle, f"Timing {said}: {len(together):,} subnets.")
        patience = self._patience(again)
        found: Timed | None = None
        for found in time_rounds(race, patience, self.clock):
            if self.clock() - shown >= _SHOW_SECONDS:
                shown = self.clock()
                # The halves come closer as one over the rounds; how many it takes, they say themselves.
                share = min(1.0, (1 - self.limits.agreement) / max(1 - found.agreement, 1e-9)) ** 0.5
                if patience.difference:
                    share = max(share, min(1.0, patience.difference / max(found.difference, 1e-9)))
                if again:
                    share = min(share, found.rounds / _ROUNDS_AGAIN)
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

    def _patience(self, again: bool) -> Patience:
        if not self.state.batches:
            return Patience(agreement=self.limits.agreement, most_seconds=self.limits.seconds)
        return Patience(
            agreement=1.0 if again else self.limits.agreement,
            difference=_SETTLED if again else _ALIKE,
            least_rounds=_ROUNDS_AGAIN if again else LEAST_ROUNDS,
            most_seconds=self.limits.seconds / 4,
        )

    def _said(self, fraction: float, message: str) -> Progress:
        self.fraction = max(self.fraction, min(1.0, fraction))
        return Progress(self.fraction, message, {"timed": len(self.state.known)})
