"""The protocol: rounds until two halves of them would order the networks alike, or a limit that is said.

How often a machine must be asked depends on it: tiny networks on a busy machine need a hundred rounds where five do on a
quiet one (measured here: five rounds of four runs of networks that take 0.02 ms agree with the next five by 0.80).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.objectives.timing import Race, halves, rank_correlation, spread

LEAST_ROUNDS = 6
_TOGETHER = 2
"""Rounds between two looks at the agreement: one for each half."""


@dataclass(frozen=True)
class Timed:
    """Latencies of n networks.

    Attributes:
        ms: (n,) minimum over all timed runs, milliseconds.
        spread: (n,) interquartile range of the rounds' minima, milliseconds.
        rounds: how many there were.
        agreement: rank correlation of what the even and the odd rounds say.
        difference: of the two, as a share, at the median.
        agreed: whether one of them reached what was asked for.
    """

    ms: NDArray[np.float64]
    spread: NDArray[np.float64]
    rounds: int
    agreement: float
    difference: float
    agreed: bool


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Attributes:
        agreement: rank correlation of the two halves that is enough.
        difference: of the two halves at the median, as a share, that is enough as well: networks that are all alike
            are never ordered alike. 0 asks for the agreement.
        least_rounds, most_rounds: at least and at most so many.
        most_seconds: no round begins later.
    """

    agreement: float = 0.99
    difference: float = 0.0
    least_rounds: int = LEAST_ROUNDS
    most_rounds: int = 200
    most_seconds: float = 60.0


def time_rounds(
    race: Race, patience: Patience, clock: Callable[[], float] = time.monotonic
) -> Iterator[Timed]:
    """Time networks against each other; yields what is known after every two rounds, the last is the result.

    Args:
        race: the networks.
        patience: when to stop.
        clock: seconds that only grow.
    """
    began = clock()
    while True:
        for _ in range(_TOGETHER):
            race.round()
        found = timed(race.minima, patience)
        yield found
        enough = found.rounds >= patience.least_rounds and found.agreed
        if enough or found.rounds >= patience.most_rounds or clock() - began >= patience.most_seconds:
            return


def timed(minima: NDArray[np.float64], patience: Patience) -> Timed:
    """What (rounds, n) minima say; at least two rounds."""
    even, odd = halves(minima)
    agreement, difference = rank_correlation(even, odd), float(np.median(np.abs(np.log(even / odd))))
    agreed = agreement >= patience.agreement or difference <= patience.difference
    return Timed(minima.min(axis=0), spread(minima), len(minima), agreement, difference, agreed)
