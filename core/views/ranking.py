"""The ranking check in numbers and words: how far the supernet's order is that of training alone, and how sure that is.

The supernet's order is the one a search sees, by validation accuracy; the truth is the test accuracy of training alone,
so no sample counts on both sides. What tau could be at best is the tau of one more training alone, judged in the same
way: its validation accuracies against the test accuracies of the other seeds. Both are compared on the same resamples
of the subnets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.chance.rank_intervals import middle, resampled_kendall
from core.library.ranking import FEWEST
from core.library.ranking_check import RankingRecord
from core.over_seeds import Spread, spread
from core.rank_correlation import kendall
from core.words import MINUS, format_count

DRAWS = 1000
CLASSED = 12
"""Subnets from which on regret is also said by thirds of the cost."""
_CLASSES = ("the cheapest third", "the middle third", "the dearest third")

CANNOT_TELL, NO_ORDER, IN_PART, AS_GOOD, BETTER = "cannot tell", "no order", "in part", "as good", "better"
RULE = (
    f"Rule: below {FEWEST} subnets, or with one seed, nothing is said. Else the 95 % interval of tau is held against 0, and "
    "that of the difference between the supernet and one more training alone, as judges of the other seeds, against 0. "
    "Tau is below 0, or holds 0 and the difference is below: no order. Both hold 0: cannot tell. Tau is above 0 and the difference below: in part. Tau is above 0 "
    "and the difference holds 0: the order is there, and whether sharing costs some of it cannot be told. Intervals: the "
    f"subnets drawn anew {format_count(DRAWS)} times."
)
NEAR_RULE = "the half of the subnets whose validation accuracy in the supernet lies least far below the front at their cost"


@dataclass(frozen=True)
class Tau:
    """Kendall's tau-b.

    Attributes:
        value: None where there is no order.
        low, high: 95 % interval, subnets drawn anew; NaN where there is none.
        n: subnets.
    """

    value: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Regret:
    """What it costs to believe the supernet: how much worse its pick is, trained alone, than the best.

    Attributes:
        of: which subnets.
        n: how many.
        pick, best: ids of the subnet with the highest accuracy in the supernet, and trained alone.
        regret: test accuracy of the best minus that of the pick, both alone; a fraction. The best of noisy means is
            taken, so even a perfect judge has some.
        one_training: the same for a pick by one training alone, judged by the other seeds; NaN with one seed.
        random: the same for a subnet drawn at random, on average.
    """

    of: str
    n: int
    pick: str
    best: str
    regret: float
    one_training: float
    random: float


@dataclass(frozen=True)
class Verdict:
    """What follows.

    Attributes:
        kind: one of "cannot tell", "no order", "in part", "as good", "better".
        headline: in a sentence.
        why: the numbers behind it, "" for none.
    """

    kind: str
    headline: str
    why: str = ""

    @property
    def sentence(self) -> str:
        """Both."""
        return f"{self.headline} {self.why}".strip()


@dataclass(frozen=True)
class Point:
    """One subnet with a network trained alone.

    Attributes:
        arch_id: of the subnet.
        inside, inside_test: accuracies with the supernet's weights.
        alone: test accuracies of the seeds together.
        seeds: test accuracy of each seed; NaN where that is missing.
        cost, gap: of the subnet; see `CheckedSubnet`.
        near: whether it is near the front.
    """

    arch_id: str
    inside: float
    inside_test: float
    alone: Spread
    seeds: tuple[float, ...]
    cost: float
    gap: float
    near: bool


@dataclass(frozen=True)
class RankingCheck:
    """A ranking check, computed.

    Attributes:
        points: subnets with at least one network, in order of cost.
        asked: subnets of the check.
        nets, nets_asked: networks trained alone.
        seeds: asked for.
        tau: of the supernet's validation accuracies and the mean test accuracies alone.
        near: the same near the front.
        ceiling: mean tau of one training alone and the mean of the others, of subnets with every seed; None with one seed.
        judge: the supernet's, judged as the ceiling is.
        apart: 95 % interval of judge minus ceiling.
        regrets: over all, and by thirds of the cost where there are enough.
        noise: standard deviation of test accuracy between seeds of one architecture; NaN with one seed.
        verdict: what follows.
    """

    points: tuple[Point, ...]
    asked: int
    nets: int
    nets_asked: int
    seeds: tuple[int, ...]
    tau: Tau
    near: Tau
    ceiling: Tau | None
    judge: Tau | None
    apart: tuple[float, float]
    regrets: tuple[Regret, ...]
    noise: float
    verdict: Verdict


def tau_of(judge: ArrayLike, truth: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> Tau:
    """Kendall's tau-b of (n,) judgments and (n,) truths with its interval; what is not finite is left out."""
    pairs = np.stack([np.asarray(judge, float), np.asarray(truth, float)])
    one, other = pairs[:, np.isfinite(pairs).all(axis=0)]
    value = kendall(one, other)
    if value is None:
        return Tau(None, math.nan, math.nan, len(one))
    low, high = middle(resampled_kendall(one, other, draws=draws, seed=seed))
    return Tau(value, low, high, len(one))


