"""A race against the clock: the hypervolume that searches had found after so many measured seconds.

Seconds are those of proposing and measuring, batch by batch, as the run wrote them down: what a search waited in the
queue, was paused or took to start does not count. What a batch found is there when the batch has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.over_seeds import Comparison, comparisons
from core.records import Metrics
from core.views.race import Race, Racer

_MOST_PLACES = 240


@dataclass(frozen=True, eq=False)
class TimedRacer:
    """One setting against the clock.

    Attributes:
        label: what distinguishes it.
        seeds: of the rows of `curves`.
        curves: (seeds, places) hypervolume; NaN where a search has not come so far.
        ended: seed -> hypervolume after `TimedRace.at` seconds; searches that are done.
    """

    label: str
    seeds: tuple[int, ...]
    curves: NDArray[np.float64]
    ended: Mapping[int, float]


@dataclass(frozen=True, eq=False)
class TimedRace:
    """Several settings against the clock.

    Attributes:
        places: (k,) seconds of the curves' columns, ascending from 0.
        racers: those of which seconds are known.
        at: seconds after which they are compared: all searches that are done were still at work; 0 where none is done.
        verdicts: every pair of settings.
        unknown: labels of settings whose seconds were not written down.
    """

    places: NDArray[np.float64]
    racers: tuple[TimedRacer, ...]
    at: float
    verdicts: tuple[Comparison, ...]
    unknown: tuple[str, ...]


def seconds_of(rows: Sequence[Metrics]) -> NDArray[np.float64] | None:
    """Seconds after each evaluation, from what a search wrote down after each batch.

    Args:
        rows: with "evaluations" and "seconds", both up to and including the batch.

    Returns:
        (n,) ascending, one for each evaluation; None where a batch lacks its seconds (runs of earlier releases).
    """
    if not rows or any("seconds" not in row or "evaluations" not in row for row in rows):
        return None
    made = np.array([int(row["evaluations"]) for row in rows])
    passed = np.maximum.accumulate([float(row["seconds"]) for row in rows])
    return np.asarray(np.repeat(passed, np.diff(made, prepend=0).clip(0)), dtype=np.float64)


def by_seconds(race: Race) -> TimedRace | None:
    """The same race by seconds; None where they are known of no search."""
    known = [racer for racer in race.racers if any(s is not None and len(s) for s in racer.seconds)]
    ends = [_last(s) for racer in known for s in racer.seconds if s is not None and len(s)]
    if not ends:
        return None
    finished = [
        [
            _last(s)
            for s, done in zip(racer.seconds, racer.done, strict=True)
            if done and s is not None and len(s)
        ]
        for racer in known
    ]
    at = min((min(seconds) for seconds in finished if seconds), default=0.0)
    places = _places(known, at)
    racers = tuple(_timed(racer, places, at) for racer in known)
    return TimedRace(
        places=places,
        racers=racers,
        at=at,
        verdicts=tuple(comparisons({racer.label: racer.ended for racer in racers})),
        unknown=tuple(racer.label for racer in race.racers if racer not in known),
    )


def volume_at(
    curve: NDArray[np.float64], seconds: NDArray[np.float64], at: NDArray[np.float64], *, done: bool
) -> NDArray[np.float64]:
    """Hypervolume after so many seconds.

    Args:
        curve: (n,) hypervolume after each evaluation.
        seconds: (n,) seconds after each evaluation.
        at: (k,) seconds.
        done: whether the search has used its budget; what it would have found later is unknown otherwise.
    """
    made = np.searchsorted(seconds, at, side="right")
    values = np.concatenate([[0.0], curve])[made]
    return np.asarray(values if done else np.where(at > seconds[-1], np.nan, values), dtype=np.float64)


def _last(seconds: NDArray[np.float64]) -> float:
    return float(seconds[-1])


def _places(racers: Sequence[Racer], at: float) -> NDArray[np.float64]:
    """Where curves are known: the ends of batches, thinned evenly over all searches where they are many."""
    ends = np.concatenate(
        [np.unique(s) for racer in racers for s in racer.seconds if s is not None and len(s)]
    )
    ends = np.unique(ends)
    if len(ends) > _MOST_PLACES:
        ends = ends[np.linspace(0, len(ends) - 1, _MOST_PLACES).round().astype(int)]
    return np.unique(np.concatenate([[0.0, at], ends]))


def _timed(racer: Racer, places: NDArray[np.float64], at: float) -> TimedRacer:
    rows, seeds, ended = [], [], {}
    told = zip(racer.seeds, racer.seconds, racer.made, racer.curves, racer.done, strict=True)
    for seed, seconds, made, curve, done in told:
        if seconds is None or not len(seconds):
            continue
        rows.append(volume_at(curve[:made], seconds, places, done=done))
        seeds.append(seed)
        if done and at > 0:
            ended[seed] = float(volume_at(curve[:made], seconds, np.array([at]), done=True)[0])
    return TimedRacer(racer.label, tuple(seeds), np.stack(rows), ended)
