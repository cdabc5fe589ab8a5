"""A map of networks as a run keeps it: their mutual distances, and where UMAP puts them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.library.model_map import Distances
from core.library.results import Record

KIND = "map_models"


class MapRecord(Record):
    """What a run of `map_models` keeps; as a checkpoint, without points.

    Attributes:
        model_ids, titles, arch_ids, left_out: see `Distances`.
        values: (n, n) distances.
        points: (n, 2) on the plane, None before the embedding.
    """

    FILE: ClassVar[str] = "map.json"
    model_ids: tuple[str, ...]
    titles: tuple[str, ...]
    arch_ids: tuple[str, ...]
    left_out: dict[str, str]
    values: tuple[tuple[float, ...], ...]
    points: tuple[tuple[float, ...], ...] | None = None

    @classmethod
    def of(cls, found: Distances, points: NDArray[np.float64] | None = None) -> MapRecord:
        """From arrays."""
        return cls(
            model_ids=found.model_ids,
            titles=found.titles,
            arch_ids=found.arch_ids,
            left_out=found.left_out,
            values=found.values.tolist(),
            points=None if points is None else points.tolist(),
        )

    @property
    def distances(self) -> Distances:
        """The distances as arrays."""
        return Distances(
            model_ids=self.model_ids,
            titles=self.titles,
            arch_ids=self.arch_ids,
            values=np.asarray(self.values, dtype=np.float64),
            left_out=self.left_out,
        )

    @property
    def placed(self) -> NDArray[np.float64]:
        """(n, 2) points; empty before the embedding."""
        return np.asarray(self.points or np.zeros((0, 2)), dtype=np.float64)
