"""Small texts for supernets that take tokens: which of the rarer words a text holds says its class."""

from __future__ import annotations

import numpy as np

from core.datasets.base import Dataset, Split


def text_dataset(
    n: int = 48, length: int = 7, vocabulary: int = 11, classes: int = 3, seed: int = 0
) -> Dataset:
    """Texts of the first words, among which stands at random places one of the last `classes` words: the class."""
    rng = np.random.default_rng(seed)

    def split(first: int, count: int) -> Split:
        y = np.arange(count, dtype=np.int64) % classes
        tokens = rng.integers(1, vocabulary - classes, (count, length))
        ends = rng.integers(max(1, length // 2), length + 1, count)
        tokens[np.arange(count), rng.integers(0, ends)] = vocabulary - classes + y
        mask = np.arange(length)[None] < ends[:, None]
        return Split((np.where(mask, tokens, 0), mask), y, np.arange(first, first + count))

    train = split(0, n)
    return Dataset(
        name="texts",
        title="Texts",
        classes=tuple(f"class {i}" for i in range(classes)),
        train=train,
        calibration=train.first(24),
        validation=split(n, n),
        test=split(2 * n, n),
        source="made up",
        licence="none",
        fingerprint=f"texts {seed}",
        task="tokens",
        inputs={"input_shape": (length,), "vocabulary": vocabulary},
        arrays=("x", "mask"),
    )
