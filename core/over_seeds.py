"""What several seeds of one setting say together: their mean, how far they lie apart, and whether two settings differ.

One seed has no spread, and none is made up for it. Two to four are shown as they are, from the least to the most:
a standard deviation of three numbers is itself uncertain by half. From five on the band is the standard deviation.

Two settings are compared over the seeds they share. The difference of each pair is as likely to have the other sign
if the settings do not differ; all 2^n patterns of signs are counted out (or many drawn, from 15 pairs on), so nothing
is assumed about how the numbers are spread. With n pairs the smallest two-sided p is 2 / 2^n, which fewer than six
pairs cannot bring below 0.05: there the counts are given and no verdict.

Source: Fisher, "The design of experiments", 1935 (the exact test by signs of differences); Holm, "A simple
sequentially rejective multiple test procedure", 1979 (where several pairs of settings are compared).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.seeding import stream

FEWEST_FOR_DEVIATION = 5
FEWEST_PAIRS = 6
"""With five, the smallest possible two-sided p of the exact test is 0.0625."""
LEVEL = 0.05
_MOST_COUNTED_OUT = 14
_DRAWN = 20_000


@dataclass(frozen=True)
class Spread:
    """One number over several seeds.

    Attributes:
        n: seeds with a finite value.
        mean: of them; NaN without any.
        low, high: ends of the band; NaN below two seeds.
        band: what the band is: "min to max", "± standard deviation", "" for none.
    """

    n: int
    mean: float
    low: float
    high: float
    band: str


@dataclass(frozen=True, eq=False)
class Band:
    """Curves of several seeds together; every array has one value per place.

    Attributes:
        n: seeds.
        mean: of those that have a value there.
        low, high: ends of the band; NaN where fewer than two have a value.
        band: as in `Spread`.
    """

    n: int
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    band: str


@dataclass(frozen=True)
class Comparison:
    """Two settings over the seeds they share.

    Attributes:
        a, b: names of the settings.
        n: seeds they share.
        difference: mean of a - b; NaN without a shared seed.
        above, below, equal: in how many a is more, less, and the same.
        p: two-sided p of the exact test, Holm's correction included; NaN where n is below `FEWEST_PAIRS`.
    """

    a: str
    b: str
    n: int
    difference: float
    above: int
    below: int
    equal: int
    p: float

    @property
    def differs(self) -> bool:
        """Whether the test tells them apart at 5 %."""
        return self.p <= LEVEL


def band_name(n: int) -> str:
    """What the band over so many seeds is; "" for one seed."""
    if n < 2:
        return ""
    return "min to max" if n < FEWEST_FOR_DEVIATION else "± standard deviation"


def spread(values: ArrayLike) -> Spread:
    """Mean and band of the finite values of several seeds."""
    given = np.asarray(values, dtype=np.float64)
    found = band(given[np.isfinite(given)].reshape(-1, 1))
    return Spread(found.n, float(found.mean[0]), float(found.low[0]), float(found.high[0]), found.band)


def band(curves: ArrayLike) -> Band:
    """Mean and band of several seeds at every place.

    Args:
        curves: (seeds, places); NaN where a seed has no value.

    Raises:
        ValueError: the array is not two-dimensional.
    """
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"curves must be (seeds, places), got {values.shape}")
    known = np.isfinite(values)
    count = known.sum(axis=0)
    safe = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, safe.sum(axis=0) / count, math.nan)
        squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        deviation = np.sqrt(squares / (count - 1))
    least = np.where(known, values, math.inf).min(axis=0, initial=math.inf)
    most = np.where(known, values, -math.inf).max(axis=0, initial=-math.inf)
    few = len(values) < FEWEST_FOR_DEVIATION
    low = np.where(count < 2, math.nan, least if few else mean - deviation)
    high = np.where(count < 2, math.nan, most if few else mean + deviation)
    return Band(len(values), mean, low, high, band_name(len(values)))


def comparisons(values: Mapping[str, Mapping[int, float]], *, of: str | None = None) -> list[Comparison]:
    """Every pair of settings over the seeds they share, p values corrected for the number of pairs.

    Args:
        values: setting -> seed -> value.
        of: only the pairs with this setting, if that alone is in question.
    """
    pairs = [pair for pair in combinations(values, 2) if of is None or of in pair]
    found = [_compared(a, b, values[a], values[b]) for a, b in pairs]
    corrected = holm([each.p for each in found])
    return [replace(each, p=p) for each, p in zip(found, corrected, strict=True)]


def fewest_seeds(settings: int) -> int:
    """How many shared seeds the exact test needs at least to tell so many settings apart, every pair compared."""
    pairs = settings * (settings - 1) // 2
    return max(FEWEST_PAIRS, math.ceil(math.log2(2 * max(pairs, 1) / LEVEL)))


def exact_p(differences: ArrayLike) -> float:
    """Two-sided p of the mean of paired differences, by changing their signs in every way.

    Args:
        differences: (n,) finite; zeros change nothing and count as pairs.

    Returns:
        The share of sign patterns whose mean is at least as far from zero; counted out for up to 14 pairs that
        are not zero, else over 20,000 seeded draws and the pattern seen. 1 where all are zero.
    """
    given = np.asarray(differences, dtype=np.float64)
    moved = np.abs(given[given != 0])
    if not len(moved):
        return 1.0
    seen = abs(given.sum())
    # Sums in another order differ in the last bits; a tie is a tie.
    enough = seen - 1e-9 * moved.sum()
    if len(moved) <= _MOST_COUNTED_OUT:
        patterns = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ moved) >= enough))
    signs = stream(0, "signs", len(moved)).choice((-1.0, 1.0), size=(_DRAWN, len(moved)))
    return float((1 + np.sum(np.abs(signs @ moved) >= enough)) / (1 + _DRAWN))


def _compared(a: str, b: str, left: Mapping[int, float], right: Mapping[int, float]) -> Comparison:
    shared = [s for s in left if s in right and math.isfinite(left[s]) and math.isfinite(right[s])]
    differences = np.array([left[s] - right[s] for s in shared], dtype=np.float64)
    return Comparison(
        a=a,
        b=b,
        n=len(shared),
        difference=float(differences.mean()) if shared else math.nan,
        above=int((differences > 0).sum()),
        below=int((differences < 0).sum()),
        equal=int((differences == 0).sum()),
        p=exact_p(differences) if len(shared) >= FEWEST_PAIRS else math.nan,
    )


def holm(found: Sequence[float]) -> list[float]:
    """p values corrected by Holm's procedure; NaN stays and does not count."""
    order = sorted((p, index) for index, p in enumerate(found) if math.isfinite(p))
    corrected, highest = list(found), 0.0
    for rank, (p, index) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        corrected[index] = highest
    return corrected


