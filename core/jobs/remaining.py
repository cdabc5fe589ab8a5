"""How long a job will still take, from the rate at which its fraction grew lately."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_WINDOW_SECONDS = 60.0
_MIN_SECONDS = 1.0


class RemainingTime:
    """Estimates seconds left; a resumed job counts from where it goes on, and no wall clock is read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()

    def update(self, fraction: float) -> float | None:
        """Add a sample.

        Args:
            fraction: 0-1.

        Returns:
            Seconds left, or None while too little is known.
        """
        now = self._clock()
        self._samples.append((now, fraction))
        while now - self._samples[0][0] > _WINDOW_SECONDS:
            self._samples.popleft()
        start, first = self._samples[0]
        if now - start < _MIN_SECONDS or fraction <= first:
            return None
        return (1.0 - fraction) * (now - start) / (fraction - first)
