"""Runs of several trainings as they lie in stores of earlier releases, half done."""

from __future__ import annotations

from typing import Any

from core.store import MemoryLedger


class EarlierLedger:
    """The ledger of the training at work, as comparisons had it that could only train one after another.

    Their runs lie in stores: the newest checkpoint is that of the training at work behind its number, in 8 bytes.
    """

    run_id, params = "memory", {}

    def __init__(self, whole: MemoryLedger, index: int) -> None:
        self.whole, self.index = whole, index

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        self.whole.checkpoint(self.index.to_bytes(8, "little") + data, fraction=fraction)

    def latest_checkpoint(self) -> None:
        return None

    def log_metrics(self, step: int, metrics: Any) -> None:
        self.whole.log_metrics(self.index * 1_000_000 + step, {**metrics, "part": self.index})

    def metrics(self) -> list[Any]:
        return []
