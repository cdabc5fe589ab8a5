"""Noise: every pixel for itself. The same noise field, scaled (or, for impulses, uncovered) by strength."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.datasets.corruptions.base import CORRUPTIONS, Corruption, Draws, Images

_SOURCE = "Hendrycks & Dietterich 2019"


def _normal(rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
    return {"noise": rng.standard_normal(shape, dtype=np.float32)}


@CORRUPTIONS.register("gaussian_noise")
class GaussianNoise(Corruption):
    """Normal noise added to every pixel."""

    label = "Gaussian noise"
    source = _SOURCE
    group = "noise"
    meaning = "standard deviation, as a share of the range from black to white"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return _normal(rng, shape)

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return x + strength * draws["noise"]


@CORRUPTIONS.register("shot_noise")
class ShotNoise(Corruption):
    """Noise of counting light: its variance grows with brightness (normal approximation of Poisson)."""

    label = "Shot noise"
    source = _SOURCE
    group = "noise"
    meaning = "standard deviation at a white pixel; one over the square root of the photons it counts"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return _normal(rng, shape)

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        # A Poisson draw with mean x / s^2, times s^2, has mean x and variance s^2 x.
        return x + strength * np.sqrt(x) * draws["noise"]


@CORRUPTIONS.register("impulse_noise")
class ImpulseNoise(Corruption):
    """Single values replaced by black or white (salt and pepper)."""

    label = "Impulse noise"
    source = _SOURCE
    group = "noise"
    meaning = "share of the values that are replaced"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return {"order": rng.random(shape, dtype=np.float32), "salt": rng.integers(0, 2, shape)}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return np.where(draws["order"] < strength, draws["salt"], x)


@CORRUPTIONS.register("speckle_noise")
class SpeckleNoise(Corruption):
    """Normal noise proportional to brightness."""

    label = "Speckle noise"
    source = _SOURCE
    group = "noise"
    meaning = "standard deviation, as a share of the pixel's own value"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return _normal(rng, shape)

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return x + strength * x * draws["noise"]
