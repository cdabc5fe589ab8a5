"""A UMAP of networks, in the background: distances first, then the embedding; the result is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.library.model_map import Distances, MapChoice, measure_distances
from core.records import Progress

if TYPE_CHECKING:
    from core.library.library import Library
    from core.store import Ledger

LABEL = "Map"
WEIGHT_CLASS = "light"
RESULT_FILE = "map.json"
_DISTANCES_SHARE = 0.7


class Request(BaseConfig):
    """Which networks to draw, and how UMAP draws them."""

    choice: MapChoice = Field(description="The networks.")
    revision: str = Field(
        "", max_length=80, description="Of the supernet and its table; a map of other weights is another map."
    )
    neighbors: int = Field(10, ge=2, le=100, description="Neighborhood that UMAP tries to keep.")
    epochs: int = Field(300, ge=10, le=5000, description="Optimization steps.")
    seed: int = Field(0, ge=0, description="Of UMAP.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Measure the distances (checkpointed when done) and embed them; the artifact is `map.json`.

    Raises:
        NotFound, InvalidInput, DataUnavailable: see `core.library.model_map`; fewer than four networks, or
            the supernet is no longer the one that was asked for.
    """
    from core.geometry.embedding import umap_of_distances

    entry = library.supernet(request.choice.supernet)
    if request.revision not in ("", entry.revision):
        raise InvalidInput(
            f"{entry.title} has changed since this map was asked for; open the map and compute it again."
        )
    kept = ledger.latest_checkpoint()
    found = _from_json(kept) if kept else None
    if found is None:
        for step in measure_distances(library.store, entry, request.choice):
            if isinstance(step, Distances):
                found = step
            else:
                yield Progress(_DISTANCES_SHARE * step, f"Running the networks on the probe: {step:.0%}.")
        assert found is not None
        ledger.checkpoint(_to_json(found), fraction=_DISTANCES_SHARE)
    yield Progress(
        _DISTANCES_SHARE, f"UMAP of {len(found.model_ids)} networks; the first use of UMAP compiles it."
    )
    points = umap_of_distances(
        found.values, neighbors=request.neighbors, epochs=request.epochs, seed=request.seed
    ).points
    stored = json.loads(_to_json(found)) | {"points": points.tolist()}
    ledger.save_artifact(RESULT_FILE, json.dumps(stored).encode(), "application/json")
    yield Progress(1.0, f"UMAP of {len(found.model_ids)} networks is ready.")


def read_map(data: bytes) -> tuple[Distances, np.ndarray]:
    """(distances, points (n, 2)) of a stored `map.json`."""
    return _from_json(data), np.asarray(json.loads(data)["points"], dtype=np.float64)


def _to_json(found: Distances) -> bytes:
    fields = ("model_ids", "titles", "arch_ids", "left_out")
    return json.dumps({n: getattr(found, n) for n in fields} | {"values": found.values.tolist()}).encode()


def _from_json(data: bytes) -> Distances:
    stored = json.loads(data)
    return Distances(
        tuple(stored["model_ids"]), tuple(stored["titles"]), tuple(stored["arch_ids"]),
        np.asarray(stored["values"], dtype=np.float64), dict(stored["left_out"]),
    )  # fmt: skip
