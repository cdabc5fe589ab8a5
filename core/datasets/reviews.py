"""Generated reviews: short English texts whose verdict depends on which words stand next to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress
from core.datasets.tokens import PADDING, RawTokens
from core.seeding import stream

_THINGS = ("food", "service", "room", "music", "price", "view", "garden", "coffee", "bed", "staff")
_GOOD = ("good", "lovely", "warm", "bright", "fresh", "friendly")
_BAD = ("bad", "dull", "cold", "dark", "stale", "rude")
_FLIPS = ("not", "hardly")
_STRONGER = ("very", "really")
_JOINED = ("and", "but", "while")
_REST = ("the", "was", "never", "quite", "we", "thought")
WORDS = (*_THINGS, *_GOOD, *_BAD, *_FLIPS, *_STRONGER, *_JOINED, *_REST)
"""The vocabulary; word k is token k + 1."""

_NUMBER = {word: index + 1 for index, word in enumerate(WORDS)}
_LENGTH = 28
CLASSES = ("negative", "mixed", "positive")


@DATASETS.register("reviews")
class Reviews(FractionSource):
    """Generated hotel reviews of two to four clauses; is the verdict negative, mixed or positive? Built in."""

    label = "Reviews (generated text)"
    source = "generated here from a small grammar, after the sentiment tasks of Socher et al., EMNLP 2013"
    licence = "none needed (generated)"

    class Config(FractionConfig):
        """Shares of the generated reviews."""

        reviews: int = Field(4000, ge=200, le=50_000, description="How many reviews to generate.")

    def read(self, on_progress: OnProgress) -> RawTokens:
        on_progress(0.0, "Writing reviews.")
        rng = stream(0, "reviews")
        texts = [_review(rng) for _ in range(self.config.reviews)]
        tokens = np.full((len(texts), _LENGTH), PADDING, np.int64)
        for row, (words, _) in enumerate(texts):
            tokens[row, : len(words)] = [_NUMBER[word] for word in words]
        verdicts: NDArray[np.int64] = np.array([verdict for _, verdict in texts], np.int64)
        return RawTokens(tokens, verdicts, CLASSES, len(WORDS) + 1)


def _review(rng: np.random.Generator) -> tuple[list[str], int]:
    """Words of a review and its verdict: the sum of what its clauses say, below, at or above zero."""
    words: list[str] = []
    total = 0
    for index in range(int(rng.integers(2, 5))):
        if index:
            words.append(str(rng.choice(_JOINED)))
        clause, score = _clause(rng)
        words += clause
        total += score
    return words, 1 + (total > 0) - (total < 0)


def _clause(rng: np.random.Generator) -> tuple[list[str], int]:
    """ "the room was not very dark": 1 or 2 for praise, doubled by "very", its sign turned by "not"."""
    praise = rng.random() < 0.5
    words = ["the", str(rng.choice(_THINGS)), "was"]
    flips, strong = rng.random() < 0.4, rng.random() < 0.4
    if flips:
        words.append(str(rng.choice(_FLIPS)))
    if strong:
        words.append(str(rng.choice(_STRONGER)))
    words.append(str(rng.choice(_GOOD if praise else _BAD)))
    return words, (1 if praise != flips else -1) * (2 if strong else 1)
