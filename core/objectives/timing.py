"""Timing exported networks against each other: what every latency measurement shares.

Every round visits the networks in a new random order, so that a slow spell of the machine hits all of them alike; of
each visit one run is thrown away and the next ones are timed; the minimum over all rounds counts. Measured here
before: with medians, or one network after the other, two repeats agree in rank by 0.2 to 0.9, so they agree by 0.98
or better.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.rank_correlation import spearman
from core.seeding import stream

RUNS = 4
"""Timed runs per visit, after one that is thrown away."""

# Two measurements at a time would measure each other: one lock among the threads here, one on the whole machine.
_here = threading.Lock()


class Race:
    """n networks that are timed in rounds.

    Args:
        models: ONNX files.
        sample: arrays they take, in the order of their inputs.
        runs: timed runs per visit, after one that is thrown away.
        threads: that one answer may use.
        seed: of the visiting order.
    """

    def __init__(
        self,
        models: Sequence[bytes],
        sample: Sequence[NDArray[Any]],
        *,
        runs: int = RUNS,
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        self.runs, self._sample, self._threads = runs, sample, threads
        self._sessions: list[Any] = []
        self._feeds: list[dict[str, NDArray[Any]]] = []
        self._rng = stream(seed, "latency")
        self._rounds: list[NDArray[np.float64]] = []
        for model in models:
            self.add(model)

    def add(self, model: bytes, sample: Sequence[NDArray[Any]] | None = None) -> None:
        """One more network, before the first round; with arrays of its own where it takes others than the rest."""
        each = session(model, self._threads)
        self._sessions.append(each)
        names = [entry.name for entry in each.get_inputs()]
        self._feeds.append(dict(zip(names, self._sample if sample is None else sample, strict=True)))

    def __len__(self) -> int:
        return len(self._sessions)

    def round(self) -> None:
        """Visit every network once; waits while another measurement runs on this machine."""
        found = np.empty(len(self))
        with alone_on_this_machine():
            for which in self._rng.permutation(len(self)):
                found[which] = _fastest(self._sessions[which], self._feeds[which], self.runs)
        self._rounds.append(found)

    @property
    def minima(self) -> NDArray[np.float64]:
        """(rounds, n) fastest run of each visit, milliseconds."""
        return np.array(self._rounds).reshape(len(self._rounds), len(self))


def session(model: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def spread(minima: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rounds, n) -> (n,) interquartile range over the rounds."""
    low, high = np.quantile(minima, [0.25, 0.75], axis=0)
    return np.asarray(high - low)


def halves(minima: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(rounds, n) -> what the even rounds alone and the odd ones alone would have said."""
    return minima[::2].min(axis=0), minima[1::2].min(axis=0)


def is_noisy(minima: NDArray[np.float64]) -> bool:
    """Whether (rounds, n) minima would not repeat: the ranks of even and odd rounds correlate by less than 0.98, or,
    for fewer than 8 networks, they differ by over a tenth."""
    rounds, n = minima.shape
    if rounds < 2:
        return True
    even, odd = halves(minima)
    if n < 8:
        return bool((np.abs(even - odd) > 0.1 * np.minimum(even, odd)).any())
    return rank_correlation(even, odd) < 0.98


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's, with mean ranks where values are equal; 0 where one of them does not vary."""
    return spearman(a, b) or 0.0


def _fastest(each: Any, feed: dict[str, NDArray[Any]], runs: int) -> float:
    run = each.run
    run(None, feed)
    best = np.inf
    for _ in range(runs):
        start = time.perf_counter_ns()
        run(None, feed)
        best = min(best, time.perf_counter_ns() - start)
    return best / 1e6


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """One measurement at a time, whichever process asks; the lock of a process that dies is free at once."""
    with _here:
        lock = _lock_file()
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)


def _lock_file() -> int | None:
    """An open and locked file, None where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    place = Path(tempfile.gettempdir()) / f"paretoscope-timing-{os.getuid()}.lock"
    lock = None
    with suppress(OSError):  # a folder nobody may write to: the threads here still take turns
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
