"""Which samples the subnets of a supernet's table got right, and the intervals of their accuracies. No torch.

Intervals of single accuracies need nothing but the accuracies. Whatever compares subnets needs to know which samples
each got right; tables of earlier releases do not say it, and measuring every subnet again does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache, kept
from core.chance.bits import CorrectBits, parse_bits
from core.chance.intervals import Interval, PairedTest, compare, samples_behind, wilson
from core.errors import CoreError, InvalidInput
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import ShareOfSamples, names_of, objective

if TYPE_CHECKING:
    import pandas as pd

    from core.ledger import Ledger

NOT_KEPT = (
    "Which samples each subnet got right was not kept when this table was measured, so nothing can be said about "
    "differences. Measure every subnet again to know it."
)


OF_SOME = (
    "Searches and samples do not keep which samples each subnet got right, so nothing is said about differences between "
    "these subnets, nor how often each would stay on the front; every accuracy has its interval."
)


@dataclass(frozen=True, eq=False)
class KnownBits:
    """Which samples the subnets of a table got right.

    Attributes:
        by_split: split -> bits, rows as in the table; empty where they are not known.
        sentence: why they are not known; "" where they are.
    """

    by_split: Mapping[str, CorrectBits]
    sentence: str = ""


@kept(4, key=lambda entry: (entry.revision, entry.read_bits is not None))
def known_bits(entry: SupernetEntry) -> KnownBits:
    """The bits beside a supernet's table; a damaged or foreign file is a sentence."""
    table = supernets.table(entry)
    if table is None or entry.read_bits is None:
        return KnownBits({}, OF_SOME if table is None else NOT_KEPT)
    try:
        found = parse_bits(entry.read_bits(), n_subnets=len(table), table_sha256=entry.table_sha256)
    except (InvalidInput, OSError) as error:
        return KnownBits({}, str(error))
    shares = {objective(name).split: name for name in names_of(ShareOfSamples) if name in table}
    for split, bits in found.items():
        if (
            split in shares
            and (bits.correct() / bits.n_samples != table[shares[split]].to_numpy(float)).any()
        ):
            return KnownBits({}, NOT_KEPT)
    return KnownBits(found)


def measured(entry: SupernetEntry, table: bytes, bits: bytes | None) -> SupernetEntry:
    """The supernet with a complete table that was measured just now."""
    return replace(
        entry,
        read_table=lambda: table,
        table_sha256=hashlib.sha256(table).hexdigest(),
        read_bits=None if bits is None else lambda: bits,
    )


def measured_by(entry: SupernetEntry, ledger: Ledger) -> SupernetEntry:
    """The supernet with the table of a run of `evaluate_table`."""
    kept_files = {each.name for each in ledger.artifacts()}
    bits = ledger.artifact(supernets.BITS_FILE) if supernets.BITS_FILE in kept_files else None
    return measured(entry, ledger.artifact(supernets.TABLE_FILE), bits)


def rows_in_table(entry: SupernetEntry, arch_ids: Sequence[str]) -> NDArray[np.int64]:
    """Where subnets stand in a supernet's complete table; -1 for one that is not there."""
    at = _places(entry)
    return np.array([at.get(arch_id, -1) for arch_id in arch_ids], dtype=np.int64)


@kept(4, key=lambda entry: entry.revision)
def _places(entry: SupernetEntry) -> dict[str, int]:
    table = supernets.table(entry)
    return {} if table is None else {arch_id: row for row, arch_id in enumerate(table["arch_id"].tolist())}


def paired_test(entry: SupernetEntry, a: str, b: str, name: str = "accuracy") -> PairedTest | None:
    """Two subnets of a table on the same samples; None where it is not known which they got right."""
    bits = known_bits(entry).by_split.get(objective(name).split)
    at = rows_in_table(entry, (a, b))
    if bits is None or (at < 0).any():
        return None
    return compare(bits.row(int(at[0])), bits.row(int(at[1])))


def samples_of(entry: SupernetEntry, table: pd.DataFrame, name: str, revision: str) -> int | None:
    """How many samples an objective's values are shares of; None where they are none.

    Args:
        entry: whose subnets.
        table: of them.
        name: the objective.
        revision: changes whenever the table does.
    """
    if name not in names_of(ShareOfSamples, [name]) or name not in table:
        return None
    return _samples.get((revision, name), lambda: _own_samples(entry, name) or samples_behind(table[name]))


_samples: Cache[int | None] = Cache(64)


def _own_samples(entry: SupernetEntry, name: str) -> int | None:
    """From all of the supernet's subnets, whose accuracies say it more surely than those of a few."""
    own = supernets.table(entry)
    return samples_behind(own[name]) if own is not None and name in own else None


def interval_of(entry: SupernetEntry, name: str, value: float) -> Interval | None:
    """The interval of an accuracy of any network judged on a supernet's samples; None where it has none."""
    try:
        table = supernets.table(entry)
    except CoreError:  # damaged: its page says so
        table = None
    n = None if table is None else samples_of(entry, table, name, entry.revision)
    return accuracy_interval(value, n) if n is not None and 0 <= value <= 1 else None


def accuracy_interval(value: float, n: int) -> Interval:
    """Wilson's 95 % interval of an accuracy measured on n samples."""
    low, high = wilson([round(value * n)], n)
    return Interval(float(low[0]), float(high[0]))
