"""What rows say about two conditions: a difference counts only if it is larger than the spread of the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from core.pruning.experiments.base import Row
from core.words import format_share

NOTHING = "Nothing has been measured yet."


@dataclass(frozen=True)
class Difference:
    """Two conditions over the seeds that both have.

    Attributes:
        first, second: mean values.
        spread: the larger standard deviation over the seeds of the two; NaN for one seed.
        seeds: how many both have.
    """

    first: float
    second: float
    spread: float
    seeds: int

    @property
    def tie(self) -> bool:
        """Whether the difference is no larger than the spread of the seeds; unknown (False) for one seed."""
        return self.seeds > 1 and abs(self.first - self.second) <= self.spread

    @property
    def larger(self) -> bool | None:
        """Whether the first is larger beyond the spread; None where it is neither or cannot be said."""
        return None if self.tie or self.seeds < 2 else self.first > self.second


def at(rows: Sequence[Row], condition: str, x: float | None = None) -> dict[int, float]:
    """Seed -> mean y of a condition, at one x or over all."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row.condition == condition and (x is None or row.x == x):
            found.setdefault(row.seed, []).append(row.y)
    return {seed: statistics.fmean(values) for seed, values in found.items()}


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """Compare two conditions by seed; None if they share none."""
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    values = [[side[seed] for seed in seeds] for side in (first, second)]
    spread = max(statistics.stdev(v) for v in values) if len(seeds) > 1 else float("nan")
    return Difference(statistics.fmean(values[0]), statistics.fmean(values[1]), spread, len(seeds))


_percent = partial(format_share, digits=1)


def points(value: float) -> str:
    return f"{100 * abs(value):.1f} points"


def compared(
    found: Difference,
    first: str,
    second: str,
    show: Callable[[float], str] = _percent,
    gap: Callable[[float], str] = points,
    *,
    where: str = "",
) -> str:
    """One sentence with both means, their difference, and the spread of the seeds.

    Args:
        found: the figures.
        first: the first condition, as the subject of a sentence ("the ticket").
        second: the other one.
        show: writes a value.
        gap: writes a difference.
        where: put before the sentence ("at 80 % sparsity").
    """
    subject = f"{where} {first}".strip()
    start = f"{subject[0].upper()}{subject[1:]} has {show(found.first)}, {second} {show(found.second)}: "
    apart = found.first - found.second
    if found.seeds < 2:
        return f"{start}{gap(apart)} apart, from one seed, so chance cannot be told from the method."
    if found.tie:
        return (
            f"{start}a tie, {gap(apart)} apart with a spread of {gap(found.spread)} over {found.seeds} seeds."
        )
    more = "more" if apart > 0 else "less"
    return f"{start}{gap(apart)} {more}, beyond the spread of {gap(found.spread)} over {found.seeds} seeds."


def claim(text: str, found: Sequence[Difference], *, smaller: bool = False) -> str:
    """Whether a claim shows: in all comparisons, in some, or in none.

    Args:
        text: the claim as a clause ("the ticket beats the random mask").
        found: the comparisons, the claimed winner first.
        smaller: whether the winner has the smaller value.
    """
    told = [one for one in found if one.seeds > 1]
    if not told:
        return f"One seed cannot tell whether {text}."
    yes = sum(one.larger is not smaller for one in told if one.larger is not None)
    if yes == len(told):
        return f"Here it shows that {text}."
    if yes:
        return f"That {text} shows here in {yes} of {len(told)} comparisons only."
    return f"That {text} does not show here."