def verdict(found: Comparison, what: str) -> str:
    """One comparison in a sentence that names its test.

    Args:
        found: the comparison.
        what: the number compared, larger is better ("hypervolume after 400 evaluations").
    """
    if not found.n:
        return f"{found.a} and {found.b} share no seed, so nothing is said about which has more {what}."
    up = found.above >= found.below
    ahead, behind = (found.a, found.b) if up else (found.b, found.a)
    equal = f", {found.equal} equal" if found.equal else ""
    counts = f"{ahead} has more {what} than {behind} in {max(found.above, found.below)} of {found.n} equal seeds{equal}"
    if not math.isfinite(found.p):
        return (
            f"{counts}. No verdict: below {FEWEST_PAIRS} shared seeds no test can decide "
            f"(with {found.n}, the exact test's smallest p is {min(1.0, 2 / 2**found.n):.2g})."
        )
    p = f"p = {found.p:.2g}" if found.p >= 0.001 else "p < 0.001"
    if found.differs:
        better = found.a if found.difference > 0 else found.b
        return f"{counts}. {better} is better on average (exact sign-flip test, two-sided, {p})."
    return f"{counts}. A tie (exact sign-flip test, two-sided, {p})."


ASSUMES = (
    "Exact sign-flip test over pairs of runs with equal seeds: if two settings did not differ, each difference could as "
    "well have the other sign; the pairs are taken as independent, nothing else is assumed. p is corrected for the number of pairs compared (Holm)."
)
