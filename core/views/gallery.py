"""What the gallery shows of each supernet: what it is, how much of it was measured, and a thumbnail of its front.

All of it without torch. A thumbnail is made once for each state of a table.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.cache import kept, place_of
from core.errors import CoreError
from core.library import gathered
from core.library.coverage import Coverage
from core.library.supernets import SupernetEntry
from core.objectives.base import OBJECTIVES, objectives, usual_pair
from core.pareto import non_dominated
from core.supernets.families import FAMILIES
from core.tasks.registry import TASKS

if TYPE_CHECKING:
    from core.store import RunStore

_MOST_DOTS = 90

Point = tuple[float, float]


@dataclass(frozen=True)
class Thumbnail:
    """A front as it is drawn small.

    Attributes:
        cloud: (cost, quality) of some subnets.
        front: the same of the front's members, in order of cost.
        words: what it shows, for who cannot see it.
    """

    cloud: tuple[Point, ...]
    front: tuple[Point, ...]
    words: str


@dataclass(frozen=True)
class GalleryCard:
    """One supernet of the gallery.

    Attributes:
        entry: the supernet.
        task, family: what a person calls them.
        covered: how much of its space was measured.
        state: how much was measured, in a few words.
        thumbnail: of its front; None where there is none to draw.
    """

    entry: SupernetEntry
    task: str
    family: str
    covered: Coverage
    state: str
    thumbnail: Thumbnail | None


def gallery(store: RunStore | None, entries: Sequence[SupernetEntry]) -> list[GalleryCard]:
    """A card per supernet, newest first, shipped ones last."""
    own = [entry for entry in entries if entry.origin != "shipped"]
    shipped = [entry for entry in entries if entry.origin == "shipped"]
    counts = gathered.counts_by_supernet(store)
    tasks = {info.name: info.label for info in TASKS.describe()}
    families = {info.name: info.label for info in FAMILIES.describe()}
    return [
        _card(store, entry, counts.get(entry.supernet_id, {}), tasks, families) for entry in [*own, *shipped]
    ]


def _card(
    store: RunStore | None,
    entry: SupernetEntry,
    counts: Mapping[str, int],
    tasks: Mapping[str, str],
    families: Mapping[str, str],
) -> GalleryCard:
    size, thumbnail, n = entry.space.size, None, 0
    try:
        if entry.read_table is not None:
            thumbnail, n = _of_table(entry), size
        elif counts and store is not None:
            revision = hashlib.sha256(repr(sorted(counts.items())).encode()).hexdigest()
            thumbnail, n = _of_runs(revision, store, entry)
    except CoreError:  # what is damaged is said where it is opened
        pass
    covered = Coverage(n, size)
    state = "every subnet measured" if covered.complete else f"{n:,} measured" if n else "not measured yet"
    return GalleryCard(
        entry,
        tasks.get(entry.task, entry.task),
        families.get(entry.family, entry.family),
        covered,
        state,
        thumbnail,
    )


@kept(512, key=lambda entry: entry.revision)
def _of_table(entry: SupernetEntry) -> Thumbnail | None:
    import pandas as pd

    assert entry.read_table is not None
    # Only the two columns that are drawn: the rest of a large table stays packed.
    import pyarrow.parquet as parquet

    data = entry.read_table()
    there = set(parquet.read_schema(io.BytesIO(data)).names)
    by_column = {OBJECTIVES.get(name).column or name: name for name in OBJECTIVES.names()}
    pair = usual_pair(name for column, name in by_column.items() if column in there)
    if pair is None:
        return None
    wanted = [OBJECTIVES.get(name).column or name for name in pair]
    frame: Any = pd.read_parquet(io.BytesIO(data), columns=wanted)
    return thumbnail_of(pair, frame[wanted].to_numpy(float))


@kept(512, key=lambda revision, store, entry: (place_of(store), revision))
def _of_runs(revision: str, store: RunStore, entry: SupernetEntry) -> tuple[Thumbnail | None, int]:
    table = gathered.everything(store, entry)[1]
    if table is None:
        return None, 0
    pair = usual_pair(str(column) for column in table.columns)
    found = None if pair is None else thumbnail_of(pair, table[list(pair)].to_numpy(float))
    return found, len(table)


def thumbnail_of(pair: tuple[str, str], values: NDArray[np.float64]) -> Thumbnail | None:
    """The thumbnail of a front.

    Args:
        pair: quality and cost.
        values: (n, 2) of them; rows with a value that is not known are left out.
    """
    known = values[np.isfinite(values).all(axis=1)]
    if not len(known):
        return None
    quality, cost = objectives(pair)
    members = non_dominated(known, maximize=[quality.maximize, cost.maximize])
    front = known[members][np.argsort(known[members][:, 1], kind="stable")]
    # Evenly chosen in the order of cost, so that the cloud keeps its outline.
    order = np.argsort(known[:, 1], kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), _MOST_DOTS)).astype(int))]
    return Thumbnail(
        cloud=tuple(map(tuple, known[some][:, ::-1].tolist())),
        front=tuple(map(tuple, front[:, ::-1].tolist())),
        words=f"{quality.label} against {cost.label}, {len(front):,} on the front",
    )
