"""How sure the rows of a table are, as columns of its CSV file: intervals of accuracies, and the share of resamples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.chance.intervals import samples_behind, wilson
from core.errors import InvalidInput
from core.library.chance import NO_ACCURACY, competing, quality_and_cost, resampled
from core.library.supernets import SupernetEntry
from core.objectives.base import ShareOfSamples, choosable_names, names_of

if TYPE_CHECKING:
    import pandas as pd

SHARE = "front_share"
MEANINGS = {
    "low": "lower end of the 95 % interval (Wilson) of the column without _low",
    "high": "upper end of the 95 % interval (Wilson) of the column without _high",
    SHARE: "in which share of 2,000 resamples of the samples the row is on the front",
}


def meaning(column: str) -> str:
    """What a column of these is; "" for another one."""
    return MEANINGS.get(column) or MEANINGS.get(column.rpartition("_")[2], "")


def interval_columns(table: pd.DataFrame, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """`<accuracy>_low` and `<accuracy>_high` of every accuracy among the objectives; (n,) each, NaN without a value."""
    found: dict[str, NDArray[np.float64]] = {}
    for name in names_of(ShareOfSamples, names):
        values = table[name].to_numpy(float)
        n, known = samples_behind(values), np.isfinite(values)
        ends = np.full((2, len(values)), np.nan)
        if n is not None:
            ends[:, known] = wilson(np.rint(values[known] * n), n)
        found |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return found


def chance_columns(
    entry: SupernetEntry, table: pd.DataFrame, front_of: Sequence[str], also: Sequence[str] = ()
) -> dict[str, NDArray[np.float64]]:
    """The intervals, and `front_share`: how often each row is on the front when the samples are drawn anew.

    Args:
        entry: with the complete table and its bits.
        table: rows of it.
        front_of: objectives of the front; those on test data decide nothing.
        also: further columns of the file.

    Raises:
        InvalidInput: the front is not of an accuracy and one other objective, or it is not known which samples were right.
    """
    pair = quality_and_cost(choosable_names(front_of))
    if pair is None:
        raise InvalidInput(NO_ACCURACY)
    given = competing(entry, table, pair)
    share = np.zeros(len(table))
    share[table.index.get_indexer(given.table.index)] = resampled(given).share
    return interval_columns(table, [*front_of, *also]) | {SHARE: share}
