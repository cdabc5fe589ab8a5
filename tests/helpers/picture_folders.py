"""A zip of class folders with small pictures of noise, each folder of a color of its own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from PIL import Image


def pictures(folders: Mapping[str, int], side: int = 40) -> bytes:
    """PNG files by folder; the same bytes every time."""
    rng, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for at, (name, n) in enumerate(folders.items()):
            for number in range(n):
                pixels = rng.integers(0, 160, (side, side, 3))
                pixels[..., at % 3] += 90
                file = io.BytesIO()
                Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
                archive.writestr(f"{name}/{number}.png", file.getvalue())
    return buffer.getvalue()
