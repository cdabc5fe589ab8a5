"""The records everything passes around: frozen, small, and free of torch.

Whoever holds one may keep it; nobody changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.config import JsonObject
from core.spaces import Arch

Metric = float | int | str
Metrics = dict[str, Metric]
"""What a step of long work measured, by name."""


class Source(StrEnum):
    """How a number was obtained. Only the first three may stand on a front."""

    MEASURED = "measured"
    COUNTED = "counted"
    TRAINED = "trained"
    PREDICTED = "predicted"
    PROXY = "proxy"

    @property
    def may_stand(self) -> bool:
        """Whether such a number may stand on a front: a guess may not."""
        return self in (Source.MEASURED, Source.COUNTED, Source.TRAINED)


@dataclass(frozen=True)
class Obtained:
    """How one value was obtained.

    Attributes:
        source: the way.
        detail: what a person should know besides ("table": looked up where it was measured before; "noisy").
    """

    source: Source
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.source} ({self.detail})" if self.detail else str(self.source)

    @classmethod
    def parse(cls, text: str) -> Obtained:
        """What `str` wrote. Text that says no known way counts as a proxy, so that no front shows its value."""
        word, _, detail = text.partition(" (")
        if word not in set(Source):
            return cls(Source.PROXY, text)
        return cls(Source(word), detail.removesuffix(")"))


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more unless a person resumes the run."""
        return self not in (RunState.QUEUED, RunState.RUNNING)

    @property
    def is_resumable(self) -> bool:
        return self in (RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED)


@dataclass(frozen=True)
class Shown:
    """How a person reads the values of an objective.

    Attributes:
        factor: from the stored value to the written one (100 for a share in percent).
        symbol: what follows the number ("%", "ms", "B").
        digits: decimals; None for three significant digits.
        fine_digits: decimals of values below 0.1, if there are more.
        prefixes: write thousands as k, millions as M, on axes, too.
        difference: what follows a difference, if it is another word ("points").
    """

    factor: float = 1.0
    symbol: str = ""
    digits: int | None = None
    fine_digits: int | None = None
    prefixes: bool = False
    difference: str = ""


SHARE = Shown(factor=100.0, symbol="%", digits=1, difference="points")
COUNT = Shown(prefixes=True)


@dataclass(frozen=True)
class Objective:
    """One axis of the trade-off.

    Attributes:
        name: column name, permanent.
        label: what a person reads.
        unit: unit of the stored value ("" for a fraction or a count without one).
        maximize: whether larger is better.
        how: how the number is usually obtained.
        summary: one sentence in plain words.
        split: data split it is measured on, or "" if it needs no data.
        for_choosing: whether a search, an axis or a limit may use it.
        shown: how a person reads its values.
        instrument: what a person reads instead of "measured", if something special measures it.
    """

    name: str
    label: str
    unit: str
    maximize: bool
    how: Source
    summary: str
    split: str = ""
    for_choosing: bool = True
    shown: Shown = Shown()
    instrument: str = ""


@dataclass(frozen=True)
class Measurement:
    """The objective values of one architecture, from one evaluation.

    Attributes:
        arch: the architecture.
        values: objective -> value.
        obtained: objective -> how its value was obtained; one that is not named was measured, plainly.
        right: objective -> packed bits of which samples were right (see `core.chance.bits`), where the value is a share
            of samples and was measured just now. No part of what is stored.
    """

    arch: Arch
    values: Mapping[str, float]
    obtained: Mapping[str, Obtained] = field(default_factory=dict)
    right: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Saying "measured" and saying nothing are the same; so are the two records.
        said = {name: how for name, how in self.obtained.items() if how != _PLAINLY}
        object.__setattr__(self, "obtained", said)

    def how(self, name: str) -> Obtained:
        """How a value was obtained."""
        return self.obtained.get(name, _PLAINLY)

    def may_stand(self, names: Iterable[str]) -> bool:
        """Whether a front of these objectives may show it: none of its values is predicted or a proxy."""
        return all(self.how(name).source.may_stand for name in names)

    def sources(self, names: Iterable[str]) -> str:
        """How these values were obtained, in words: "measured", or "measured (table): accuracy; predicted: latency_ms".

        A count is a count wherever it is taken: it is named only where nothing else is.
        """
        ways: dict[str, list[str]] = {}
        for name in names:
            ways.setdefault(str(self.how(name)), []).append(name)
        if len(ways) > 1:
            ways.pop(str(Source.COUNTED), None)
        if len(ways) <= 1:
            return next(iter(ways), str(_PLAINLY))
        return "; ".join(f"{way}: {', '.join(of)}" for way, of in ways.items())


_PLAINLY = Obtained(Source.MEASURED)


@dataclass(frozen=True)
class Progress:
    """One step of long work: how far (0-1), what is happening, and numbers worth drawing."""

    fraction: float
    message: str
    metrics: Mapping[str, Metric] = field(default_factory=dict)


COMMAND_LINE = "command line"
"""Session of runs that a person started at a terminal, and resumes there."""


@dataclass(frozen=True)
class Run:
    """One recorded training, search or analysis, with its job's state.

    Attributes:
        run_id: 128-bit random id, hexadecimal.
        kind: workflow module that does the work ("train_supernet", "search_front", ...).
        title: what a person reads in a list.
        params: JSON-able request of the workflow.
        seed: seed of all chance in the run.
        session: who asked for it, for the fair queue.
        fraction: 0-1.
        created, updated: seconds since the epoch, for display only.
        eta_seconds: estimated seconds left while it runs.
        worked: seconds it was at work, over all its starts; None before the first one ended, and for runs
            of releases that did not write it down.
    """

    run_id: str
    kind: str
    title: str
    params: JsonObject
    seed: int
    state: RunState
    session: str = "local"
    fraction: float = 0.0
    message: str = ""
    created: float = 0.0
    updated: float = 0.0
    eta_seconds: float | None = None
    worked: float | None = None
