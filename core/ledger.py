"""What a workflow writes down while it runs, and finds again when it is resumed.

A workflow gets a ledger and nothing else: `RunLedger` writes to the store, `MemoryLedger` keeps the same
promises without one (command line, tests). When a writing method returns, what it wrote survives a kill
and a power cut. One process writes to a run at a time: a worker that has been replaced gets `Cancelled`.
Resuming means reading `latest_checkpoint()` and `measurements()` and going on after them; measurements
are appended, so a workflow never adds a step again that it finds there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.config import JsonObject
from core.records import Measurement, Metric, Metrics


@dataclass(frozen=True)
class Artifact:
    """A file a run produced."""

    name: str
    sha256: str
    size: int
    media_type: str


class Ledger(Protocol):
    """The record of one run."""

    run_id: str
    params: JsonObject

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        """Keep `data` as the newest checkpoint; it is durable on return."""

    def latest_checkpoint(self) -> bytes | None:
        """The newest intact checkpoint, or None before the first.

        Raises:
            DamagedArtifact: there are checkpoints, and none is intact.
        """

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Append all of `measurements` or none; durable on return."""

    def measurements(self, after: int = 0) -> list[tuple[int, Measurement]]:
        """(step, measurement) in the order they were added, without the first `after`."""

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        """Numbers worth drawing; logging a step again replaces it."""

    def metrics(self) -> list[Metrics]:
        """One dictionary per step with its "step", in order of steps."""

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        """Keep a result file and return its SHA-256; the same name again replaces it."""

    def artifact(self, name: str) -> bytes:
        """The content of an artifact, verified.

        Raises:
            NotFound: the run has no such artifact.
            DamagedArtifact: its file is missing or has changed.
        """

    def artifacts(self) -> list[Artifact]:
        """All artifacts, by name."""
