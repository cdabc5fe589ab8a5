"""A subnet, cut out of its supernet and calibrated."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from core.errors import CoreError, InvalidInput
from core.evaluation.costs import NotCounted
from core.library import supernets
from core.library.evaluations import obtained_at
from core.library.gathered import measuring_runs, on_own_data
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, Known, ModelInfo, Origin
from core.library.supernets import SupernetEntry
from core.objectives.base import FromCosts, all_names, method, names_of
from core.records import Measurement, Obtained, Source

if TYPE_CHECKING:
    from torch import nn

    from core.store import RunStore


@ORIGINS.register("subnet")
class Subnet(Origin):
    """A subnet of a supernet, with its weights and with statistics of its own."""

    label = "Subnet"
    form = "SUPERNET:ARCHITECTURE"

    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        return subnet_info(supernets.find(store, owner), part)

    def known(self, store: RunStore | None, owner: str, part: str) -> Known:
        entry = supernets.find(store, owner)
        told = tuple(
            (name, str(option)) for name, option in entry.space.to_dict(entry.space.from_id(part)).items()
        )
        values, obtained = _from_table(entry, part)
        if values:
            return Known(values, obtained, told)
        values, obtained = _from_searches(store, entry, part)
        missing = {name: value for name, value in counted(entry, part).items() if name not in values}
        how = dict.fromkeys(missing, Obtained(Source.COUNTED))
        return Known(values | missing, obtained | how, told)

    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        supernet, arch = supernets.load(entry), entry.space.from_id(part)
        return supernet.extract(arch, supernet.calibrate_on(arch, supernets.dataset(entry)))


def subnet_info(entry: SupernetEntry, arch_id: str) -> ModelInfo:
    """A subnet of a supernet that is at hand.

    Raises:
        InvalidInput: there is no such architecture.
    """
    arch = entry.space.from_id(arch_id)
    if entry.space.arch_id(arch) != arch_id:
        raise InvalidInput(f"{arch_id!r} is not the id of an architecture of {entry.title}.")
    names = dict(zip(entry.space.ends or (), ("smallest", "largest"), strict=False))
    named = f" ({names[arch]})" if arch in names else ""
    return ModelInfo(
        model_id=str(NetworkId.subnet(entry.supernet_id, arch_id)),
        title=f"{entry.title} {arch_id}{named}",
        short=arch_id,
        supernet_id=entry.supernet_id,
        arch_id=arch_id,
        origin="subnet",
        seed=entry.card.seed or 0,
    )


_Found = tuple[dict[str, float], dict[str, Obtained]]


def _from_table(entry: SupernetEntry, arch_id: str) -> _Found:
    try:
        table = supernets.table_with_counts(entry)
    except CoreError:  # damaged: its page says so
        table = None
    if table is None:
        return {}, {}
    rows = np.flatnonzero(table["arch_id"].to_numpy(object) == arch_id)
    if not len(rows):
        return {}, {}
    row = int(rows[0])
    values = {name: float(table[name].to_numpy(float)[row]) for name in all_names() if name in table}
    values = {name: value for name, value in values.items() if np.isfinite(value)}
    return values, dict(obtained_at(table, row, list(values), Obtained(Source.MEASURED)))


def _from_searches(store: RunStore | None, entry: SupernetEntry, arch_id: str) -> _Found:
    """What searches and samples of this supernet measured; the newest one that did counts."""
    for run in on_own_data(measuring_runs(store, entry.supernet_id)):
        assert store is not None
        for _, found in store.ledger(run.run_id).measurements():
            if entry.space.arch_id(found.arch) == arch_id:
                return _said(found)
    return {}, {}


def _said(found: Measurement) -> _Found:
    return dict(found.values), {name: found.how(name) for name in found.values}


def counted(entry: SupernetEntry, arch_id: str) -> dict[str, float]:
    """The counted objectives that the supernet's cost table has, of one architecture. No torch where the card has one."""
    costs = supernets.costs(entry)
    rows = np.array([entry.space.from_id(arch_id)], np.uint8)
    found = {}
    for name in names_of(FromCosts):
        with suppress(NotCounted):
            found[name] = float(costs.counted(method(name, FromCosts), rows)[0])
    return found
