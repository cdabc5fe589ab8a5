"""How alike is one network to several others, compared with how alike these are to each other?

Two networks of one architecture, trained on the same data from different seeds, are not equal: what is
left between them is the ceiling for any claim that a third is "the same". Per stage there are

- *shared*: the network in question against each of the others (one value per other),
- *alone*: each pair of the others (what chance of initialization and order leaves between equals),
- *null*: shared, with the samples of one side in random order (where there is nothing to find).

The pairs of n networks are not independent: each network is in n - 1 of them. So the range in which the
mean of *shared* may lie is that of one more network of the same kind. With pair values mean + e_i + e_j,
a further network's mean differs from the pairs' mean by e_0 - mean(e); the e_i are read from each network's
mean over its pairs, and Student's t for n - 1 degrees of freedom gives the range that holds 19 in 20.
Three networks give a wide range: only large differences can be seen with them, and that is the truth. (Two
standard deviations of the three pair values would call one equal in five different: measured, see the test.)

Source: prediction interval for one further observation; pair values as sums of effects of their members as in
Warner, Kenny and Stoto, "A new round robin analysis of variance for social interaction data", 1979.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import Measure, Undefined, as_activations, different_rows, too_few
from core.similarity.comparing import PERMUTATIONS
from core.words import count_of

FEWEST_SEEDS = 3
"""Two networks make one pair, which has no spread to compare with."""
CONFIDENCE = 0.95
_ROUNDING = 1e-9


class Verdict(StrEnum):
    """What the numbers say about one stage."""

    AS_ALIKE = "as alike as two seeds"
    LESS = "less alike than two seeds are"
    MORE = "more alike than two seeds are"
    UNKNOWN = "cannot be said"


@dataclass(frozen=True)
class StageResult:
    """One stage, or one measure of outputs.

    Attributes:
        layer_id, label: of the stage; name and label of the measure for outputs.
        shared: subnet inside the supernet against each network trained alone; NaN where there is no value.
        alone: each pair of networks trained alone.
        null_mean, null_sd: shared, with the samples of one side in random order.
        n: samples compared.
        units: of the stage.
        expected: where the mean of shared would lie 19 times in 20 if this were one more of the others.
        verdict: what follows.
        reason: why a value or the verdict is missing; "" where none is.
    """

    layer_id: str
    label: str
    shared: tuple[float, ...]
    alone: tuple[float, ...]
    null_mean: float
    null_sd: float
    n: int
    units: int
    expected: tuple[float, float]
    verdict: Verdict
    reason: str


def compare_stages(
    shared: Mapping[str, ArrayLike],
    alone: Sequence[Mapping[str, ArrayLike]],
    measure: Measure,
    *,
    labels: Mapping[str, str] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[StageResult]:
    """Compare equal stages of one network with several others, and these with each other.

    A measure that is not symmetric is taken in both directions and averaged, since none of two networks
    trained alone comes first.

    Args:
        shared: stage -> (n, p) activations of the subnet inside the supernet.
        alone: the same of each network trained alone, on the same samples.
        measure: how.
        labels: stage -> what a person reads.
        permutations: orders of the samples for the null value.
        seed: decides those orders.

    Raises:
        InvalidInput: there is no network trained alone, or one lacks a stage.
    """
    if not alone:
        raise InvalidInput("There is no network trained alone to compare with.")
    if any(set(shared) - set(net) for net in alone):
        raise InvalidInput("A network trained alone lacks a stage of this subnet.")
    return [
        _stage(
            name,
            (labels or {}).get(name, name),
            [as_activations(net[name]) for net in (shared, *alone)],
            measure,
            permutations,
            seed,
        )
        for name in shared
    ]


def _stage(
    name: str, label: str, arrays: list[Any], measure: Measure, permutations: int, seed: int
) -> StageResult:
    sides = [_Prepared(x, measure) for x in arrays]
    subnet, others = sides[0], sides[1:]
    reasons: list[str] = []
    shared = tuple(_value(measure, subnet, other, reasons) for other in others)
    alone = tuple(_value(measure, a, b, reasons) for a, b in combinations(others, 2))
    null = [
        _value(
            measure, subnet, other.shuffled(stream(seed, "null", k, other.n).permutation(other.n)), reasons
        )
        for k in range(permutations)
        for other in others
    ]
    known = [v for v in null if math.isfinite(v)]
    found, expected = judge(shared, alone, distance=measure.kind == "distance")
    why = reasons[0] if reasons else ""
    if found is Verdict.UNKNOWN and not why:
        why = too_few_seeds(len(others))
    return StageResult(
        layer_id=name,
        label=label,
        shared=shared,
        alone=alone,
        null_mean=float(np.mean(known)) if known else math.nan,
        null_sd=float(np.std(known, ddof=1)) if len(known) > 1 else math.nan,
        n=subnet.n,
        units=subnet.units,
        expected=expected,
        verdict=found,
        reason=why,
    )


class _Prepared:
    """One layer as a measure wants it, or why it cannot be."""

    def __init__(self, x: Any, measure: Measure, prepared: Any = None) -> None:
        self.n, self.units, self.reason = len(x), x.shape[1], ""
        self._x, self._measure = x, measure
        self.prepared = prepared
        if prepared is None:
            try:
                self.prepared = measure.prepare(x)
            except Undefined as error:
                self.reason = str(error)

    def shuffled(self, order: Any) -> _Prepared:
        if self.reason:
            return self
        return _Prepared(self._x, self._measure, self._measure.shuffled(self.prepared, order))


def _value(measure: Measure, a: _Prepared, b: _Prepared, reasons: list[str]) -> float:
    """The value of a pair; NaN with a reason added where there is none."""
    least = measure.least_samples(a.units, b.units)
    reason = a.reason or b.reason
    if not reason and a.n != b.n:
        reason = different_rows(a.n, b.n)
    if not reason and a.n < least:
        reason = too_few(measure, a.n, a.units, b.units, least=least)
    if not reason:
        try:
            value = measure.compare(a.prepared, b.prepared)
            if not measure.symmetric:
                value = (value + measure.compare(b.prepared, a.prepared)) / 2
            if math.isfinite(value):
                return float(value)
            reason = f"{measure.label} is not a finite number here."
        except Undefined as error:
            reason = str(error)
    reasons.append(reason)
    return math.nan


def expected_range(alone: Sequence[float]) -> tuple[float, float]:
    """Where one more network's mean value would lie, 19 times in 20.

    Args:
        alone: values of the pairs of at least three networks: 0-1, 0-2, ..., 1-2, ...
    """
    values = np.asarray(alone, dtype=float)
    n = _networks(len(values))
    each = np.zeros(n)
    for (i, j), value in zip(combinations(range(n), 2), values, strict=True):
        each[[i, j]] += value / (n - 1)
    effects = float(np.std(each, ddof=1)) * (n - 1) / (n - 2)
    return _predicted(float(values.mean()), effects, n)


def _predicted(mean: float, spread: float, n: int) -> tuple[float, float]:
    """The range for one more observation after n with this mean and standard deviation."""
    # Local, because it is needed for verdicts only and takes a tenth of a second to import.
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * spread * math.sqrt(1 + 1 / n)
    slack = _ROUNDING * max(1.0, abs(mean))
    return mean - half - slack, mean + half + slack


def _networks(pairs: int) -> int:
    """n of which n (n - 1) / 2 is the number of pairs."""
    n = (1 + math.isqrt(1 + 8 * pairs)) // 2
    if n < FEWEST_SEEDS or n * (n - 1) // 2 != pairs:
        raise InvalidInput(f"{pairs} values are not the pairs of three or more networks.")
    return n


def judge(
    shared: Sequence[float], alone: Sequence[float], *, distance: bool = False
) -> tuple[Verdict, tuple[float, float]]:
    """Whether the mean of `shared` lies where one more network's would, and that range.

    Args:
        shared: one value per network trained alone.
        alone: one value per pair of these; a network without values is left out of both.
        distance: small values mean alike.
    """
    ours, theirs = _complete(shared, alone)
    if len(ours) < FEWEST_SEEDS:
        return Verdict.UNKNOWN, (math.nan, math.nan)
    low, high = expected_range(theirs.tolist())
    mean = float(ours.mean())
    if low <= mean <= high:
        return Verdict.AS_ALIKE, (low, high)
    return (Verdict.LESS if (mean < low) != distance else Verdict.MORE), (low, high)


def _complete(
    shared: Sequence[float], alone: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of the networks that have all of theirs; the one that lacks most goes first."""
    pairs = list(combinations(range(len(shared)), 2))
    table = np.full((len(shared), len(shared)), math.nan)
    for (i, j), value in zip(pairs, alone, strict=True):
        table[i, j] = table[j, i] = value
    np.fill_diagonal(table, shared)
    kept = list(range(len(shared)))
    while kept and (missing := ~np.isfinite(table[np.ix_(kept, kept)])).any():
        # A missing value of its own weighs more than one it shares.
        kept.pop(int(np.argmax(missing.sum(1) + len(kept) * missing.diagonal())))
    rows = table[np.ix_(kept, kept)]
    return rows.diagonal(), rows[np.triu_indices(len(kept), 1)]


