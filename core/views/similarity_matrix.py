"""Which networks a similarity matrix is made of, and what it shows: order, names, rows for CSV. No torch."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.library import supernets
from core.library.alone import list_alone
from core.library.fronts import front
from core.library.gathered import best_known
from core.library.matrices import MOST_NETWORKS, Matrix, MatrixChoice
from core.library.network_id import NetworkId
from core.library.networks import describe, subnet_id
from core.library.pruned import list_pruned
from core.library.supernets import SupernetEntry
from core.objectives.base import usual_pair
from core.records import Metrics
from core.seeding import stream
from core.similarity.base import MEASURES
from core.similarity.many import clustered_order

if TYPE_CHECKING:
    from core.store import RunStore

LONGEST_NAME = 28


def of_one_data_set(store: RunStore | None, entry: SupernetEntry) -> list[SupernetEntry]:
    """The supernet and all others that were trained on the same data, itself first."""
    mine = _data_of(entry)
    others = [
        e for e in supernets.entries(store) if e.supernet_id != entry.supernet_id and _data_of(e) == mine
    ]
    return [entry, *others]


def _data_of(entry: SupernetEntry) -> tuple[Any, ...]:
    data = entry.card.data
    if data is None:
        return (entry.supernet_id,)
    return (data.fingerprint,) if data.fingerprint else (data.name, repr(data.config), data.seed)


def on_the_front(entry: SupernetEntry, most: int = MOST_NETWORKS, store: RunStore | None = None) -> list[str]:
    """Ids of the members of the front, from the cheapest to the dearest; evenly thinned where there are more.

    The exact front where the whole space was measured, else that of what searches and samples measured.
    """
    table = best_known(store, entry)[1]
    pair = None if table is None else usual_pair(table.columns)
    if table is None or pair is None:
        return []
    ids = front(table, pair[::-1]).members["arch_id"].tolist()
    places = np.linspace(0, len(ids) - 1, min(len(ids), most)).round().astype(int).tolist()
    return [subnet_id(entry, str(ids[k])) for k in dict.fromkeys(places)]


def at_random(entry: SupernetEntry, n: int, seed: int) -> list[str]:
    """Ids of n different random subnets (fewer where the space is smaller); a larger n holds the smaller one."""
    rng = stream(seed, "matrix", "random")
    found: dict[str, None] = {}
    for _ in range(50 * n):
        if len(found) >= min(n, entry.space.size):
            break
        found.setdefault(subnet_id(entry, entry.space.arch_id(entry.space.sample(rng))))
    return list(found)


def pruned_of(store: RunStore | None, supernet_id: str) -> list[str]:
    """Ids of all networks that were pruned from subnets of a supernet, newest run first."""
    return [m.model_id for m in list_pruned(store) if not m.is_parent and m.supernet_id == supernet_id]


def alone_of(store: RunStore | None, supernet_id: str) -> list[str]:
    """Ids of all networks trained alone with architectures of a supernet."""
    return [net.model_id for net in list_alone(store, supernet_id)]


def stage_names(store: RunStore | None, network_id: str) -> list[str]:
    """Names of the stages of a network, in order.

    Raises:
        NotFound, InvalidInput: there is no such network.
    """
    info = describe(store, network_id)
    entry = supernets.find(store, info.supernet_id)
    rows = supernets.stage_rows(entry, entry.space.from_id(info.arch_id))
    return list(info.stages or (row.label for row in rows))


def revision_of(store: RunStore | None, network_ids: Sequence[str]) -> str:
    """Changes whenever the weights of one of the supernets do that these networks come from.

    Raises:
        NotFound, InvalidInput: a network does not exist.
    """
    ids = sorted({describe(store, network_id).supernet_id for network_id in network_ids})
    hashes = [supernets.find(store, supernet_id).sha256 for supernet_id in ids]
    return hashlib.sha256("/".join(hashes).encode()).hexdigest()[:16]


def order_of(found: Matrix, measure: str, how: str) -> list[int]:
    """Positions of the rows: "alike" puts alike networks beside each other, anything else keeps the order chosen."""
    if how != "alike":
        return list(range(len(found.model_ids)))
    return clustered_order(found.values, distance=MEASURES.get(measure).kind == "distance")


def names_of(found: Matrix) -> list[str]:
    """A short name per network, each once, for the axes."""
    owners = {i.owner for i in map(NetworkId.parse, found.model_ids) if i.origin == "subnet"}
    names = []
    for network_id, short, title in zip(found.model_ids, found.shorts, found.titles, strict=True):
        # Architectures of two supernets may have one short id.
        name = title if len(owners) > 1 and NetworkId.parse(network_id).origin == "subnet" else short
        names.append(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 15]}…{name[-14:]}")
    again, seen = Counter(names), Counter[str]()
    for k, name in enumerate(names):
        if again[name] > 1:
            seen[name] += 1
            names[k] = f"{name} #{seen[name]}"
    return names


def rows_of(found: Matrix, choice: MatrixChoice, order: Sequence[int]) -> list[Metrics]:
    """The matrix as a tidy table in the order shown: a row per pair, both directions."""
    return [
        {
            "network_a": found.model_ids[i],
            "title_a": found.titles[i],
            "layers_a": " | ".join(found.places[i]) or "answers",
            "network_b": found.model_ids[j],
            "title_b": found.titles[j],
            "layers_b": " | ".join(found.places[j]) or "answers",
            "measure": choice.measure,
            "value": float(found.values[i, j]) if math.isfinite(found.values[i, j]) else "",
            "reason": found.reasons.get((i, j), ""),
            "pooling": choice.pooling,
            "split": choice.probe.split,
            "seed": choice.probe.seed,
        }
        for i in order
        for j in order
    ]
