"""What several corruptions are made of: bilinear sampling, and smooth random fields."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def sample(x: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
    """Bilinear values of images at fractional positions; beyond the border the border's value.

    Args:
        x: (n, c, h, w) images.
        rows, columns: (n, h, w) positions in pixels.

    Returns:
        (n, c, h, w).
    """
    n, _, h, w = x.shape
    rows, columns = np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = np.minimum(top + 1, h - 1), np.minimum(left + 1, w - 1)
    a = (rows - top).astype(np.float32)[..., None]
    b = (columns - left).astype(np.float32)[..., None]
    i = np.arange(n)[:, None, None]
    last = np.moveaxis(x, 1, -1)
    upper = last[i, top, left] * (1 - b) + last[i, top, right] * b
    lower = last[i, down, left] * (1 - b) + last[i, down, right] * b
    return np.moveaxis(upper * (1 - a) + lower * a, -1, 1)


def grid(shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Row and column numbers, each (1, h, w), of images (n, c, h, w)."""
    rows, columns = np.mgrid[: shape[2], : shape[3]].astype(np.float32)
    return rows[None], columns[None]


def side(shape: tuple[int, ...]) -> int:
    """The shorter side of images (n, c, h, w) or one image (c, h, w), in pixels."""
    return int(min(shape[-2:]))


def smooth_field(rng: np.random.Generator, h: int, w: int, sigma: float) -> NDArray[np.float32]:
    """(h, w) normal noise blurred by `sigma` pixels, mean 0 and largest absolute value 1."""
    field = ndimage.gaussian_filter(rng.standard_normal((h, w)), sigma, mode="reflect")
    field -= field.mean()
    return (field / max(float(np.abs(field).max()), 1e-12)).astype(np.float32)