def too_few_seeds(n: int) -> str:
    """Why n networks trained alone decide nothing."""
    return (
        f"{count_of(n, 'network')} trained alone cannot show what a seed changes; "
        f"at least {FEWEST_SEEDS} seeds are needed."
    )


def accuracy_verdict(inside: float, alone: Sequence[float]) -> str:
    """Whether the subnet is more accurate inside the supernet than one more network trained alone would be."""
    if len(alone) < FEWEST_SEEDS:
        return "too few seeds to compare"
    low, high = _predicted(float(np.mean(alone)), float(np.std(alone, ddof=1)), len(alone))
    return "a tie" if low <= inside <= high else "higher inside" if inside > high else "lower inside"


def answer(stages: Sequence[StageResult], measure: str, seeds: Sequence[int]) -> str:
    """The verdict over all stages in words, with what it rests on and what it could not have seen."""
    said = [s for s in stages if s.verdict is not Verdict.UNKNOWN]
    if not said:
        reason = next((s.reason for s in stages if s.reason), "There is nothing to compare.")
        return f"No verdict: {reason}"
    groups = {v: [s for s in said if s.verdict is v] for v in Verdict}
    ties, total = groups[Verdict.AS_ALIKE], len(said)
    if len(ties) == total:
        head = f"No difference seen: at all {total} stages the subnet inside the supernet is as alike to those trained alone as these are to each other"
    elif len(groups[Verdict.LESS]) == total:
        head = f"It differs: at all {total} stages the subnet inside the supernet is less alike to those trained alone than these are to each other"
    else:
        parts = [
            f"{words} at {len(groups[v])} of {total} stages ({', '.join(s.label for s in groups[v])})"
            for v, words in (
                (Verdict.LESS, "less alike than two seeds are"),
                (Verdict.MORE, "more alike than two seeds are"),
            )
            if groups[v]
        ]
        head = f"It differs in part: {' and '.join(parts)}, as alike at {len(ties)} (chance alone would call 1 stage in 20 different)"
    pairs = len(seeds) * (len(seeds) - 1) // 2
    unseen = f" With these seeds, {_blind(ties)}." if ties else ""
    left_out = f" {len(stages) - total} of the stages have no value." if len(stages) > total else ""
    return (
        f"{head}. Measured by {measure} on {said[0].n:,} rows of activations, seeds {', '.join(map(str, seeds))}: "
        f"{len(seeds)} values against {pairs} pairs.{unseen}{left_out}"
    )


def _blind(ties: Sequence[StageResult]) -> str:
    """How large a difference could have been missed: half the expected range, from stage to stage."""
    halves = [(s.expected[1] - s.expected[0]) / 2 for s in ties]
    low, high = f"{min(halves):.2f}", f"{max(halves):.2f}"
    return f"a difference below {high if low == high else f'{low} to {high} (by stage)'} does not show"