def ranking_check(record: RankingRecord, *, draws: int = DRAWS) -> RankingCheck:
    """Everything that is said of a check, finished or not."""
    order = sorted(range(len(record.subnets)), key=lambda at: (record.subnets[at].cost, at))
    subnets = [record.subnets[at] for at in order]
    validation, test = _by_seed(record, [each.arch_id for each in subnets])
    there = [bool(np.isfinite(row).any()) for row in test]
    subnets = [each for each, known in zip(subnets, there, strict=True) if known]
    validation, test = validation[there], test[there]
    inside = np.array([each.accuracy for each in subnets])
    truth = np.array([float(np.mean(row[np.isfinite(row)])) for row in test])
    gap = np.array([each.gap for each in subnets])
    near: NDArray[np.bool_] = np.asarray(gap <= (np.median(gap) if len(gap) else 0.0), bool)
    tau = tau_of(inside, truth, draws=draws)
    complete = np.isfinite(test).all(axis=1)
    ceiling, judge, apart = _ceiling(inside[complete], validation[complete], test[complete], draws)
    return RankingCheck(
        points=tuple(
            Point(
                arch_id=each.arch_id,
                inside=each.accuracy,
                inside_test=each.test_accuracy,
                alone=spread(test[at]),
                seeds=tuple(test[at].tolist()),
                cost=each.cost,
                gap=each.gap,
                near=bool(near[at]),
            )
            for at, each in enumerate(subnets)
        ),
        asked=len(record.subnets),
        nets=int(np.isfinite(test).sum()),
        nets_asked=len(record.wanted),
        seeds=record.seeds,
        tau=tau,
        near=tau_of(inside[near], truth[near], draws=draws),
        ceiling=ceiling,
        judge=judge,
        apart=apart,
        regrets=_regrets([each.arch_id for each in subnets], inside, validation, test),
        noise=_noise(test),
        verdict=_verdict(record, tau, ceiling, judge, apart),
    )


