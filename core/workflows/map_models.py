"""A UMAP of networks, in the background: distances first, then the embedding; the result is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.geometry.embedding import umap_of_distances
from core.library.maps import MapRecord
from core.library.model_map import Distances, MapChoice, measure_distances
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Map"
WEIGHT_CLASS = "light"
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
    entry = library.supernet(request.choice.supernet)
    if request.revision not in ("", entry.revision):
        raise InvalidInput(
            f"{entry.title} has changed since this map was asked for; open the map and compute it again."
        )
    kept = ledger.latest_checkpoint()
    found = MapRecord.decode(kept).distances if kept else None
    if found is None:
        for step in measure_distances(library.store, entry, request.choice):
            if isinstance(step, Distances):
                found = step
            else:
                yield Progress(
                    _DISTANCES_SHARE * step, f"Running the networks on the probe: {format_share(step)}."
                )
        assert found is not None
        ledger.checkpoint(MapRecord.of(found).encode(), fraction=_DISTANCES_SHARE)
    yield Progress(
        _DISTANCES_SHARE, f"UMAP of {len(found.model_ids)} networks; the first use of UMAP compiles it."
    )
    points = umap_of_distances(
        found.values, neighbors=request.neighbors, epochs=request.epochs, seed=request.seed
    ).points
    MapRecord.of(found, points).save(ledger)
    yield Progress(1.0, f"UMAP of {len(found.model_ids)} networks is ready.")
