"""Language as a plug-in reads it: texts as one row of tokens, cut into windows, some positions of which are scored.

Windows do not overlap, and neighbors stay together: whole stretches of windows go to training, validation or test, so a
window that is held out has no neighbors in training but at the ends of its stretch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import FractionConfig, OnProgress, Raw, Split
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.seeding import stream

STRETCH = 16
"""Neighboring windows that go to one split together."""
_FEWEST = 8
MOST_LENGTH = 4096


class WindowConfig(FractionConfig):
    """How texts become windows of tokens."""

    tokenizer: str = Field(
        "byte_pairs",
        pattern=r"^(byte_pairs|bytes|[0-9a-f]{64})$",
        description='What splits texts: "byte_pairs" (512 built-in ones), "bytes" alone, or the id of a kept tokenizer.json.',
        json_schema_extra={"by_content": True},
    )
    length: int = Field(64, ge=8, le=MOST_LENGTH, description="Tokens of a window.")
    scored: int = Field(
        16,
        ge=1,
        le=MOST_LENGTH,
        description="Positions of a window whose next token is scored in evaluation; training learns from all.",
    )
    calibration: int = Field(64, ge=8, le=4096, description="Training windows that criteria are computed on.")


@dataclass(frozen=True, eq=False)
class RawLanguage(Raw):
    """Windows of texts.

    Attributes:
        x: (n, length) token numbers.
        scored: (n, p) ascending positions, whose next tokens are what is predicted.
        y: (n,) which text a window begins in.
        sizes: (n,) bytes of text that the next tokens at the scored positions stand for, together.
        tokenizer: what split the texts.
        n_test: 0; there is no test set of its own.
    """

    arrays = ("x", "scored")
    x: NDArray[np.int64]
    scored: NDArray[np.int64]
    y: NDArray[np.int64]
    sizes: NDArray[np.int64]
    tokenizer: Tokenizing
    n_test: int = 0

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The vocabulary: a position's class is the token that follows."""
        return self.tokenizer.tokens

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The windows at (k,) positions: tokens (k, length) and scored positions (k, p); y are the next tokens (k, p)."""
        tokens, scored = np.ascontiguousarray(self.x[ids]), np.ascontiguousarray(self.scored[ids])
        return Split((tokens, scored), np.take_along_axis(tokens, scored + 1, 1), ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        return {
            "input_shape": (self.x.shape[1],),
            "vocabulary": self.tokenizer.vocabulary,
            "scored": self.scored.shape[1],
            "tokenizer": self.tokenizer.identity,
        }

    def groups(self) -> NDArray[np.int64]:
        return np.arange(len(self.x)) // STRETCH

    def told(self) -> tuple[bytes, NDArray[np.int64]]:
        return self.tokenizer.json(), self.sizes


def windows(
    texts: Mapping[str, str], tokenizer: Tokenizing, config: WindowConfig, on_progress: OnProgress
) -> RawLanguage:
    """Texts, one after another with the token that ends a text between them, cut into windows; the rest is left out.

    Raises:
        InvalidInput: they are too short for a few stretches, or more positions are scored than a window has.
    """
    if config.scored >= config.length:
        raise InvalidInput(
            f"A window of {config.length} tokens has {config.length - 1} positions with a next token; score fewer."
        )
    ids, sizes, origin = [], [], []
    for number, (name, text) in enumerate(texts.items()):
        on_progress(number / len(texts), f"Splitting {name}.")
        tokens, counted = tokenizer.encode_counted(text)
        if tokenizer.end is not None:
            tokens, counted = np.append(tokens, tokenizer.end), np.append(counted, 0)
        ids.append(tokens)
        sizes.append(counted)
        origin.append(np.full(len(tokens), number))
    n = sum(map(len, ids)) // config.length
    if n < _FEWEST * STRETCH:
        raise InvalidInput(
            f"The texts have {n:,} windows of {config.length:,} tokens; at least {_FEWEST * STRETCH:,} are needed. "
            "Add text, or choose shorter windows."
        )
    shape = (n, config.length)
    x, size, text_of = (
        np.concatenate(each)[: n * config.length].reshape(shape) for each in (ids, sizes, origin)
    )
    chance = stream(0, "language", "scored").random((n, config.length - 1))
    scored = np.sort(chance.argsort(1)[:, : config.scored], 1)
    bytes_scored = np.take_along_axis(size, scored + 1, 1).sum(1)
    return RawLanguage(x, scored, np.ascontiguousarray(text_of[:, 0]), bytes_scored, tokenizer)
