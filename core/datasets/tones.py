"""Generated sounds: sweeps, tremolo, vibrato, chords and beats in noise, of any pitch, loudness and phase."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress
from core.datasets.series import RawSeries
from core.seeding import stream

RATE, LENGTH = 2000, 2048
"""Samples per second, and samples of a clip: about a second."""
_LOWEST, _HIGHEST = 280.0, 640.0
"""Hz."""
_DRAWN = 200
"""How often progress is told."""

Curve = NDArray[np.float64]


def _rising(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    return _sweep(t, pitch, rng.uniform(0.15, 0.5), rng)


def _falling(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    return _sweep(t, pitch, -rng.uniform(0.15, 0.5), rng)


def _steady(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    return _sine(t, np.full_like(t, pitch), rng)


def _tremolo(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    swell = 1 + rng.uniform(0.5, 0.95) * np.sin(2 * np.pi * (rng.uniform(4, 9) * t + rng.random()))
    return swell * _steady(t, pitch, rng)


def _vibrato(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    swing = rng.uniform(0.04, 0.1) * np.sin(2 * np.pi * (rng.uniform(4, 9) * t + rng.random()))
    return _sine(t, pitch * (1 + swing), rng)


def _fifth(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    return _chord(t, pitch, 1.5, rng)


def _third(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    return _chord(t, pitch, 1.25, rng)


def _two_notes(t: Curve, pitch: float, rng: np.random.Generator) -> Curve:
    """One note, then another: up or down at one moment, not gliding."""
    other = pitch * 2 ** (rng.choice([-1, 1]) * rng.uniform(0.15, 0.5))
    return _sine(t, np.where(t < rng.uniform(0.35, 0.65) * t[-1], pitch, other), rng)


_KINDS: dict[str, Callable[[Curve, float, np.random.Generator], Curve]] = {
    "rising": _rising,
    "falling": _falling,
    "steady": _steady,
    "tremolo": _tremolo,
    "vibrato": _vibrato,
    "fifth": _fifth,
    "third": _third,
    "two notes": _two_notes,
}
CLASSES = tuple(_KINDS)


@DATASETS.register("tones")
class Tones(FractionSource):
    """Generated sounds of a second: does the tone rise, fall, tremble, or are there two? Built in."""

    label = "Tones (generated sound)"
    source = "generated here: sine tones with gliding, trembling and chords, in white noise"
    task = "series"
    licence = "none needed (generated)"

    class Config(FractionConfig):
        """How many sounds, how noisy, and shares of them."""

        clips: int = Field(2400, ge=200, le=20_000, description="How many clips to generate.")
        noise: float = Field(
            0.3, ge=0, le=10, description="Deviation of the noise; a tone's amplitude is 0.5 to 1."
        )

    def read(self, on_progress: OnProgress) -> RawSeries:
        rng, n = stream(0, "tones"), self.config.clips
        y = rng.permutation(np.arange(n) % len(CLASSES)).astype(np.int64)
        x = np.empty((n, 1, LENGTH), np.float32)
        for row, label in enumerate(y):
            if row % _DRAWN == 0:
                on_progress(row / n, "Playing tones.")
            x[row, 0] = _clip(CLASSES[label], self.config.noise, rng)
        return RawSeries(x, y, CLASSES, RATE)


def _clip(kind: str, noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """One sound (LENGTH,): a tone that begins and ends softly somewhere in the clip, and noise all along."""
    length = int(rng.uniform(0.6, 1.0) * LENGTH)
    start = int(rng.integers(LENGTH - length + 1))
    t = np.arange(length) / RATE
    pitch = float(np.exp(rng.uniform(np.log(_LOWEST), np.log(_HIGHEST))))
    tone = _KINDS[kind](t, pitch, rng)
    fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.03 * RATE))
    made = rng.standard_normal(LENGTH) * noise
    made[start : start + length] += fade * tone * rng.uniform(0.5, 1.0)
    loud = 10 ** rng.uniform(-1.5, 0)
    return (0.9 * loud * made / np.abs(made).max()).astype(np.float32)


def _sine(t: Curve, frequency: Curve, rng: np.random.Generator) -> Curve:
    """A tone of a frequency (Hz) that may change over time, at a random phase."""
    phase = np.cumsum(frequency) / RATE + rng.random()
    return np.sin(2 * np.pi * phase)


def _sweep(t: Curve, pitch: float, octaves: float, rng: np.random.Generator) -> Curve:
    """A tone that glides by some octaves around its pitch."""
    return _sine(t, pitch * 2 ** (octaves * (t / t[-1] - 0.5)), rng)


def _chord(t: Curve, pitch: float, ratio: float, rng: np.random.Generator) -> Curve:
    upper = _sine(t, np.full_like(t, pitch * ratio), rng)
    return (_steady(t, pitch, rng) + rng.uniform(0.6, 1.0) * upper) / 1.5
