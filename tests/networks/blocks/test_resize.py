"""Resize against its definition, written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.networks.blocks.resize import Resize


def by_hand(line: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of a line of pixels: centers at half pixels, the ends repeated."""
    centers = (np.arange(size) + 0.5) * len(line) / size - 0.5
    return np.interp(centers, np.arange(len(line)), line)


@pytest.mark.parametrize(("before", "after"), [((8, 8), (6, 6)), ((6, 9), (11, 4)), ((7, 7), (7, 7))])
def test_it_interpolates_between_centers(before, after) -> None:
    image = np.random.default_rng(0).random(before)
    rows = np.stack([by_hand(column, after[0]) for column in image.T], axis=1)
    expected = np.stack([by_hand(row, after[1]) for row in rows])
    found = Resize(1, *after)(torch.from_numpy(image)[None, None])[0, 0].numpy()
    assert np.allclose(found, expected, atol=1e-6)
