"""Weather-like corruptions: inspired by weather, not a model of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from core.datasets.corruptions.base import CORRUPTIONS, Corruption, Draws, Images
from core.datasets.corruptions.fields import side, smooth_field

_SOURCE = "inspired by Hendrycks & Dietterich 2019"


@CORRUPTIONS.register("fog")
class Fog(Corruption):
    """Inspired by fog: the image fades into pale clouds of several sizes."""

    label = "Fog-like"
    source = _SOURCE
    group = "weather"
    meaning = "share of the cloud in every pixel"
    strengths = (0.15, 0.3, 0.45, 0.6, 0.75)

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        _, h, w = shape
        octaves = [smooth_field(rng, h, w, side(shape) / part) / k for k, part in enumerate((4, 8, 16), 1)]
        cloud = np.sum(octaves, axis=0)
        return {"cloud": 0.7 + 0.3 * cloud[None] / max(float(np.abs(cloud).max()), 1e-12)}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return x + strength * (draws["cloud"] - x)


@CORRUPTIONS.register("brightness")
class Brightness(Corruption):
    """Every pixel lighter by the same amount, as far as white."""

    label = "Brightness"
    source = "Hendrycks & Dietterich 2019"
    group = "weather"
    meaning = "what is added, as a share of the range from black to white"

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return x + np.float32(strength)


@CORRUPTIONS.register("snow")
class Snow(Corruption):
    """Inspired by snow: white flakes, drawn out a little along their fall, cover the image."""

    label = "Snow-like"
    source = _SOURCE
    group = "weather"
    meaning = "share of the image under flakes, times two"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        _, h, w = shape
        field = ndimage.gaussian_filter(rng.standard_normal((h, w)), (side(shape) / 24, side(shape) / 48))
        # Ranks, so that a strength is a share of pixels whatever the size; and flakes only grow.
        order = np.argsort(np.argsort(-field, axis=None)).reshape(1, h, w)
        return {"order": order / (h * w)}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        # Over a small band of ranks a flake melts into the image, which keeps strength continuous.
        cover = np.clip((strength / 2 - draws["order"]) / 0.05 + 0.5, 0, 1) * min(1.0, strength * 20)
        return x + cover * (1 - x)
