"""Networks worth a first look."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.library.alone import list_alone
from core.library.fronts import front
from core.library.gathered import best_known
from core.library.origins.alone import alone_info
from core.library.origins.base import ModelInfo
from core.library.origins.subnet import subnet_info
from core.library.origins.tuned import tuned_info
from core.library.supernets import SupernetEntry
from core.library.tuned import list_tuned
from core.objectives.base import best_called, objectives, usual_pair

if TYPE_CHECKING:
    from core.store import RunStore


def suggestions(store: RunStore | None, entry: SupernetEntry) -> list[ModelInfo]:
    """Models of a supernet worth a first look: its ends, its best, its knee, and what was trained alone or tuned.

    Reads the complete table where there is one, else what was searched and sampled; never loads torch.
    """
    space = entry.space
    notable: dict[str, list[str]] = {}
    for end, word in zip(space.ends or (), ("smallest", "largest"), strict=False):
        notable[space.arch_id(end)] = [word]
    if not notable:
        notable[space.arch_id(entry.reference)] = []
    table = best_known(store, entry)[1]
    pair = None if table is None else usual_pair(table.columns)
    if table is not None and pair is not None:
        quality, cost = objectives(pair)
        # Of equally good subnets the cheapest: the table is walked in the order of its cost.
        ordered = table.sort_values(cost.name, kind="stable", ascending=not cost.maximize)
        values = ordered[quality.name].to_numpy() * (1 if quality.maximize else -1)
        best = ordered["arch_id"].to_numpy()[values.argmax()]
        notable.setdefault(str(best), []).append(best_called(quality.name))
        for knee in front(table, (cost.name, quality.name)).knees.values():
            if "knee" not in (words := notable.setdefault(knee, [])):
                words.append("knee")
    found = [subnet_info(entry, arch_id) for arch_id in notable]
    named = [
        replace(info, title=f"{entry.title} {info.arch_id} ({', '.join(words)})" if words else info.title)
        for info, words in zip(found, notable.values(), strict=True)
    ]
    trained = [alone_info(net) for net in list_alone(store, entry.supernet_id)]
    return named + trained + [tuned_info(net) for net in list_tuned(store, entry.supernet_id)]
