"""Generated commands: short English texts of which one clause counts, the one that is not negated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress
from core.datasets.tokens import PADDING, RawTokens
from core.seeding import stream

_VERBS = {
    "open": ("open", "unlock", "unfold"),
    "close": ("close", "shut", "lock"),
    "start": ("start", "launch", "begin"),
    "stop": ("stop", "end", "halt"),
    "raise": ("raise", "lift", "increase"),
    "lower": ("lower", "drop", "reduce"),
}
_PARTICLES = {"open": "open", "close": "shut", "start": "on", "stop": "off", "raise": "up", "lower": "down"}
_LIGHT = ("turn", "put", "get")
_THINGS = ("door", "window", "music", "heater", "lamp", "curtain")
_NOT = ("never", "not")
_REST = ("the", "please", "but", "and")
WORDS = tuple(
    dict.fromkeys(
        [
            *(verb for verbs in _VERBS.values() for verb in verbs),
            *_PARTICLES.values(),
            *_LIGHT,
            *_THINGS,
            *_NOT,
            *_REST,
        ]
    )
)
"""The vocabulary; word k is token k + 1."""

CLASSES = tuple(_VERBS)
_NUMBER = {word: index + 1 for index, word in enumerate(WORDS)}
_LENGTH = 18


@DATASETS.register("commands")
class Commands(FractionSource):
    """Generated commands like "never open the door but turn the music on": what is to be done? Built in."""

    label = "Commands (generated text)"
    source = (
        "generated here from a small grammar; negation as in the stress tests of Naik et al., COLING 2018"
    )
    task = "tokens"
    licence = "none needed (generated)"

    class Config(FractionConfig):
        """Shares of the generated texts."""

        texts: int = Field(4000, ge=200, le=50_000, description="How many texts to generate.")

    def read(self, on_progress: OnProgress) -> RawTokens:
        on_progress(0.0, "Writing commands.")
        rng = stream(0, "commands")
        tokens = np.full((self.config.texts, _LENGTH), PADDING, np.int64)
        wanted: NDArray[np.int64] = np.empty(self.config.texts, np.int64)
        for row in range(self.config.texts):
            words, wanted[row] = _command(rng)
            tokens[row, : len(words)] = [_NUMBER[word] for word in words]
        return RawTokens(tokens, wanted, CLASSES, len(WORDS) + 1)


def _command(rng: np.random.Generator) -> tuple[list[str], int]:
    """Words of one to three clauses, and what the only clause without a negation asks for."""
    kinds = rng.permutation(len(CLASSES))[: int(rng.integers(1, 4))]
    counts = int(rng.integers(len(kinds)))
    words: list[str] = []
    for place, kind in enumerate(kinds):
        if place:
            words.append(str(rng.choice(("but", "and"))))
        elif rng.random() < 0.5:
            words.append("please")
        if place != counts:
            words.append(str(rng.choice(_NOT)))
        words += _clause(CLASSES[kind], rng)
    return words, int(kinds[counts])


def _clause(kind: str, rng: np.random.Generator) -> list[str]:
    """ "stop the music", or "turn the music off": a word that comes later may say what is meant."""
    thing = str(rng.choice(_THINGS))
    if rng.random() < 0.75:
        return [str(rng.choice(_VERBS[kind])), "the", thing]
    return [str(rng.choice(_LIGHT)), "the", thing, _PARTICLES[kind]]
