"""How long a job will still take, from the rate at which its fraction grew.

A fraction says which share of the *work* is done (see `core.evaluation.work` and `core.training.work`), so
the rate is nearly constant, but for what else the machine has to do. Two things would spoil it: the time
before the first step, in which libraries are imported and data are read, and too short a memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_LEAST_SECONDS = 60.0
_LEAST_SHARE = 0.5
_MIN_SECONDS = 1.0
_MANY = 5


class RemainingTime:
    """Estimates seconds left; a resumed job counts from where it goes on, and no wall clock is read.

    The rate is that of the last minute, or of the last half of the time at work if that is longer. It
    counts from the last report before the fraction first grew: what came before was no work. The first
    piece of work is left out as soon as there are others: it carries what is done only once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()
        self._began: float | None = None

    def update(self, fraction: float) -> float | None:
        """Add a sample.

        Args:
            fraction: 0-1.

        Returns:
            Seconds left, or None while too little is known.
        """
        now = self._clock()
        if self._began is None and self._samples and fraction > self._samples[-1][1]:
            self._began = self._samples[-1][0]
        if self._began is None:
            self._samples.clear()
        self._samples.append((now, fraction))
        if self._began is None:
            return None
        window = max(_LEAST_SECONDS, _LEAST_SHARE * (now - self._began))
        while now - self._samples[0][0] > window:
            self._samples.popleft()
        start, first = self._samples[0]
        if start == self._began and len(self._samples) >= _MANY and now - self._samples[1][0] >= _MIN_SECONDS:
            start, first = self._samples[1]
        if now - start < _MIN_SECONDS or fraction <= first:
            return None
        return (1.0 - fraction) * (now - start) / (fraction - first)
