"""Latency of a few networks against each other; see `core.objectives.timing` for how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import NOISY, OBJECTIVES, FromFiles, Reading
from core.objectives.timing import Race, is_noisy, spread
from core.records import Obtained, Shown, Source


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
    """Time networks against each other, one thread.

    Args:
        models: ONNX files.
        sample: arrays they take, in the order of their inputs; usually one sample.
        rounds: how often every network is visited.
        runs: timed runs per visit, after one that is thrown away.
        seed: of the visiting order.
        on_progress: called with the fraction done; may raise to stop.

    Returns:
        Milliseconds per network. Measurements on one machine wait for each other.
    """
    race = Race(models, sample, runs=runs, seed=seed)
    for index in range(rounds):
        race.round()
        if on_progress is not None:
            on_progress((index + 1) / rounds)
    return Latencies(race.minima.min(axis=0), spread(race.minima), is_noisy(race.minima))


@OBJECTIVES.register("latency_ms")
class Latency(FromFiles):
    """Time for one sample on this machine: onnxruntime, one thread, minimum of interleaved runs."""

    label = "Latency"
    unit = "ms"
    shown = Shown(symbol="ms", digits=2, fine_digits=4)
    place = 40
    varies = True
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
