"""Texts with a class each, as a plug-in reads them: split by a tokenizer, cut and padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import FractionConfig, OnProgress, Raw, Split
from core.datasets.tokenizing import Tokenizing

MOST_LENGTH = 4096
_TOLD = 500
"""How often progress is told."""


class TextConfig(FractionConfig):
    """How texts become rows of tokens."""

    tokenizer: str = Field(
        "byte_pairs",
        pattern=r"^(byte_pairs|bytes|[0-9a-f]{64})$",
        description='What splits texts: "byte_pairs" (512 built-in ones), "bytes" alone, or the id of a kept tokenizer.json.',
        json_schema_extra={"by_content": True},
    )
    length: int = Field(
        64, ge=4, le=MOST_LENGTH, description="Tokens that networks get; longer texts are cut."
    )


@dataclass(frozen=True, eq=False)
class RawTexts(Raw):
    """Texts of tokens.

    Attributes:
        x: (n, length) token numbers.
        lengths: (n,) how many of each row are the text's; padding follows.
        y, classes, n_test: see `Raw`.
        tokenizer: what split the texts.
        together: (n,) groups that go to one split whole; None where each text goes alone.
    """

    arrays = ("x", "mask")
    x: NDArray[np.int64]
    lengths: NDArray[np.int64]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    tokenizer: Tokenizing
    together: NDArray[np.int64] | None = None
    n_test: int = 0

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The texts at (k,) positions: token numbers (k, length) int64, and which of them are no padding."""
        mask = np.arange(self.x.shape[1]) < self.lengths[ids, None]
        return Split((np.ascontiguousarray(self.x[ids]), mask), np.ascontiguousarray(self.y[ids]), ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        return {
            "input_shape": (self.x.shape[1],),
            "vocabulary": self.tokenizer.vocabulary,
            "tokenizer": self.tokenizer.identity,
        }

    def groups(self) -> NDArray[np.int64] | None:
        return self.together

    def told(self) -> tuple[bytes, NDArray[np.int64]]:
        return self.tokenizer.json(), np.empty(0, np.int64)


def rows_of_tokens(
    texts: Sequence[str], tokenizer: Tokenizing, length: int, on_progress: OnProgress
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, length) tokens, with what the tokenizer puts around a text, padded; and (n,) how many are the text's.

    A text of which the tokenizer leaves nothing is one token of padding that counts.
    """
    x = np.full((len(texts), length), tokenizer.padding, np.int64)
    lengths = np.ones(len(texts), np.int64)
    for row, text in enumerate(texts):
        if row % _TOLD == 0:
            on_progress(row / len(texts), "Splitting texts into tokens.")
        ids = tokenizer.encode(text, special=True, most=length)
        x[row, : len(ids)] = ids
        lengths[row] = max(1, len(ids))
    return x, lengths


def sharing(texts: Sequence[Sequence[str]], run: int) -> NDArray[np.int64]:
    """(n,) groups of texts (words each): whoever shares so many words in a row with another is in its group.

    Source: shingles as in Broder, On the resemblance and containment of documents, 1997; here one shared one is enough.
    """
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    seen: dict[tuple[str, ...], int] = {}
    for number, words in enumerate(texts):
        for start in range(len(words) - run + 1):
            other = seen.setdefault(tuple(words[start : start + run]), number)
            parent[root(number)] = root(other)
    return np.array([root(number) for number in range(len(texts))], np.int64)
