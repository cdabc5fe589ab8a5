"""A race replayed: what each search had measured, and its front, after so many evaluations or seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.over_seeds import Spread, spread
from core.pareto import non_dominated
from core.views.race import Race, Racer

Bounds = tuple[tuple[float, float], tuple[float, float]]
"""(least, most) of two objectives."""
_MOST_STOPS = 200


@dataclass(frozen=True, eq=False)
class Frame:
    """One setting at one step of the replay.

    Attributes:
        label: what distinguishes it.
        index: its number in the race, which its color follows.
        made: evaluations of this seed up to here.
        points: (n, 2) values of the two objectives drawn, of what it knew and counts.
        front: (k, 2) of them that no other beats in these two, by the first objective.
        volume: hypervolume in all objectives; a share of the exact front's where that is known.
        over_seeds: the same over all seeds that have come so far.
        ended: whether this seed has measured nothing after this step.
    """

    label: str
    index: int
    made: int
    points: NDArray[np.float64]
    front: NDArray[np.float64]
    volume: float
    over_seeds: Spread
    ended: bool


def seeds_of(race: Race) -> tuple[int, ...]:
    """All seeds, those that most settings share first."""
    every = [seed for racer in race.racers for seed in racer.seeds]
    return tuple(sorted(set(every), key=lambda seed: (-every.count(seed), seed)))


def knows_seconds(race: Race) -> bool:
    """Whether the seconds of every search are known."""
    return all(s is not None and len(s) for racer in race.racers for s in racer.seconds)


def stops(race: Race, *, by_seconds: bool) -> list[float]:
    """Where the slider stops, ascending: numbers of evaluations, or seconds at which a batch ended."""
    if by_seconds:
        ends = np.unique(np.concatenate([s for racer in race.racers for s in racer.seconds if s is not None]))
    else:
        ends = np.arange(1.0, 1 + max(n for racer in race.racers for n in racer.made))
    if len(ends) > _MOST_STOPS:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, _MOST_STOPS).round().astype(int))]
    return [float(end) for end in ends]


def frames(race: Race, seed: int, step: float, *, by_seconds: bool) -> list[Frame]:
    """Every setting that has this seed, as it stood after a step.

    Args:
        race: at least one search has measured something.
        seed: of the searches drawn.
        step: evaluations or seconds.
        by_seconds: which of the two.
    """
    return [
        _frame(race, racer, index, racer.seeds.index(seed), step, by_seconds)
        for index, racer in enumerate(race.racers)
        if seed in racer.seeds
    ]


def bounds(race: Race) -> Bounds:
    """Least and most of the two objectives drawn, over all that was measured: axes that stand still."""
    every = np.concatenate([points[:, :2] for racer in race.racers for points in racer.points])
    every = every[np.isfinite(every).all(axis=1)]
    least, most = every.min(axis=0), every.max(axis=0)
    return (float(least[0]), float(most[0])), (float(least[1]), float(most[1]))


def _frame(race: Race, racer: Racer, index: int, row: int, step: float, by_seconds: bool) -> Frame:
    made = [_made(racer, k, step, by_seconds) for k in range(len(racer.seeds))]
    measured = racer.known(row, made[row])[:, :2]
    measured = measured[np.isfinite(measured).all(axis=1)]
    front = measured[non_dominated(measured, maximize=race.maximize[:2])]
    so_far = [
        _volume(racer, k, n) for k, n in enumerate(made) if k == row or _has_come(racer, k, step, by_seconds)
    ]
    return Frame(
        label=racer.label,
        index=index,
        made=made[row],
        points=measured,
        front=np.unique(front, axis=0),
        volume=_volume(racer, row, made[row]),
        over_seeds=spread(so_far),
        ended=made[row] == racer.made[row],
    )


def _made(racer: Racer, row: int, step: float, by_seconds: bool) -> int:
    seconds = racer.seconds[row]
    if by_seconds:
        # A tenth of a millisecond of slack: the slider's number is written and read.
        return 0 if seconds is None else int(np.searchsorted(seconds, step + 1e-4, side="right"))
    return min(int(step), racer.made[row])


def _has_come(racer: Racer, row: int, step: float, by_seconds: bool) -> bool:
    """Whether it is known how a search stood: one that goes on says nothing of later steps."""
    if racer.done[row]:
        return True
    seconds = racer.seconds[row]
    if by_seconds:
        return seconds is not None and step <= float(seconds[-1])
    return step <= racer.made[row]


def _volume(racer: Racer, row: int, made: int) -> float:
    return float(racer.curves[row, made - 1]) if made else 0.0
