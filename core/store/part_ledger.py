"""A run of several trainings, one after another: each writes to a ledger of its own, which is a part of the run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.ledger import Artifact
from core.records import Measurement, Metric, Metrics
from core.store.ledger import require_name

if TYPE_CHECKING:
    from core.config import JsonObject
    from core.ledger import Ledger

PART = "part"
"""Beside the numbers of a step: which part they are of."""
_STRIDE = 1_000_000
"""Steps that a part may have."""
_HEAD = 8


class PartLedger:
    """The ledger of one part; keeps the promises of `core.ledger` by those of the whole.

    The run has one newest checkpoint, that of the part at work. Parts are worked on in order, and whoever owns the
    run writes down which of them are done; a checkpoint of another part is none of this one.

    Args:
        whole: the run's ledger.
        index: which part, from 0.
        begins: share of the whole run's work that lies before this part.
        share: of the whole run's work that this part is.
    """

    def __init__(self, whole: Ledger, index: int, *, begins: float = 0.0, share: float = 1.0) -> None:
        self._whole, self.index = whole, index
        self._begins, self._share = begins, share
        self.run_id: str = whole.run_id
        self.params: JsonObject = whole.params

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        head = self.index.to_bytes(_HEAD, "little")
        self._whole.checkpoint(head + data, fraction=self._begins + self._share * fraction)

    def latest_checkpoint(self) -> bytes | None:
        kept = self._whole.latest_checkpoint()
        if kept is None or int.from_bytes(kept[:_HEAD], "little") != self.index:
            return None
        return kept[_HEAD:]

    def add_measurements(self, step: int, measurements: Sequence[Measurement]) -> None:
        self._whole.add_measurements(self._step(step), measurements)

    def measurements(self, after: int = 0) -> list[tuple[int, Measurement]]:
        first = self.index * _STRIDE
        every = self._whole.measurements()
        own = [(step - first, found) for step, found in every if first <= step < first + _STRIDE]
        return own[after:]

    def log_metrics(self, step: int, metrics: Mapping[str, Metric]) -> None:
        self._whole.log_metrics(self._step(step), {**metrics, PART: self.index})

    def metrics(self) -> list[Metrics]:
        first = self.index * _STRIDE
        return [
            {name: value for name, value in row.items() if name != PART} | {"step": int(row["step"]) - first}
            for row in self._whole.metrics()
            if row.get(PART) == self.index
        ]

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        require_name(name)
        return self._whole.save_artifact(self._named(name), data, media_type)

    def artifact(self, name: str) -> bytes:
        return self._whole.artifact(self._named(name))

    def artifacts(self) -> list[Artifact]:
        prefix = self._named("")
        return [
            Artifact(each.name.removeprefix(prefix), each.sha256, each.size, each.media_type)
            for each in self._whole.artifacts()
            if each.name.startswith(prefix)
        ]

    def _step(self, step: int) -> int:
        if not 0 <= step < _STRIDE:
            raise ValueError(f"step {step} of a part; there may be {_STRIDE:,}")
        return self.index * _STRIDE + step

    def _named(self, name: str) -> str:
        return f"part-{self.index}-{name}"
