"""Real workflows and toys whose ledger tells the outside what the store has acknowledged, and in which start."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.records import Measurement

FOLDER = "PARETOSCOPE_TEST_ACKNOWLEDGED"


def plain_rows(measurements: Sequence[Measurement]) -> list[list[Any]]:
    """Measurements as they are compared: architecture and what does not depend on a clock."""
    return [[list(m.arch), untimed(m.values)] for m in measurements]


def untimed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without those that the clock or the machine's memory decides."""
    timed = ("seconds", "latency", "time", "eta", "elapsed", "per_second", "memory")
    return {name: value for name, value in values.items() if not any(word in name for word in timed)}


class Acknowledging:
    """A ledger that writes a line outside the store after each acknowledged write; a kill cannot take it back."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self._path = Path(os.environ[FOLDER]) / ledger.run_id if FOLDER in os.environ else None
        self.tell(what="start")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def latest_checkpoint(self) -> bytes | None:
        found: bytes | None = self._ledger.latest_checkpoint()
        self.tell(what="loaded", sha256=hashlib.sha256(found).hexdigest() if found is not None else "")
        return found

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        self._ledger.checkpoint(data, fraction=fraction)
        self.tell(what="checkpoint", sha256=hashlib.sha256(data).hexdigest())

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        self._ledger.add_measurements(step, measurements)
        self.tell(what="measured", rows=plain_rows(measurements))

    def log_metrics(self, step: int, metrics: Mapping[str, Any]) -> None:
        self._ledger.log_metrics(step, metrics)
        self.tell(what="metrics", step=int(step), values=untimed(metrics))

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        sha256: str = self._ledger.save_artifact(name, data, media_type)
        self.tell(what="artifact", name=name)
        return sha256

    def tell(self, **said: Any) -> None:
        """One line, with the number of this start."""
        if self._path is None:
            return
        line = json.dumps({"attempt": int(os.environ["PARETOSCOPE_ATTEMPT"]), **said}, default=float)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)
