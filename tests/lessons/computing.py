"""Computing a lesson's evidence in a test: to the end, or cut after some checkpoints and started again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from core.ledger import Ledger
from core.store import MemoryLedger

Work = Callable[[Ledger], Generator[Any, None, Any]]


class Cut(Exception):
    """The process is gone."""


class CutLedger(MemoryLedger):
    """A ledger whose process is gone after so many checkpoints."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        super().checkpoint(data, fraction=fraction)
        assert 0 < fraction <= 1
        self.left -= 1
        if not self.left:
            raise Cut


def computed(work: Work, ledger: Ledger | None = None) -> Any:
    """What the work returns; fractions never fall."""
    going, last = work(ledger or MemoryLedger()), 0.0
    while True:
        try:
            now = next(going).fraction
        except StopIteration as end:
            return end.value
        assert last - 1e-9 <= now <= 1
        last = now


def resumed(work: Work, after: int) -> Any:
    """The same, cut after so many checkpoints and begun again with what they kept."""
    ledger = CutLedger(after)
    try:
        computed(work, ledger)
    except Cut:
        return computed(work, ledger)
    raise AssertionError("it was over before it was cut")
