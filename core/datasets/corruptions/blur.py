"""Blur: neighbors mixed. Widths are shares of the image's side, so that 8 and 64 pixels suffer alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.datasets.corruptions.base import CORRUPTIONS, Corruption, Draws, Images
from core.datasets.corruptions.fields import grid, sample, side

_SOURCE = "Hendrycks & Dietterich 2019"


@CORRUPTIONS.register("gaussian_blur")
class GaussianBlur(Corruption):
    """Blur by a normal kernel."""

    label = "Gaussian blur"
    source = _SOURCE
    group = "blur"
    meaning = "standard deviation of the kernel, in quarters of the image's side"

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return ndimage.gaussian_filter(x, strength * side(x.shape) / 4, mode="nearest", axes=(2, 3))


@CORRUPTIONS.register("motion_blur")
class MotionBlur(Corruption):
    """The image averaged along a straight path, in a direction drawn per sample."""

    label = "Motion blur"
    source = _SOURCE
    group = "blur"
    meaning = "length of the path, as a share of the image's side"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return {"angle": np.array(rng.uniform(0, np.pi))}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        length = strength * side(x.shape)
        # Two places per pixel of path, the center among them: finer changes nothing one can see.
        places = np.linspace(-0.5, 0.5, 2 * int(np.ceil(length)) + 1) * length
        angle = draws["angle"][:, None, None]
        rows, columns = grid(x.shape)
        total = np.zeros(x.shape, np.float32)
        for t in places:
            total += sample(x, rows + np.float32(t) * np.sin(angle), columns + np.float32(t) * np.cos(angle))
        return total / len(places)


@CORRUPTIONS.register("zoom_blur")
class ZoomBlur(Corruption):
    """The average of the image at growing magnifications."""

    label = "Zoom blur"
    source = _SOURCE
    group = "blur"
    meaning = "largest magnification less one, halved (1: three times as large)"

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        n, _, h, w = x.shape
        rows, columns = grid(x.shape)
        total = np.zeros(x.shape, np.float32)
        zooms = np.linspace(1, 1 + 2 * strength, 11, dtype=np.float32)
        for zoom in zooms:
            at = [
                np.broadcast_to((axis - (size - 1) / 2) / zoom + (size - 1) / 2, (n, h, w))
                for axis, size in ((rows, h), (columns, w))
            ]
            total += sample(x, at[0], at[1])
        return total / len(zooms)


@CORRUPTIONS.register("defocus_blur")
class DefocusBlur(Corruption):
    """Blur by a disk, as a lens out of focus does."""

    label = "Defocus blur"
    source = _SOURCE
    group = "blur"
    meaning = "radius of the disk, in quarters of the image's side"

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return ndimage.correlate(x, _disk(strength * side(x.shape) / 4)[None, None], mode="nearest")


def _disk(radius: float) -> NDArray[np.float32]:
    """A disk of sum 1, read bilinearly between pixels, so that a small radius already spreads light."""
    places = np.linspace(-radius, radius, 33)
    inside = (places[:, None] ** 2 + places[None, :] ** 2 <= radius**2).astype(float)
    reach = int(np.ceil(radius))
    weights = np.clip(1 - np.abs(places[:, None] - np.arange(-reach, reach + 1)), 0, 1)
    kernel = weights.T @ inside @ weights
    return np.asarray(kernel / kernel.sum(), np.float32)
