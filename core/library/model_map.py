"""A map of networks: their mutual distances at one place, on the plane at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.cache import kept, place_of
from core.config import BaseConfig
from core.errors import CoreError, InvalidInput
from core.geometry.embedding import classical_mds
from core.library import supernets
from core.library.activations import ProbeChoice, activations, layers, probe_of
from core.library.alone import list_alone
from core.library.fronts import front
from core.library.network_id import NetworkId
from core.library.networks import Model, load_model, subnet_id
from core.library.supernets import SupernetEntry
from core.objectives.base import FromCosts, names_of, usual_pair
from core.seeding import stream
from core.similarity.base import MEASURES, Measure, Undefined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.geometry.embedding import Embedding
    from core.store import RunStore

MOST_SAMPLED = 150
MOST_OF_FRONT = 20
MOST_UNITS = 256
"""A distance costs the cube of the units, and a map of 60 networks needs 1,770 of them: with 256 it takes
seconds, with 1,000 minutes."""

_DISTANCE = "angular"


class MapChoice(BaseConfig):
    """Which networks are on a map, and where in them it looks."""

    supernet: str = Field(description="Its front and a sample of its subnets are on the map.")
    models: tuple[str, ...] = Field((), max_length=30, description="Further networks, by id.")
    sample: int = Field(25, ge=0, le=MOST_SAMPLED, description="Random subnets of the complete table.")
    place: str = Field("last", pattern="^(first|middle|last|answer)$", description="Which stage is compared.")
    pooling: str = Field("pooled", pattern="^(pooled|flattened)$", description="How maps become units.")
    probe: ProbeChoice = Field(default_factory=ProbeChoice, description="Samples compared on.")
    seed: int = Field(0, ge=0, description="Of the random subnets.")


@dataclass(frozen=True, eq=False)
class Distances:
    """Mutual distances of networks.

    Attributes:
        model_ids, titles: the networks.
        arch_ids: their architectures in the map's supernet, "" for networks of another one.
        values: (n, n) angular distances in radians, 0 (the same shape) to pi / 2.
        left_out: model id -> why it is not on the map.
    """

    model_ids: tuple[str, ...]
    titles: tuple[str, ...]
    arch_ids: tuple[str, ...]
    values: NDArray[np.float64]
    left_out: dict[str, str]


def settled(entry: SupernetEntry, choice: MapChoice) -> MapChoice:
    """The same map, asked for in one way: models that are on it anyhow are not named, the others are sorted.

    Clicking a dot of the map makes it a chosen model; the map, and a UMAP that took its time, must stay.
    """
    present = set(_always(entry, choice.sample, choice.seed))
    return choice.model_copy(update={"models": tuple(sorted(set(choice.models) - present))})


def members(entry: SupernetEntry, choice: MapChoice) -> list[str]:
    """Model ids on the map: the front's, a seeded sample of the table, and those chosen.

    A larger sample holds the smaller one of the same seed.
    """
    return list(dict.fromkeys([*_always(entry, choice.sample, choice.seed), *choice.models]))


@kept(64, key=lambda entry, sample, seed: (entry.revision, sample, seed))
def _always(entry: SupernetEntry, sample: int, seed: int) -> tuple[str, ...]:
    table = supernets.table(entry)
    pair = None if table is None else usual_pair(table.columns)
    if table is None or pair is None:
        return ()
    on_front = front(table, pair[::-1]).members["arch_id"].tolist()
    kept = np.linspace(0, len(on_front) - 1, min(len(on_front), MOST_OF_FRONT)).round().astype(int)
    rows = np.sort(stream(seed, "map", "sample").permutation(len(table))[:sample])
    ids = [on_front[i] for i in kept] + table["arch_id"].to_numpy()[rows].tolist()
    return tuple(dict.fromkeys(subnet_id(entry, str(i)) for i in ids))


def measure_distances(
    store: RunStore | None, entry: SupernetEntry, choice: MapChoice
) -> Iterator[float | Distances]:
    """Load, run and compare the networks; yields the share done, at last the distances.

    Raises:
        InvalidInput: fewer than two networks can be compared; the message says why.
        DataUnavailable: the data are not here.
    """
    measure = MEASURES.create(_DISTANCE)
    ids = members(entry, choice)
    prepared, infos, left_out = [], [], {}
    fingerprint = ""
    for index, model_id in enumerate(ids):
        try:
            model = load_model(store, model_id)
            probe = probe_of(model, choice.probe)
            if fingerprint not in ("", probe.fingerprint):
                raise InvalidInput("it was trained on other data")
            fingerprint = probe.fingerprint
            x = activations(model, probe, _layer(model, choice.place), choice.pooling)
            prepared.append(_prepared(measure, x))
            infos.append(model.info)
        except CoreError as error:
            # The data of the supernet itself are missing, say: that is no matter of one network.
            if not isinstance(error, Undefined) and model_id not in choice.models:
                raise
            left_out[model_id] = str(error)
        yield (index + 1) / (len(ids) + 1)
    if len(prepared) < 2:
        reason = f" {next(iter(left_out.values()))}" if left_out else ""
        raise InvalidInput(f"A map needs at least two networks that can be compared; choose more.{reason}")
    values = measure.matrix(prepared, prepared)
    values = (values + values.T) / 2
    np.fill_diagonal(values, 0.0)
    yield Distances(
        tuple(i.model_id for i in infos),
        tuple(i.title for i in infos),
        tuple(i.arch_id if i.supernet_id == entry.supernet_id else "" for i in infos),
        values,
        left_out,
    )


def _prepared(measure: Measure, x: NDArray[np.float32]) -> NDArray[np.float64]:
    if x.shape[1] > MOST_UNITS:
        raise Undefined(
            f"A map of layers of {x.shape[1]:,} units would take minutes; it is drawn up to {MOST_UNITS}: "
            "choose pooled features or a later stage."
        )
    prepared: NDArray[np.float64] = measure.prepare(x.astype(np.float64))
    return prepared


def _layer(model: Model, place: str) -> str:
    stages = layers(model)
    at = {
        "first": 0,
        "middle": (len(stages) - 1) // 2,
        "last": max(0, len(stages) - 2),
        "answer": len(stages) - 1,
    }
    return stages[at[place]].layer_id


@kept(16, key=lambda store, entry, choice: (place_of(store), entry.revision, choice))
def distances(store: RunStore | None, entry: SupernetEntry, choice: MapChoice) -> Distances:
    """As `measure_distances`, at once and kept a while."""
    *_, found = measure_distances(store, entry, choice)
    assert isinstance(found, Distances)
    return found


def flat_map(found: Distances) -> Embedding:
    """The networks on the plane by classical scaling."""
    return classical_mds(found.values)


def colors(store: RunStore | None, entry: SupernetEntry, found: Distances, column: str) -> list[float | str]:
    """An objective's number for each network (NaN: not measured), or a choice's option as text ("not used").

    A network trained alone has an accuracy of its own, and the costs of its architecture.
    """
    space = entry.space
    if column in space.names:
        return [_option(entry, arch_id, column) for arch_id in found.arch_ids]
    table = supernets.table(entry)
    known = (
        dict(zip(table["arch_id"], table[column], strict=True))
        if table is not None and column in table
        else {}
    )
    own = _own_values(store, found, column)
    return [
        own[m] if m in own else float(known.get(i, float("nan")))
        for m, i in zip(found.model_ids, found.arch_ids, strict=True)
    ]


def _option(entry: SupernetEntry, arch_id: str, choice: str) -> str:
    if not arch_id:
        return "another supernet"
    space = entry.space
    arch, at = space.from_id(arch_id), space.position[choice]
    return str(space.choices[at].options[arch[at]]) if space.is_active(arch, choice) else "not used"


def _own_values(store: RunStore | None, found: Distances, column: str) -> dict[str, float]:
    """Values that networks trained alone do not share with the subnet of their architecture."""
    alone = {m for m in found.model_ids if NetworkId.parse(m).origin == "alone"}
    if not alone or store is None or column in names_of(FromCosts):
        return {}
    return {
        k.model_id: float(getattr(k, column, float("nan"))) for k in list_alone(store) if k.model_id in alone
    }
