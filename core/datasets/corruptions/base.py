"""The corruption contract: what one sample's accident is, and what it does at a given strength.

`corrupt` asks the plug-in once per sample for its accident (`draw`: noise, directions, fields), from a
stream that knows seed, corruption and sample id but neither severity nor batch; then `apply` does the
work for all samples at once. Strength is a number from 0 (nothing) to 1 (the largest that is sensible);
each plug-in says what it means in its own units. Five strengths make the severities 1 to 5.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin
from core.errors import InvalidInput
from core.registry import Registry
from core.seeding import stream

CORRUPTIONS: Registry[Corruption] = Registry("corruption", "core.datasets.corruptions", "CORRUPTIONS")
GROUPS = ("noise", "blur", "weather", "digital")
SEVERITIES = (0, 1, 2, 3, 4, 5)

Images = NDArray[np.float32]
Draws = Mapping[str, NDArray[Any]]
"""What chance decided: per name an array; one sample's in `draw`, all samples' (n first) in `apply`."""


class Corruption(Plugin, ABC):
    """One way to spoil an image.

    Attributes:
        group: one of `GROUPS`.
        strengths: severities 1 to 5 where nobody has calibrated; strictly rising, in (0, 1].
        meaning: what strength is in the corruption's own units.
    """

    group: ClassVar[str]
    meaning: ClassVar[str]
    strengths: ClassVar[tuple[float, float, float, float, float]] = (0.1, 0.2, 0.3, 0.4, 0.5)

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Draws:
        """One sample's accident, at every strength the same; nothing for corruptions without chance."""
        return {}

    @abstractmethod
    def apply(self, x: Images, draws: Draws, strength: float) -> NDArray[np.floating]:
        """(n, c, h, w) images at one strength in (0, 1]; may leave [0, 1], does not write into x.

        Every image must come out as it would alone.
        """


def corrupt(
    x: Images,
    name: str,
    severity: int,
    *,
    ids: NDArray[np.int64] | Sequence[int],
    seed: int = 0,
    strength: Sequence[float] | None = None,
) -> Images:
    """Images with one corruption; the input is never written.

    Args:
        x: (n, c, h, w) float32 in [0, 1].
        name: registry name of the corruption.
        severity: 0 (the images themselves, bit for bit) to 5.
        ids: (n,) stable sample ids; with the seed they decide each sample's accident.
        seed: of all accidents.
        strength: the five strengths of severities 1 to 5; the corruption's own without it.

    Returns:
        (n, c, h, w) float32 in [0, 1], always a new array.

    Raises:
        NotFound: there is no such corruption.
        InvalidInput: a severity, strength or shape that cannot be used.
    """
    kind: Corruption = CORRUPTIONS.create(name)
    if severity not in SEVERITIES:
        raise InvalidInput(f"A severity is a whole number from 0 to 5, not {severity}.")
    if x.ndim != 4 or len(ids) != len(x):
        raise InvalidInput(
            f"Images come as (n, c, h, w) with one id each, not {x.shape} with {len(ids)} ids."
        )
    levels = tuple(kind.strengths if strength is None else strength)
    if len(levels) != 5 or not all(0 <= level <= 1 for level in levels):
        raise InvalidInput("Severities 1 to 5 need five strengths between 0 and 1.")
    level = 0.0 if severity == 0 else float(levels[severity - 1])
    if level == 0 or len(x) == 0:
        return np.array(x, dtype=np.float32, copy=True)
    spoiled = kind.apply(np.asarray(x, np.float32), _draws(kind, x.shape[1:], ids, seed), level)
    return np.clip(spoiled, 0, 1).astype(np.float32)


def _draws(
    kind: Corruption, shape: tuple[int, ...], ids: NDArray[np.int64] | Sequence[int], seed: int
) -> Draws:
    c, h, w = shape
    if type(kind).draw is Corruption.draw:
        return {}
    each = [kind.draw(stream(seed, "corruption", kind.name, int(i)), (c, h, w)) for i in ids]
    return {key: np.stack([np.asarray(d[key], np.float32) for d in each]) for key in each[0]}
