"""The probe: a fixed, labelled sample on which networks are compared.

Two networks can be compared only on the same samples, and numbers from different days only on the same
probe; so a probe is a function of data set, split, size and seed, its samples have stable ids, and its
fingerprint is part of every cache key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import Dataset
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.seeding import stream

WITH_TOKENS = ("tokens", "language")
"""Kinds of samples that are a pair: token numbers, and a mask or the positions that are scored."""
MOST_SAMPLES = 1000
"""Measures of distances between samples grow with its square; a thousand is enough for all of them."""


@dataclass(frozen=True, eq=False)
class Probe:
    """Some labeled samples; shared between callers, nobody writes into the arrays.

    Attributes:
        x: what they are, an array or several in a tuple with a row per sample; images are (n, c, h, w) float32 in [0, 1].
        y: (n,) int64 class indices; of language (n, p), one per scored position.
        ids: (n,) int64 positions in the data set's source, stable between sessions.
        classes: class names.
        title: what a person reads of the data set.
        split: where the samples come from.
        seed: decided which of them were taken.
        fingerprint: SHA-256 of data set, split and ids.
        task: registry name of the kind of samples.
        tokenizer: what split texts; see `Dataset`.
    """

    x: Any
    y: NDArray[np.int64]
    ids: NDArray[np.int64]
    classes: tuple[str, ...]
    title: str
    split: str
    seed: int
    fingerprint: str
    task: str = "image"
    tokenizer: bytes = b""

    def __len__(self) -> int:
        return len(self.y)

    def rows_of(self, ids: NDArray[np.int64] | list[int] | tuple[int, ...]) -> NDArray[np.intp]:
        """Row numbers of those samples that are in the probe, in the order asked; others are left out."""
        position = {int(sample): row for row, sample in enumerate(self.ids)}
        return np.array([position[int(i)] for i in ids if int(i) in position], dtype=np.intp)

    def shown(self, rows: NDArray[np.intp]) -> NDArray[np.float32] | list[str]:
        """What a person sees of some samples: images (k, c, h, w), or k texts; tokens that nobody can write are numbers."""
        if self.task not in WITH_TOKENS:
            return np.asarray(self.x[rows])
        tokens, other = (leaf[rows] for leaf in self.x)
        masks = other if other.dtype == np.bool_ else np.ones(tokens.shape, np.bool_)
        kept = [row[mask].tolist() for row, mask in zip(tokens, masks, strict=True)]
        if not self.tokenizer:
            return [" ".join(map(str, row)) for row in kept]
        tokenizing = Tokenizing.read(self.tokenizer)
        return [tokenizing.decode(row) for row in kept]


def make_probe(dataset: Dataset, *, split: str = "validation", n: int = 1000, seed: int = 0) -> Probe:
    """Draw a stratified probe: every class with its share of the split, rounded to whole samples.

    Args:
        dataset: where the samples come from.
        split: "train", "calibration", "validation" or "test".
        n: how many; the whole split if it has fewer.
        seed: decides which samples of a class are taken.

    Raises:
        InvalidInput: there is no such split, or n is not between 4 and `MOST_SAMPLES`.
    """
    if not 4 <= n <= MOST_SAMPLES:
        raise InvalidInput(f"A probe has 4 to {MOST_SAMPLES:,} samples, not {n:,}.")
    part = dataset.split(split)
    rng, most = stream(seed, "probe", split), min(n, len(part))
    # Windows of language have no class.
    rows = _stratified(part.y, most, rng) if part.y.ndim == 1 else np.sort(rng.permutation(len(part))[:most])
    ids = part.ids[rows]
    digest = hashlib.sha256(f"{dataset.fingerprint}/{split}/".encode() + np.ascontiguousarray(ids).tobytes())
    return Probe(
        x=_rows(part.x, rows),
        y=part.y[rows],
        ids=ids,
        classes=dataset.classes,
        title=dataset.title,
        split=split,
        seed=seed,
        fingerprint=digest.hexdigest(),
        task=dataset.task,
        tokenizer=dataset.tokenizer,
    )


def _rows(x: Any, rows: NDArray[np.intp]) -> Any:
    return tuple(leaf[rows] for leaf in x) if isinstance(x, tuple) else x[rows]


def _stratified(y: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """n rows, in the order of the split; class shares by largest remainder."""
    classes, counts = np.unique(y, return_counts=True)
    exact = counts * (n / len(y))
    quota = np.floor(exact).astype(int)
    # The rounding left some places; they go to the largest remainders, ties to the smaller class number.
    for index in np.argsort(-(exact - quota), kind="stable")[: n - quota.sum()]:
        quota[index] += 1
    chosen = [
        rng.permutation(np.flatnonzero(y == label))[:take] for label, take in zip(classes, quota, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
