"""The front's neighborhood on more samples: what a run of `measure_closer` keeps, and which samples there are.

A search may look at 2,000 samples where the data set has 10,000 for validation. A smaller limit is always a part of a
larger one, so the further samples are of the same kind, and none of them was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from core.chance.bits import CorrectBits, parse_bits
from core.datasets import load_dataset
from core.datasets.foreign import foreign_settings, own_settings
from core.errors import CoreError, InvalidInput
from core.library import supernets
from core.library.chance import FrontChance
from core.library.results import Record, results
from core.library.supernets import BITS_FILE, SupernetEntry

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.store import RunStore

KIND = "measure_closer"
LIMIT = "limit_validation"
_OFTEN = 0.05


class CloserRecord(Record):
    """What a run keeps.

    Attributes:
        quality: the accuracy that was measured.
        before, n: samples that it was chosen by, and that it was measured on now; the former are among the latter.
        correct: arch_id -> samples it got right, in the order of the bits.
    """

    FILE: ClassVar[str] = "closer.json"
    quality: str
    before: int
    n: int
    correct: dict[str, int]


@dataclass(frozen=True, eq=False)
class Closer:
    """A result with its bits.

    Attributes:
        run_id: of the run.
        record: what it keeps.
        bits: rows as in `record.correct`.
    """

    run_id: str
    record: CloserRecord
    bits: CorrectBits


def may_have_more(entry: SupernetEntry) -> bool:
    """Whether the supernet's card says that validation was limited; reads no data."""
    data = entry.card.data
    return data is not None and bool(data.config.get(LIMIT))


def more_samples(entry: SupernetEntry, limit: int) -> tuple[Dataset, int]:
    """The supernet's data with more validation samples, and how many (or how many positions of them) it was chosen by.

    Raises:
        DataUnavailable: the data set is not here.
        InvalidInput: there are no more samples, or the data are not those it was trained on.
    """
    first, data = supernets.dataset(entry), entry.card.data
    assert data is not None
    judged = foreign_settings if entry.origin == "uploaded" else own_settings
    config: dict[str, Any] = judged(data.name, {**data.config, LIMIT: limit})
    found = load_dataset(data.name, seed=data.seed, **config)
    before = len(first.validation)
    if len(found.validation) <= before:
        raise InvalidInput(f"The data set has no more than the {before:,} validation samples that were used.")
    answers = first.validation.answers
    continues = np.array_equal(found.validation.ids[:before], first.validation.ids)
    if not continues or not np.array_equal(found.calibration.ids, first.calibration.ids):
        raise InvalidInput("The further samples do not continue those that this supernet was measured on.")
    return found, answers


def neighborhood(chance: FrontChance) -> list[str]:
    """The members of a front, and who is on the front of a resample now and then."""
    often = [arch_id for arch_id, share in chance.share.items() if share >= _OFTEN]
    return list(dict.fromkeys([*chance.members, *often]))


def newest(store: RunStore | None, entry: SupernetEntry) -> Closer | None:
    """The newest result of a supernet that can be read; None without one."""
    for found in results(store, CloserRecord, KIND, where={"supernet": entry.supernet_id}):
        sha256 = found.files.get(BITS_FILE)
        if store is None or sha256 is None:
            continue
        try:
            kept = parse_bits(
                store.kept.content(sha256), n_subnets=len(found.record.correct), table_sha256=""
            )
        except CoreError:  # damaged: the check command names it
            continue
        return Closer(found.run.run_id, found.record, next(iter(kept.values())))
    return None


def costs_of(entry: SupernetEntry, arch_ids: Mapping[str, int], cost: str) -> dict[str, float]:
    """What subnets cost, from the supernet's table.

    Raises:
        InvalidInput: the table lacks the objective.
    """
    table = supernets.table_with_counts(entry)
    if table is None or cost not in table:
        raise InvalidInput(f"{cost} was not measured for this supernet.")
    rows = table[table["arch_id"].isin(set(arch_ids))]
    return dict(zip(rows["arch_id"], rows[cost].astype(float), strict=True))
