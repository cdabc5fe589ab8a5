"""Which objectives a search of a supernet can measure here, and why it cannot measure the others. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from core.cache import kept
from core.datasets import DATASETS
from core.errors import CoreError
from core.library import supernets
from core.library.evaluations import standing
from core.library.supernets import SupernetEntry
from core.objectives.base import (
    OBJECTIVES,
    FromCosts,
    FromFiles,
    FromProfile,
    choosable_names,
    objective,
)
from core.objectives.extracted import FromNetworks, FromWeights

_INSTRUMENT = "onnxruntime"


@dataclass(frozen=True)
class Searchable:
    """What a search may look at.

    Attributes:
        names: objectives that can be measured or looked up here, the usual ones first.
        looked_up: of them those that stand in the complete table for every subnet.
        table_only: of them those that only the table knows: nothing here could measure them.
        why_not: objective -> a sentence why a search cannot look at it.
    """

    names: tuple[str, ...]
    looked_up: frozenset[str]
    table_only: frozenset[str]
    why_not: Mapping[str, str]


@kept(16, key=lambda entry: entry.revision)
def searchable(entry: SupernetEntry) -> Searchable:
    """What a search of this supernet may look at."""
    table = supernets.table_with_counts(entry)
    there = [] if table is None else choosable_names(str(column) for column in table.columns)
    names, looked_up, table_only, why_not = [], set(), set(), {}
    for name in dict.fromkeys([*choosable_names(task=entry.task), *there]):
        kind = OBJECTIVES.get(name)
        if table is not None and name in there and not table[name].isna().any():
            looked_up.add(name)
        if issubclass(kind, FromProfile) or "." in name:
            why = _in_table(entry, name, name in looked_up)
            if not why:
                table_only.add(name)
        else:
            why = "" if name in looked_up else _here(entry, name)
        if why:
            why_not[name] = why
            looked_up.discard(name)
        else:
            names.append(name)
    order = choosable_names(names)
    return Searchable(tuple(order), frozenset(looked_up), frozenset(table_only), why_not)


def refusal(found: Searchable, names: tuple[str, ...], *, use_table: bool) -> str:
    """Why these objectives cannot be searched on together, "" if they can."""
    only = [objective(name).label for name in names if name in found.table_only]
    if not only:
        return ""
    lacking = [objective(name).label for name in names if name not in found.looked_up]
    if not use_table:
        return f"{only[0]} is known from the complete table only: switch the table on, or leave it away."
    if lacking:
        return f"{only[0]} is known from the complete table only, and {lacking[0]} is not in it: leave one of the two away."
    return ""


def _in_table(entry: SupernetEntry, name: str, complete: bool) -> str:
    """Why a search cannot look up what only a table or a profile knows."""
    label = objective(name).label
    table = supernets.table_with_counts(entry)
    if not complete or table is None:
        return f"{label} is not known of every subnet, and nothing here can measure it."
    if not standing(table, [name]).all():
        return f"{label} is predicted for most subnets, and what is predicted may not stand on a front."
    return ""


def _here(entry: SupernetEntry, name: str) -> str:
    """Why an objective cannot be measured on this machine."""
    kind, label = OBJECTIVES.get(name), objective(name).label
    if issubclass(kind, FromCosts):
        if entry.costs is None:
            return ""  # counted from the family itself, which would load torch
        try:
            supernets.counted(entry, np.array([entry.reference], np.uint8), name)
        except CoreError:
            return f"{label} is not counted for this family."
        return ""
    if issubclass(kind, FromWeights):
        return ""
    if issubclass(kind, FromNetworks) and kind.takes not in ("", entry.task):
        return f"{label} is defined for {kind.takes} data, and this supernet takes {entry.task} data."
    if issubclass(kind, FromFiles) and find_spec(_INSTRUMENT) is None:
        return f"{label} is timed with {_INSTRUMENT}, which is not installed here."
    data = entry.card.data
    if data is None:
        return f"{label} is measured on data, and the card of this supernet does not say on which."
    if data.name not in DATASETS.names():
        return f"{label} is measured on the data set {data.name[:60]!r}, which is not known here."
    return ""
