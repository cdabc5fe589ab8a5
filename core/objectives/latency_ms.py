"""Latency by a protocol that repeats itself on a busy machine.

onnxruntime with one thread; every round visits the networks in a new random order (a slow spell of
the machine then hits all of them alike), one run is thrown away, the next ones are timed, and the
minimum over all rounds counts. Measured here before: with medians, or one network after the other,
two repeats agree in rank by 0.2 to 0.9; so they agree by 0.98 or better.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import NOISY, OBJECTIVES, FromFiles, Reading
from core.records import Obtained, Shown, Source
from core.seeding import stream

# Two measurements at a time would measure each other.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Latencies:
    """Latency of n networks for one sample.

    Attributes:
        ms: (n,) minimum over all timed runs, milliseconds.
        spread: (n,) interquartile range of the rounds' minima, milliseconds.
        noisy: whether the numbers would not repeat: the ranks of even and odd rounds correlate by
            less than 0.98, or, for fewer than 8 networks, they differ by over a tenth.
    """

    ms: NDArray[np.float64]
    spread: NDArray[np.float64]
    noisy: bool


def measure_latency(
    models: Sequence[bytes],
    sample: Sequence[NDArray[Any]],
    *,
    rounds: int = 5,
    runs: int = 4,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Latencies:
    """Time networks against each other.

    Args:
        models: ONNX files.
        sample: arrays they take, in the order of their inputs; usually one sample.
        rounds: how often every network is visited.
        runs: timed runs per visit, after one that is thrown away.
        seed: of the visiting order.
        on_progress: called with the fraction done; may raise to stop.

    Returns:
        Milliseconds per network. Measurements in one process wait for each other.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = [onnxruntime.InferenceSession(m, options, providers=["CPUExecutionProvider"]) for m in models]
    rng = stream(seed, "latency")
    feeds = [
        {entry.name: array for entry, array in zip(session.get_inputs(), sample, strict=True)}
        for session in sessions
    ]
    minima = np.empty((rounds, len(sessions)))
    with _one_at_a_time:
        for index in range(rounds):
            for which in rng.permutation(len(sessions)):
                minima[index, which] = _fastest(sessions[which], feeds[which], runs)
            if on_progress is not None:
                on_progress((index + 1) / rounds)
    low, high = np.quantile(minima, [0.25, 0.75], axis=0)
    return Latencies(minima.min(axis=0), high - low, _is_noisy(minima))


def _fastest(session: object, feed: dict[str, NDArray[Any]], runs: int) -> float:
    run = session.run  # type: ignore[attr-defined]
    run(None, feed)
    best = np.inf
    for _ in range(runs):
        start = time.perf_counter_ns()
        run(None, feed)
        best = min(best, time.perf_counter_ns() - start)
    return best / 1e6


def _is_noisy(minima: NDArray[np.float64]) -> bool:
    rounds, n = minima.shape
    if rounds < 2:
        return True
    even, odd = minima[::2].min(axis=0), minima[1::2].min(axis=0)
    if n < 8:
        return bool((np.abs(even - odd) > 0.1 * np.minimum(even, odd)).any())
    ranks = [np.argsort(np.argsort(half)) for half in (even, odd)]
    return bool(np.corrcoef(ranks[0], ranks[1])[0, 1] < 0.98)


@OBJECTIVES.register("latency_ms")
class Latency(FromFiles):
    """Time for one sample on this machine: onnxruntime, one thread, minimum of interleaved runs."""

    label = "Latency"
    unit = "ms"
    shown = Shown(symbol="ms", digits=2, fine_digits=3)
    place = 40
    stored = "float32"
    exporter = "onnx"
    instrument = "timed, onnxruntime"
    invitation = "Time it on this machine"
    protocol = (
        "Exports the subnet to ONNX and times it for one sample: onnxruntime, one thread, 5 rounds of 4 runs "
        "interleaved with the largest subnet; the minimum counts."
    )

    def measured(
        self,
        files: Sequence[bytes],
        sample: Sequence[NDArray[Any]],
        on_progress: Callable[[float], None] | None = None,
    ) -> list[Reading]:
        found = measure_latency(files, sample, on_progress=on_progress)
        how = Obtained(Source.MEASURED, NOISY if found.noisy else "")
        return [
            Reading(float(ms), how, float(spread)) for ms, spread in zip(found.ms, found.spread, strict=True)
        ]
