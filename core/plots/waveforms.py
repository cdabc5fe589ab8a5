"""Small pictures of sounds: how loud they are over time, drawn into pixels for a strip of pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_INK, _PAPER = 0.25, 0.93
"""Gray levels that are seen on a light page as on a dark one."""


def waveform_pictures(ends: NDArray[np.float32], *, height: int = 64) -> NDArray[np.float32]:
    """Pictures (k, 1, height, columns) in [0, 1], each scaled to its loudest sample.

    Args:
        ends: (k, 2, columns) lowest and highest sample of each stretch.
        height: of a picture, in pixels.
    """
    loudest = np.abs(ends).max((1, 2), keepdims=True)
    low, high = np.moveaxis(ends / np.where(loudest > 0, loudest, 1), 1, 0)
    middle = (height - 1) / 2
    # A pixel is inked where the sound reaches it; silence is a line.
    top = np.floor(middle - 0.9 * middle * np.maximum(high, 0))[:, None]
    bottom = np.ceil(middle - 0.9 * middle * np.minimum(low, 0))[:, None]
    rows = np.arange(height)[:, None]
    return np.where((rows >= top) & (rows <= bottom), _INK, _PAPER).astype(np.float32)[:, None]
