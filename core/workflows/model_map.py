"""A map of networks: their mutual distances at one place, on the plane at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import create
from core.workflows import library
from core.workflows.activations import ProbeChoice, activations, layers, probe_of
from core.workflows.library import SupernetEntry
from core.workflows.models import load_model, subnet_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.geometry.embedding import Embedding
    from core.store import RunStore

MOST_MODELS = 200
_DISTANCE = "angular"


class MapChoice(BaseModel):
    """Which networks are on a map, and where in them it looks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    supernet: str = Field(description="Its front and a sample of its subnets are on the map.")
    models: tuple[str, ...] = Field((), description="Further models, by id.")
    sample: int = Field(25, ge=0, le=MOST_MODELS, description="Random subnets of the complete table.")
    place: str = Field("last", pattern="^(first|middle|last|answer)$", description="Which stage is compared.")
    pooling: str = Field("pooled", pattern="^(pooled|flattened)$", description="How maps become units.")
    probe: ProbeChoice = Field(default_factory=ProbeChoice, description="Samples compared on.")
    seed: int = Field(0, ge=0, description="Of the random subnets.")


@dataclass(frozen=True, eq=False)
class Distances:
    """Mutual distances of networks.

    Attributes:
        model_ids, titles: the networks.
        arch_ids: their architectures.
        values: (n, n) angular distances in radians, 0 (the same shape) to pi / 2.
        left_out: model id -> why it is not on the map.
    """

    model_ids: tuple[str, ...]
    titles: tuple[str, ...]
    arch_ids: tuple[str, ...]
    values: NDArray[np.float64]
    left_out: dict[str, str]


def members(entry: SupernetEntry, choice: MapChoice) -> list[str]:
    """Model ids on the map: those chosen, the front's, and a seeded sample of the table."""
    found = list(choice.models)
    table = library.table(entry)
    if table is not None and {"accuracy", "macs"} <= set(table.columns):
        from core.workflows.front_view import front

        on_front = front(table, ("macs", "accuracy")).members["arch_id"].tolist()
        keep = np.linspace(0, len(on_front) - 1, min(len(on_front), 20)).round().astype(int)
        found += [subnet_id(entry, on_front[i]) for i in keep]
        rows = stream(choice.seed, "map", "sample").choice(
            len(table), min(choice.sample, len(table)), replace=False
        )
        ids = table["arch_id"].to_numpy()
        found += [subnet_id(entry, str(ids[r])) for r in np.sort(rows)]
    return list(dict.fromkeys(found))[:MOST_MODELS]


def measure_distances(
    store: RunStore | None, entry: SupernetEntry, choice: MapChoice
) -> Iterator[float | Distances]:
    """Load, run and compare the networks; yields the share done, at last the distances.

    Raises:
        InvalidInput: fewer than two networks can be compared.
        DataUnavailable: the data are not here.
    """
    measure = create(_DISTANCE)
    ids = members(entry, choice)
    prepared, infos, left_out = [], [], {}
    fingerprint = ""
    for index, model_id in enumerate(ids):
        from core.errors import CoreError
        from core.similarity.base import Undefined

        try:
            model = load_model(store, model_id)
            probe = probe_of(model, choice.probe)
            if fingerprint not in ("", probe.fingerprint):
                raise InvalidInput("It was trained on other data.")
            layer = _layer(model, choice.place)
            x = activations(model, probe, layer, choice.pooling)
            prepared.append(measure.prepare(x.astype(np.float64)))
            infos.append(model.info)
            fingerprint = probe.fingerprint
        except Undefined as error:
            left_out[model_id] = str(error)
        except CoreError as error:
            if len(ids) == 1 or model_id not in choice.models:
                raise
            left_out[model_id] = str(error)
        yield (index + 1) / (len(ids) + 1)
    if len(prepared) < 2:
        raise InvalidInput("A map needs at least two networks that can be compared; choose more.")
    values = measure.matrix(prepared, prepared)
    values = np.nan_to_num((values + values.T) / 2)
    np.fill_diagonal(values, 0.0)
    yield Distances(
        tuple(i.model_id for i in infos), tuple(i.title for i in infos), tuple(i.arch_id for i in infos), values, left_out
    )  # fmt: skip


def _layer(model: object, place: str) -> str:
    stages = layers(model)  # type: ignore[arg-type]
    at = {
        "first": 0,
        "middle": (len(stages) - 1) // 2,
        "last": max(0, len(stages) - 2),
        "answer": len(stages) - 1,
    }
    return stages[at[place]].layer_id


_kept: OrderedDict[tuple[str, MapChoice], Distances] = OrderedDict()
_lock = threading.Lock()


def distances(store: RunStore | None, entry: SupernetEntry, choice: MapChoice) -> Distances:
    """As `measure_distances`, at once and kept a while."""
    key = (entry.revision, choice)
    with _lock:
        if key in _kept:
            return _kept[key]
    for found in measure_distances(store, entry, choice):
        if isinstance(found, Distances):
            with _lock:
                _kept[key] = found
                while len(_kept) > 16:
                    _kept.popitem(last=False)
            return found
    raise InvalidInput("There is no network to draw.")


def flat_map(found: Distances) -> Embedding:
    """The networks on the plane by classical scaling."""
    from core.geometry.embedding import classical_mds

    return classical_mds(found.values)


def colors(entry: SupernetEntry, arch_ids: tuple[str, ...], column: str) -> list[float | str]:
    """A table column's value for each architecture: an objective's number, or a choice's option as text."""
    table = library.table(entry)
    if table is None or column not in table:
        return [0.0 for _ in arch_ids]
    values = dict(zip(table["arch_id"], table[column], strict=True))
    if column in entry.space.names:
        return [str(values.get(i, "other")) for i in arch_ids]
    return [float(values.get(i, float("nan"))) for i in arch_ids]
