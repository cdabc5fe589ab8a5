"""Tokens per second of decoders, timed against each other: what reading a text and going on with one share.

As every latency here: onnxruntime, one thread, interleaved rounds, of which the fastest run counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.objectives.base import NOISY, FromFiles, Reading
from core.objectives.timing import Race, is_noisy
from core.records import Obtained, Shown, Source

if TYPE_CHECKING:
    from core.networks.decoder_graphs import DecoderGraph

ROUNDS = 5
SPEED = Shown(symbol="tokens/s", prefixes=True)


class TokensPerSecond(FromFiles):
    """What both speeds share; a subclass says which graph is run and how many tokens one run is.

    Attributes:
        runs: timed runs per visit, after one that is thrown away.
    """

    unit = "tokens/s"
    maximize = True
    shown = SPEED
    varies = False
    stored = "float32"
    exporter = "network"
    instrument = "timed, onnxruntime"
    tasks = ("language",)
    runs: int

    def graph(self, file: bytes, tokens: NDArray[np.int64]) -> tuple[DecoderGraph, int]:
        """What is timed of a decoder, and how many tokens one run of it is.

        Args:
            file: of the network, as `core.networks.file` writes it.
            tokens: (1, t) a window.
        """
        raise TypeError(f"{type(self).__name__} must define graph")

    def measured(
        self,
        files: Sequence[bytes],
        sample: Sequence[NDArray[Any]],
        on_progress: Callable[[float], None] | None = None,
    ) -> list[Reading]:
        race, told = Race([], (), runs=self.runs), []
        for file in files:
            made, tokens = self.graph(file, sample[0][:1])
            race.add(made.model, made.sample)
            told.append(tokens)
        for index in range(ROUNDS):
            race.round()
            if on_progress is not None:
                on_progress((index + 1) / ROUNDS)
        rates = np.array(told) * 1000.0 / race.minima
        low, high = np.quantile(rates, [0.25, 0.75], axis=0)
        how = Obtained(Source.MEASURED, NOISY if is_noisy(race.minima) else "")
        return [
            Reading(float(best), how, float(spread))
            for best, spread in zip(rates.max(axis=0), high - low, strict=True)
        ]


def require_window(tokens: NDArray[np.int64]) -> None:
    """There is a token to go on with, and one before it.

    Raises:
        InvalidInput: there is not.
    """
    if tokens.shape[1] < 2:
        raise InvalidInput("The speed of a decoder is timed on windows of at least two tokens.")
