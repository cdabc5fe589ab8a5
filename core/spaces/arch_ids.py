"""Architectures as short texts: one character (0-9, a-z) per choice, its option's number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ALPHABET = np.frombuffer(DIGITS.encode(), np.uint8)
_NONE = 255
_NUMBERS = np.full(256, _NONE, np.uint8)
_NUMBERS[_ALPHABET] = np.arange(len(DIGITS))


def written(rows: NDArray[np.uint8], width: int) -> list[str]:
    """(n, width) option numbers -> n texts."""
    text = np.ascontiguousarray(_ALPHABET[rows]).view(f"S{width}").ravel()
    return [t.decode() for t in text.tolist()]


def numbers(ids: Sequence[str], width: int) -> NDArray[np.uint8]:
    """n texts -> (n, width) option numbers; the reverse of `written`.

    Raises:
        ValueError: a text of another length, or with another character.
    """
    if any(len(text) != width for text in ids):
        raise ValueError("an id of another length")
    rows = _NUMBERS[np.frombuffer("".join(ids).encode("latin-1"), np.uint8)].reshape(len(ids), width)
    if (rows == _NONE).any():
        raise ValueError("no such option")
    return rows
