"""Whether who won a race of searches depends on the images that accuracies were measured on.

Seeds are one kind of chance, and the exact test over them is about that. The samples are the other: all searches were
judged on the same ones. They are drawn anew, alike for all searches, and the hypervolumes are taken again.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.chance.resampling import RESAMPLES, resampled_volumes, sample_weights
from core.errors import InvalidInput
from core.library.chance import competing, quality_and_cost
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.views.race import Race, Racer
from core.words import MINUS, format_count, format_share

if TYPE_CHECKING:
    import pandas as pd


def by_samples(
    entry: SupernetEntry, race: Race, tables: Mapping[str, pd.DataFrame | None], word: str
) -> list[str]:
    """A sentence per pair of settings; none where it is not known which samples were right.

    Args:
        entry: the supernet that was searched.
        race: of an accuracy and an objective of which less is better.
        tables: run -> its measurements in the order made.
        word: what samples are called.
    """
    pair = quality_and_cost(race.names)
    if pair is None or objective(pair[1]).maximize or not race.at:
        return []
    try:
        volumes = {
            racer.label: _volumes(entry, race, racer, tables, pair) for racer in race.racers if racer.ended
        }
    except InvalidInput:
        return []
    return [_told(a, b, volumes[a], volumes[b], race, word) for a, b in combinations(volumes, 2)]


def _volumes(
    entry: SupernetEntry,
    race: Race,
    racer: Racer,
    tables: Mapping[str, pd.DataFrame | None],
    pair: tuple[str, str],
) -> NDArray[np.float64]:
    """(resamples,) mean hypervolume over the seeds that have ended."""
    at = dict(zip(race.names, race.reference, strict=True))
    found = []
    for run_id, seed in zip(racer.run_ids, racer.seeds, strict=True):
        table = tables.get(run_id)
        if seed not in racer.ended or table is None:
            continue
        given = competing(entry, table.iloc[: race.at], pair, race.limits)
        weights = sample_weights(given.right.shape[1], RESAMPLES)
        reference = (at[pair[0]], at[pair[1]])
        found.append(resampled_volumes(given.right, given.costs, weights, reference=reference))
    return np.asarray(np.mean(found, axis=0) / (race.ceiling or 1.0))


def _told(
    a: str, b: str, first: NDArray[np.float64], second: NDArray[np.float64], race: Race, word: str
) -> str:
    difference = first - second
    if difference.mean() < 0:
        a, b, difference = b, a, -difference
    low, middle, high = np.quantile(difference, [0.025, 0.5, 0.975])
    share = format_share(float((difference > 0).mean()))
    told = (
        f"With the {word} drawn anew, {format_count(len(difference))} times, alike for both, {a} has more hypervolume than {b} "
        f"in {share} of the resamples: {_signed(middle, race)} (95 %: {_signed(low, race)} to {_signed(high, race)})."
    )
    return told if low > 0 else f"{told} These {word} do not tell them apart."


def _signed(value: float, race: Race) -> str:
    size = abs(value) * (100.0 if race.ceiling is not None else 1.0)
    unit = " points" if race.ceiling is not None else ""
    number = f"{size:.2f}" if race.ceiling is not None else f"{size:.4g}"
    return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{number}{unit}"
