"""Mixtures of two networks' weights as a run of `connect_models` keeps them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.library.results import Part, Record

KIND = "connect_models"


class MixedCurve(Part):
    """Loss (nats) and accuracy (fraction) on the line from A (t = 0) to B (t = 1)."""

    t: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]

    @property
    def barrier(self) -> float:
        """Largest rise of the loss above the straight line between its ends, in nats; at least 0."""
        t, loss = np.asarray(self.t), np.asarray(self.loss)
        return float(np.max(loss - ((1 - t) * loss[0] + t * loss[-1])))


class MixedPlane(Part):
    """Loss and accuracy (rows, columns) on the plane through three networks, and where these lie."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]
    accuracy: tuple[tuple[float, ...], ...]
    corners: tuple[tuple[float, ...], ...]

    def arrays(self, what: str) -> tuple[NDArray[np.float64], ...]:
        """(x, y, "loss" or "accuracy", corners) as arrays."""
        x, y, values, corners = (
            np.asarray(getattr(self, name), dtype=np.float64) for name in ("x", "y", what, "corners")
        )
        return x, y, values, corners


class MixingRecord(Record):
    """What a run keeps when it is done.

    Attributes:
        curves: matching -> the line.
        stages: matching -> stage index -> barrier where only that stage moves.
        plane: through all three, if there was a third.
        models: titles; labels: of the stages.
        n, split: samples judged on.
    """

    FILE: ClassVar[str] = "connectivity.json"
    curves: dict[str, MixedCurve]
    stages: dict[str, dict[str, float]]
    plane: MixedPlane | None = None
    models: tuple[str, ...]
    labels: tuple[str, ...]
    n: int
    split: str