def _by_seed(
    record: RankingRecord, arch_ids: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, seeds) accuracies alone on validation and test samples; where a table is the truth both are its columns."""
    rows = {arch_id: at for at, arch_id in enumerate(arch_ids)}
    columns = {seed: at for at, seed in enumerate(record.seeds)}
    found = np.full((2, len(rows), len(columns)), np.nan)
    for net in record.nets:
        place = rows[net.arch_id], columns[net.seed]
        found[(0, *place)] = net.test_accuracy if net.accuracy is None else net.accuracy
        found[(1, *place)] = net.test_accuracy
    return found[0], found[1]


def _ceiling(
    inside: NDArray[np.float64], validation: NDArray[np.float64], test: NDArray[np.float64], draws: int
) -> tuple[Tau | None, Tau | None, tuple[float, float]]:
    """Each seed in turn, and the supernet, judge the mean of the other seeds; on equal resamples."""
    n, seeds = test.shape
    nothing = (None, None, (math.nan, math.nan))
    if seeds < 2:
        return nothing
    values, drawn = [], []
    for at in range(seeds):
        others = np.delete(test, at, axis=1).mean(axis=1)
        for judge in (validation[:, at], inside):
            value = kendall(judge, others)
            if value is None:
                return nothing
            values.append(value)
            drawn.append(resampled_kendall(judge, others, draws=draws))
    one, supernet = (np.mean(drawn[start::2], axis=0) for start in (0, 1))
    return (
        Tau(float(np.mean(values[0::2])), *middle(one), n),
        Tau(float(np.mean(values[1::2])), *middle(supernet), n),
        middle(supernet - one),
    )


def _noise(test: NDArray[np.float64]) -> float:
    """Standard deviation between seeds, pooled over the subnets."""
    known = np.isfinite(test)
    count = known.sum(axis=1)
    several = count > 1
    if not several.any():
        return math.nan
    safe = np.where(known, test, 0.0)[several]
    means = safe.sum(axis=1) / count[several]
    squares = (np.where(known[several], safe - means[:, None], 0.0) ** 2).sum()
    return float(math.sqrt(squares / (count[several] - 1).sum()))


def _regrets(
    arch_ids: Sequence[str],
    inside: NDArray[np.float64],
    validation: NDArray[np.float64],
    test: NDArray[np.float64],
) -> tuple[Regret, ...]:
    n = len(arch_ids)
    if n < 2:
        return ()
    parts = [("all of them", np.arange(n))]
    if n >= CLASSED:
        parts += list(zip(_CLASSES, np.array_split(np.arange(n), len(_CLASSES)), strict=True))
    return tuple(_regret(of, at, arch_ids, inside, validation, test) for of, at in parts)


def _regret(
    of: str,
    at: NDArray[np.int64],
    arch_ids: Sequence[str],
    inside: NDArray[np.float64],
    validation: NDArray[np.float64],
    test: NDArray[np.float64],
) -> Regret:
    mine = test[at]
    truth = np.array([float(np.mean(row[np.isfinite(row)])) for row in mine])
    pick, best = int(np.argmax(inside[at])), int(np.argmax(truth))
    one = math.nan
    if mine.shape[1] > 1 and np.isfinite(mine).all():
        others = [np.delete(mine, seed, axis=1).mean(axis=1) for seed in range(mine.shape[1])]
        picks = validation[at].argmax(axis=0)
        one = float(np.mean([o.max() - o[picks[seed]] for seed, o in enumerate(others)]))
    return Regret(
        of=of,
        n=len(at),
        pick=arch_ids[at[pick]],
        best=arch_ids[at[best]],
        regret=float(truth[best] - truth[pick]),
        one_training=one,
        random=float(truth[best] - truth.mean()),
    )


def _verdict(
    record: RankingRecord, tau: Tau, ceiling: Tau | None, judge: Tau | None, apart: tuple[float, float]
) -> Verdict:
    n = tau.n
    if n < FEWEST or tau.value is None:
        few = f"{n} subnet{'s are' if n != 1 else ' is'} too few, {FEWEST} are the fewest"
        why = few if n < FEWEST else "the subnets do not differ"
        return Verdict(CANNOT_TELL, f"Cannot tell how good the order is: {why}.")
    told = f"Tau is {signed(tau.value)} ({interval(tau.low, tau.high)})"
    above = tau.low > 0
    if tau.high < 0:
        return Verdict(NO_ORDER, "Do not believe its order: it is worse than chance.", f"{told}.")
    if ceiling is None or judge is None or not math.isfinite(apart[0]):
        order = "better than chance" if above else "one that chance may have made"
        of = "one column" if record.truth else "one seed"
        return Verdict(
            CANNOT_TELL,
            f"Cannot tell how good the order is: {of} has no ceiling to hold it against.",
            f"{told}: the order is {order}.",
        )
    one = "one column" if record.truth else "one more training alone"
    why = (
        f"{told}. As judges of the other seeds, {one} gets {signed(ceiling.value)} and the supernet {signed(judge.value)} "
        f"(difference {interval(*apart)})."
    )
    if not above and apart[1] >= 0:
        headline = "Cannot tell: chance is not ruled out, and the ceiling is within reach. Take more subnets."
        return Verdict(CANNOT_TELL, headline, why)
    if not above:
        return Verdict(NO_ORDER, "Do not believe its order: it is no better than chance.", why)
    if apart[1] < 0:
        headline = (
            "Believe its order in part: it is better than chance, but sharing weights costs some of it."
        )
        return Verdict(IN_PART, headline, why)
    if apart[0] > 0:
        return Verdict(BETTER, "Believe its order more than that of one training alone.", why)
    headline = (
        f"Its order is better than chance; whether sharing weights costs some of it, {n} subnets cannot tell."
    )
    return Verdict(AS_GOOD, headline, why)


def signed(value: float | None) -> str:
    """A rank correlation with its sign: `+0.62`."""
    return "none" if value is None else f"{value:+.2f}".replace("-", MINUS)


def interval(low: float, high: float) -> str:
    """`+0.31 to +0.84`."""
    return f"{signed(low)} to {signed(high)}" if math.isfinite(low) else "no interval"
