"""The corruption contract: what one sample's accident is, and what it does at a given strength.

`corrupt` asks the plug-in once per sample for its accident (`draw`: noise, directions, fields), from a
stream that knows seed, corruption and sample id but neither severity nor batch; then `apply` does the
work for all samples at once. Strength is a number from 0 (nothing) to 1 (the largest that is sensible);
each plug-in says what it means in its own units. Five strengths make the severities 1 to 5.

There are two kinds: `Corruption` of images, and `TextCorruption` of texts with a class each, a pair of token numbers and
mask. `corrupt` refuses images where it needs texts, and the other way round.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin
from core.errors import InvalidInput
from core.registry import Registry
from core.seeding import stream

if TYPE_CHECKING:
    from core.datasets.tokenizing import Tokenizing

CORRUPTIONS: Registry[AnyCorruption] = Registry("corruption", "core.datasets.corruptions", "CORRUPTIONS")
GROUPS = ("noise", "blur", "weather", "digital", "text")
SEVERITIES = (0, 1, 2, 3, 4, 5)

Images = NDArray[np.float32]
Texts = tuple[NDArray[np.int64], NDArray[np.bool_]]
"""Token numbers (n, length), and which of them count; padding comes last."""
Draws = Mapping[str, NDArray[Any]]
"""What chance decided: per name an array; one sample's in `draw`, all samples' (n first) in `apply`."""


class AnyCorruption(Plugin, ABC):
    """One way to spoil a sample.

    Attributes:
        task: registry name of the kind of samples.
        group: one of `GROUPS`.
        strengths: severities 1 to 5 where nobody has calibrated; strictly rising, in (0, 1].
        meaning: what strength is in the corruption's own units.
    """

    task: ClassVar[str]
    group: ClassVar[str]
    meaning: ClassVar[str]
    strengths: ClassVar[tuple[float, float, float, float, float]] = (0.1, 0.2, 0.3, 0.4, 0.5)

    def draw(self, rng: np.random.Generator, shape: Any) -> Draws:
        """One sample's accident, at every strength the same; nothing for corruptions without chance.

        Args:
            rng: of this sample.
            shape: (c, h, w) of an image, (length,) of a text.
        """
        return {}


class TextCorruption(AnyCorruption):
    """One way to spoil a text.

    Attributes:
        needs_letters: whether it changes letters, for which it needs what split the texts.
    """

    task = "tokens"
    needs_letters: ClassVar[bool] = False

    @abstractmethod
    def row(
        self, tokens: list[int], draws: Draws, strength: float, tokenizer: Tokenizing | None
    ) -> list[int]:
        """One text's tokens (at least one, special ones at its ends left out) at one strength in (0, 1].

        Args:
            tokens: as they are.
            draws: of this text; more than it has tokens.
            strength: see `meaning`.
            tokenizer: what split it, where it is known.
        """


class Corruption(AnyCorruption):
    """One way to spoil an image."""

    task = "image"

    @abstractmethod
    def apply(self, x: Images, draws: Draws, strength: float) -> NDArray[np.floating]:
        """(n, c, h, w) images at one strength in (0, 1]; may leave [0, 1], does not write into x.

        Every image must come out as it would alone.
        """


def names_for(task: str) -> list[str]:
    """Corruptions of one kind of samples, by its registry name; none for most."""
    return [name for name in CORRUPTIONS.names() if CORRUPTIONS.get(name).task == task]


def corrupt(
    x: Any,
    name: str,
    severity: int,
    *,
    ids: NDArray[np.int64] | Sequence[int],
    seed: int = 0,
    strength: Sequence[float] | None = None,
    tokenizer: Tokenizing | None = None,
) -> Any:
    """Samples with one corruption; the input is never written.

    Args:
        x: (n, c, h, w) float32 in [0, 1], or texts: a pair of token numbers (n, length) and mask.
        name: registry name of the corruption.
        severity: 0 (the samples themselves, bit for bit) to 5.
        ids: (n,) stable sample ids; with the seed they decide each sample's accident.
        seed: of all accidents.
        strength: the five strengths of severities 1 to 5; the corruption's own without it.
        tokenizer: of texts, what split them, where it is known.

    Returns:
        Samples of the same kind, always new arrays; texts that have grown are cut to the length they had.

    Raises:
        NotFound: there is no such corruption.
        InvalidInput: a severity, strength or shape that cannot be used, or samples of another kind.
    """
    kind: AnyCorruption = CORRUPTIONS.create(name)
    _require_kind(kind, x, tokenizer)
    if severity not in SEVERITIES:
        raise InvalidInput(f"A severity is a whole number from 0 to 5, not {severity}.")
    levels = tuple(kind.strengths if strength is None else strength)
    if len(levels) != 5 or not all(0 <= level <= 1 for level in levels):
        raise InvalidInput("Severities 1 to 5 need five strengths between 0 and 1.")
    level = 0.0 if severity == 0 else float(levels[severity - 1])
    if isinstance(kind, TextCorruption):
        return _spoiled_texts(kind, x, ids, seed, level, tokenizer)
    assert isinstance(kind, Corruption)
    if x.ndim != 4 or len(ids) != len(x):
        raise InvalidInput(
            f"Images come as (n, c, h, w) with one id each, not {x.shape} with {len(ids)} ids."
        )
    if level == 0 or len(x) == 0:
        return np.array(x, dtype=np.float32, copy=True)
    spoiled = kind.apply(np.asarray(x, np.float32), _draws(kind, x.shape[1:], ids, seed), level)
    return np.clip(spoiled, 0, 1).astype(np.float32)


def _require_kind(kind: AnyCorruption, x: Any, tokenizer: Tokenizing | None) -> None:
    pair = isinstance(x, tuple) and len(x) == 2
    if kind.task == "image" and isinstance(x, tuple):
        others = ", ".join(CORRUPTIONS.get(name).label.lower() for name in names_for("tokens"))
        raise InvalidInput(
            f"{kind.label} is an accident of images, and these samples are none. For texts there are: {others}."
        )
    if isinstance(kind, TextCorruption):
        if not pair:
            raise InvalidInput(f"{kind.label} are an accident of texts, and these samples are none.")
        if x[1].dtype != np.bool_:
            raise InvalidInput(
                f"{kind.label} are for texts with classes; of language the tokens themselves are what is to be told."
            )
        if kind.needs_letters and tokenizer is None:
            raise InvalidInput(
                f"{kind.label} need the letters of texts, and of these only numbers of words are known. Choose lost or swapped tokens."
            )


def _spoiled_texts(
    kind: TextCorruption,
    x: Texts,
    ids: NDArray[np.int64] | Sequence[int],
    seed: int,
    level: float,
    tokenizer: Tokenizing | None,
) -> Texts:
    tokens, mask = x[0].copy(), x[1].copy()
    if tokens.ndim != 2 or tokens.shape != mask.shape or len(ids) != len(tokens):
        raise InvalidInput(
            f"Texts come as (n, length) tokens and mask with one id each, not {tokens.shape} with {len(ids)} ids."
        )
    if level == 0:
        return tokens, mask
    length, special = tokens.shape[1], frozenset() if tokenizer is None else tokenizer.special
    for number, sample in enumerate(ids):
        row = tokens[number][mask[number]].tolist()
        start, end = inner(row, special)
        if start == end:
            continue
        draws = kind.draw(stream(seed, "corruption", kind.name, int(sample)), (length,))
        made = [*row[:start], *kind.row(row[start:end], draws, level, tokenizer)][: length - (len(row) - end)]
        made += row[end:]
        tokens[number, : len(made)] = made
        mask[number] = np.arange(length) < len(made)
    # Behind a text that has become shorter stands what pads the others.
    tokens[~mask] = 0 if tokenizer is None else tokenizer.padding
    return tokens, mask


def inner(row: Sequence[int], special: Collection[int]) -> tuple[int, int]:
    """Where the text of a row begins and ends: without special tokens at both ends."""
    start, end = 0, len(row)
    while start < end and row[start] in special:
        start += 1
    while end > start and row[end - 1] in special:
        end -= 1
    return start, end


def _draws(
    kind: Corruption, shape: tuple[int, ...], ids: NDArray[np.int64] | Sequence[int], seed: int
) -> Draws:
    c, h, w = shape
    if type(kind).draw is AnyCorruption.draw:
        return {}
    each = [kind.draw(stream(seed, "corruption", kind.name, int(i)), (c, h, w)) for i in ids]
    return {key: np.stack([np.asarray(d[key], np.float32) for d in each]) for key in each[0]}
