"""The records everything passes around: frozen, small, and free of torch.

Whoever holds one may keep it; nobody changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.spaces import Arch


class Source(StrEnum):
    """How a number was obtained. Only the first three may stand on a front."""

    MEASURED = "measured"
    COUNTED = "counted"
    TRAINED = "trained"
    PREDICTED = "predicted"
    PROXY = "proxy"


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
class Objective:
    """One axis of the trade-off.

    Attributes:
        name: column name, permanent.
        label: what a person reads.
        unit: unit of the stored value ("" for a fraction or a count without one).
        maximize: whether larger is better.
        how: how the number is obtained.
        summary: one sentence in plain words.
        split: data split it is measured on, or "" if it needs no data.
    """

    name: str
    label: str
    unit: str
    maximize: bool
    how: Source
    summary: str
    split: str = ""


@dataclass(frozen=True)
class Measurement:
    """The objective values of one architecture, from one evaluation."""

    arch: Arch
    values: Mapping[str, float]
    source: str = Source.MEASURED


@dataclass(frozen=True)
class Progress:
    """One step of long work: how far (0-1), what is happening, and numbers worth drawing."""

    fraction: float
    message: str
    metrics: Mapping[str, Any] = field(default_factory=dict)


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
    """

    run_id: str
    kind: str
    title: str
    params: Mapping[str, Any]
    seed: int
    state: RunState
    session: str = "local"
    fraction: float = 0.0
    message: str = ""
    created: float = 0.0
    updated: float = 0.0
    eta_seconds: float | None = None
