"""A race in numbers: hypervolume after 50, 100, 250 and 500 evaluations, and seconds to 95 and 99 % of the exact front's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.over_seeds import Spread, spread
from core.records import Metrics
from core.views.race import Race, Racer

EVALUATIONS = (50, 100, 250, 500)
SHARES = (0.95, 0.99)


@dataclass(frozen=True)
class Reached:
    """When searches of one setting came to a share of the exact hypervolume.

    Attributes:
        share: of the exact hypervolume.
        n: searches that are done.
        reached: of them came so far.
        evaluations: that these had made then.
        seconds: that these had taken; of none where seconds were not written down.
    """

    share: float
    n: int
    reached: int
    evaluations: Spread
    seconds: Spread


@dataclass(frozen=True)
class Standing:
    """One setting in numbers.

    Attributes:
        label: what distinguishes it.
        after: per number of evaluations the hypervolumes of the seeds that have come so far.
        reached: per share of the exact hypervolume; empty where the exact front is not known.
    """

    label: str
    after: tuple[Spread, ...]
    reached: tuple[Reached, ...]


@dataclass(frozen=True)
class Standings:
    """All settings in numbers.

    Attributes:
        evaluations: those of `EVALUATIONS` that some search has reached.
        rows: in the order of the race.
    """

    evaluations: tuple[int, ...]
    rows: tuple[Standing, ...]


def standings(race: Race) -> Standings:
    """The race in numbers; hypervolumes are shares of the exact front's where that is known."""
    made = max((n for racer in race.racers for n in racer.made), default=0)
    evaluations = tuple(n for n in EVALUATIONS if n <= made)
    rows = tuple(
        Standing(
            label=racer.label,
            after=tuple(spread(list(_after(racer, n).values())) for n in evaluations),
            reached=tuple(_reached(racer, share) for share in SHARES) if race.ceiling is not None else (),
        )
        for racer in race.racers
    )
    return Standings(evaluations, rows)


def seed_rows(race: Race) -> list[Metrics]:
    """One row per search that is done, for CSV: seed, hypervolumes, and when it came to shares of the exact front's."""
    what = "hypervolume_share_of_exact" if race.ceiling is not None else "hypervolume"
    made = max((n for racer in race.racers for n in racer.made), default=0)
    rows: list[Metrics] = []
    for racer in race.racers:
        firsts = {share: _firsts(racer, share) for share in SHARES} if race.ceiling is not None else {}
        for index, (seed, run_id) in enumerate(zip(racer.seeds, racer.run_ids, strict=True)):
            if seed not in racer.ended:
                continue
            row: Metrics = {"search": racer.label, "seed": seed, "run": run_id, "evaluations": race.at}
            row[what] = racer.ended[seed]
            row |= {
                f"{what}_after_{n}": _number(_after(racer, n).get(seed)) for n in EVALUATIONS if n <= made
            }
            seconds = racer.seconds[index]
            row["seconds"] = "" if seconds is None else float(seconds[-1])
            for share, found in firsts.items():
                at = found[index]
                row[f"evaluations_to_{round(100 * share)}_percent"] = "" if at is None else at
                row[f"seconds_to_{round(100 * share)}_percent"] = (
                    "" if at is None or seconds is None else float(seconds[at - 1])
                )
            rows.append(row)
    return rows


def _after(racer: Racer, evaluations: int) -> Mapping[int, float]:
    """seed -> hypervolume after so many evaluations, of the searches that have come so far or used their budget."""
    if evaluations > racer.curves.shape[1]:
        return {}
    column = racer.curves[:, evaluations - 1]
    return {seed: float(v) for seed, v in zip(racer.seeds, column, strict=True) if math.isfinite(v)}


def _firsts(racer: Racer, share: float) -> list[int | None]:
    """Per row the number of evaluations at which a search first had a share of the ceiling, None where it did not."""
    found: list[int | None] = []
    for curve, made in zip(racer.curves, racer.made, strict=True):
        there = np.flatnonzero(curve[:made] >= share)
        found.append(int(there[0]) + 1 if len(there) else None)
    return found


def _reached(racer: Racer, share: float) -> Reached:
    firsts = [
        (first, seconds)
        for first, seconds, done in zip(_firsts(racer, share), racer.seconds, racer.done, strict=True)
        if done
    ]
    there = [(first, seconds) for first, seconds in firsts if first is not None]
    return Reached(
        share=share,
        n=len(firsts),
        reached=len(there),
        evaluations=spread([float(first) for first, _ in there]),
        seconds=spread([float(seconds[first - 1]) for first, seconds in there if seconds is not None]),
    )


def _number(value: float | None) -> float | str:
    return "" if value is None else value
