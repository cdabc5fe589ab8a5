"""Digital corruptions: what processing, framing and warping do to an image."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.datasets.corruptions.base import CORRUPTIONS, Corruption, Draws, Images
from core.datasets.corruptions.fields import grid, sample, side, smooth_field

_SOURCE = "Hendrycks & Dietterich 2019"


@CORRUPTIONS.register("contrast")
class Contrast(Corruption):
    """Every pixel drawn toward the image's mean."""

    label = "Contrast"
    source = _SOURCE
    group = "digital"
    meaning = "share of the contrast that is lost, up to 98 %"
    strengths = (0.25, 0.5, 0.6, 0.7, 0.85)

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        mean = x.mean(axis=(2, 3), keepdims=True)
        return x + np.float32(0.98 * strength) * (mean - x)


@CORRUPTIONS.register("pixelate")
class Pixelate(Corruption):
    """The image on a coarser grid of squares."""

    label = "Pixelate"
    source = _SOURCE
    group = "digital"
    meaning = "how often a square's side doubles, as a share of what leaves two squares a side"

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        # Squares that double hold each other, and between two sizes both are mixed: detail only ever
        # gets less (nested projections), and small steps of strength stay small.
        doublings = strength * np.log2(side(x.shape) / 2)
        return _mixed(x.shape[2], doublings) @ x @ _mixed(x.shape[3], doublings).T


@CORRUPTIONS.register("jpeg")
class Jpeg(Corruption):
    """Compressed as JPEG and read back."""

    label = "JPEG"
    source = _SOURCE
    group = "digital"
    meaning = "quality setting from 95 down to 1"
    strengths = (0.2, 0.4, 0.6, 0.8, 1.0)

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        return np.stack([_through_jpeg(image, round(95 - 94 * strength)) for image in x])


@CORRUPTIONS.register("occlusion")
class Occlusion(Corruption):
    """A gray square covers a place drawn per sample."""

    label = "Occlusion"
    source = "DeVries & Taylor 2017"
    group = "digital"
    meaning = "side of the square, as a share of the image's"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return {"center": rng.uniform(0.25, 0.75, 2)}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        cover = np.ones((len(x), 1, 1, 1), np.float32)
        for axis, size in ((0, x.shape[2]), (1, x.shape[3])):
            center = draws["center"][:, axis, None] * size
            half = strength * side(x.shape) / 2
            edge = np.arange(size, dtype=np.float32)
            # Length of each pixel that lies under the square, so that it grows without steps.
            under = np.clip(np.minimum(edge + 1, center + half) - np.maximum(edge, center - half), 0, 1)
            cover = cover * under.reshape(len(x), 1, *((size, 1) if axis == 0 else (1, size)))
        return x + cover * (0.5 - x)


@CORRUPTIONS.register("shift")
class Shift(Corruption):
    """Moved in a direction drawn per sample; the border is repeated."""

    label = "Shift"
    source = "Mu & Gilmer 2019"
    group = "digital"
    meaning = "how far, in halves of the image's side"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        return {"angle": np.array(rng.uniform(0, 2 * np.pi))}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        rows, columns = grid(x.shape)
        distance, angle = strength * side(x.shape) / 2, draws["angle"][:, None, None]
        return sample(x, rows - distance * np.sin(angle), columns - distance * np.cos(angle))


@CORRUPTIONS.register("elastic")
class Elastic(Corruption):
    """Warped along two smooth random fields."""

    label = "Elastic"
    source = "Simard et al. 2003"
    group = "digital"
    meaning = "largest displacement, in quarters of the image's side"

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        _, h, w = shape
        sigma = side(shape) / 8
        return {"rows": smooth_field(rng, h, w, sigma), "columns": smooth_field(rng, h, w, sigma)}

    def apply(self, x: Images, draws: Draws, strength: float) -> Any:
        rows, columns = grid(x.shape)
        most = np.float32(strength * side(x.shape) / 4)
        return sample(x, rows + most * draws["rows"], columns + most * draws["columns"])


def _mixed(size: int, doublings: float) -> NDArray[np.float32]:
    """(size, size) matrix: pixels replaced by the mean of their square, whose side doubled so often."""
    low = int(doublings)
    share = np.float32(doublings - low)
    return (1 - share) * _squares(size, 2**low) + share * _squares(size, 2 ** (low + 1))


def _squares(size: int, pixels: int) -> NDArray[np.float32]:
    square = np.arange(size) // pixels
    same = (square[:, None] == square[None, :]).astype(np.float32)
    return np.asarray(same / same.sum(axis=1, keepdims=True), np.float32)


def _through_jpeg(image: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    levels = np.rint(image * 255).astype(np.uint8)
    planes = [np.moveaxis(levels, 0, -1)] if len(levels) == 3 else list(levels)
    read = []
    for plane in planes:
        file = io.BytesIO()
        Image.fromarray(plane).save(file, "JPEG", quality=quality)
        pixels = np.asarray(Image.open(file), np.float32) / 255
        read.append(np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None])
    return np.concatenate(read)
