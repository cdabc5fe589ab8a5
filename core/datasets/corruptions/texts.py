"""Accidents of texts: tokens that are lost, neighbors that change places, slips of a finger.

The same places are hit at every strength, first the most unlucky ones. What a tokenizer puts around a text ([CLS], [SEP])
stays where it is, since no writer spoils it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from core.datasets.corruptions.base import CORRUPTIONS, Draws, TextCorruption
from core.datasets.tokenizing import Tokenizing

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@CORRUPTIONS.register("token_drop")
class TokenDrop(TextCorruption):
    """Tokens are lost, and what follows moves up; one at least is left."""

    label = "Lost tokens"
    source = "Wei and Zou, EDA, EMNLP 2019 (random deletion); here of tokens"
    group = "text"
    meaning = "share of the tokens that are lost"

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> Draws:
        return {"place": rng.random(shape[0])}

    def row(
        self, tokens: list[int], draws: Draws, strength: float, tokenizer: Tokenizing | None
    ) -> list[int]:
        place = draws["place"][: len(tokens)]
        kept = place >= strength
        # One at least is left: the least unlucky one.
        kept[int(place.argmax())] = True
        return [token for token, stays in zip(tokens, kept, strict=True) if stays]


@CORRUPTIONS.register("token_swap")
class TokenSwap(TextCorruption):
    """Neighboring tokens change places; each is in one pair at most."""

    label = "Swapped tokens"
    source = (
        "Belinkov and Bisk, ICLR 2018 (swaps of neighbors, there of letters); Wei and Zou, EDA, EMNLP 2019"
    )
    group = "text"
    meaning = "share of the pairs of neighbors that change places"

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> Draws:
        return {"first": rng.integers(0, 2, 1), "place": rng.random(shape[0])}

    def row(
        self, tokens: list[int], draws: Draws, strength: float, tokenizer: Tokenizing | None
    ) -> list[int]:
        made = list(tokens)
        # A text of two tokens has one pair.
        first = int(draws["first"][0]) if len(tokens) > 2 else 0
        for at in range(first, len(tokens) - 1, 2):
            if draws["place"][at] < strength:
                made[at], made[at + 1] = made[at + 1], made[at]
        return made


@CORRUPTIONS.register("typo")
class Typo(TextCorruption):
    """Slips of a finger: in a token a letter is doubled, left out, hit beside, or changes places with the next one."""

    label = "Typos"
    source = "Belinkov and Bisk, ICLR 2018 (swaps and keyboard typos); keyboard: QWERTY"
    group = "text"
    meaning = "share of the tokens that have a slip in them"
    needs_letters = True

    def draw(self, rng: np.random.Generator, shape: Sequence[int]) -> Draws:
        return {"place": rng.random(shape[0]), "slip": rng.random((shape[0], 3))}

    def row(
        self, tokens: list[int], draws: Draws, strength: float, tokenizer: Tokenizing | None
    ) -> list[int]:
        assert tokenizer is not None
        made: list[int] = []
        for at, token in enumerate(tokens):
            if draws["place"][at] < strength:
                made += _slipped(tokenizer, token, tuple(draws["slip"][at].tolist()))
            else:
                made.append(token)
        return made


@lru_cache(maxsize=65_536)
def _slipped(tokenizer: Tokenizing, token: int, slip: tuple[float, float, float]) -> tuple[int, ...]:
    """The tokens of a token's text with one slip in it; the token itself where it has no letter."""
    text = tokenizer.decode([token])
    letters = [at for at, character in enumerate(text) if character.isalpha()]
    if not letters:
        return (token,)
    where = letters[int(slip[0] * len(letters))]
    spoiled = _slip(text, where, slip[1], slip[2])
    return tuple(tokenizer.encode(spoiled)) or (token,)


def _slip(text: str, at: int, kind: float, choice: float) -> str:
    """A text with one slip at a letter; what has no effect (a swap of equal letters) is a letter hit beside."""
    before, letter, after = text[:at], text[at], text[at + 1 :]
    if kind < 0.25:
        return before + letter + letter + after
    if kind < 0.5 and len(text.strip()) > 1:
        return before + after
    if kind < 0.75 and after[:1].isalpha() and after[0] != letter:
        return before + after[0] + letter + after[1:]
    near = _beside(letter.lower())
    wrong = near[int(choice * len(near))]
    return before + (wrong.upper() if letter.isupper() else wrong) + after


@lru_cache(maxsize=256)
def _beside(letter: str) -> str:
    """Letters beside a letter on the keyboard, left, right, above and below; for one that is not on it, those beside the n."""
    for number, row in enumerate(_ROWS):
        at = row.find(letter)
        if at >= 0:
            rows = [_ROWS[other] for other in (number - 1, number + 1) if 0 <= other < len(_ROWS)]
            found = row[max(0, at - 1) : at] + row[at + 1 : at + 2]
            return found + "".join(other[at : at + 1] for other in rows)
    return _beside("n")
