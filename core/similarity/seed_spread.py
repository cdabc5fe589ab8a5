"""How alike is one network to several others, compared with how alike these are to each other?

Two networks of one architecture, trained on the same data from different seeds, are not equal: what is
left between them is the ceiling for any claim that a third is "the same". Per stage there are

- *shared*: the network in question against each of the others (one value per other),
- *alone*: each pair of the others (what chance of initialization and order leaves between equals),
- *null*: shared, with the samples of one side in random order (where there is nothing to find).

If the mean of *shared* lies in the range of *alone* (from the smallest to the largest value, or within two
standard deviations of their mean, whichever is wider), the difference is smaller than what a seed makes:
a tie. This compares a few values and is not a significance test; every sentence says how many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import Measure, Undefined, as_activations, different_rows, too_few
from core.similarity.comparing import PERMUTATIONS

FEWEST_PAIRS = 3
"""Fewer pairs of seeds have no spread to compare with; three seeds make three pairs."""
_STANDARD_DEVIATIONS = 2.0
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
        _stage(name, (labels or {}).get(name, name), [as_activations(net[name]) for net in (shared, *alone)],
               measure, permutations, seed)
        for name in shared
    ]  # fmt: skip


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
    found = verdict(shared, alone, distance=measure.kind == "distance")
    why = reasons[0] if reasons else ""
    if found is Verdict.UNKNOWN and not why:
        why = too_few_seeds(len(others))
    return StageResult(
        name, label, shared, alone,
        float(np.mean(known)) if known else math.nan, float(np.std(known, ddof=1)) if len(known) > 1 else math.nan,
        subnet.n, subnet.units, found, why,
    )  # fmt: skip


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


def tie_range(values: Sequence[float]) -> tuple[float, float]:
    """From the smallest to the largest value, or two standard deviations around the mean if that is wider."""
    mean, spread = float(np.mean(values)), _STANDARD_DEVIATIONS * float(np.std(values, ddof=1))
    slack = _ROUNDING * max(1.0, abs(mean))
    return min(*values, mean - spread) - slack, max(*values, mean + spread) + slack


def verdict(shared: Sequence[float], alone: Sequence[float], *, distance: bool = False) -> Verdict:
    """Where the mean of `shared` lies in the range of `alone`; NaNs are left out.

    Args:
        shared: one value per seed.
        alone: one value per pair of seeds.
        distance: small values mean alike.
    """
    ours = [v for v in shared if math.isfinite(v)]
    theirs = [v for v in alone if math.isfinite(v)]
    if not ours or len(theirs) < FEWEST_PAIRS:
        return Verdict.UNKNOWN
    low, high = tie_range(theirs)
    mean = float(np.mean(ours))
    if low <= mean <= high:
        return Verdict.AS_ALIKE
    return Verdict.LESS if (mean < low) != distance else Verdict.MORE


def too_few_seeds(n: int) -> str:
    """Why n networks trained alone decide nothing."""
    pairs = n * (n - 1) // 2
    return (
        f"{n} network{'s' * (n != 1)} trained alone make{'s' * (n == 1)} {pairs} pair{'s' * (pairs != 1)} of seeds; "
        f"at least {FEWEST_PAIRS} pairs (3 seeds) are needed to know what a seed changes."
    )


def accuracy_verdict(inside: float, alone: Sequence[float]) -> str:
    """Whether the subnet is more accurate inside the supernet than alone, or seeds differ as much."""
    if len(alone) < FEWEST_PAIRS:
        return "too few seeds to compare"
    low, high = tie_range(alone)
    return "a tie" if low <= inside <= high else "higher inside" if inside > high else "lower inside"


def answer(stages: Sequence[StageResult], measure: str, seeds: Sequence[int]) -> str:
    """The verdict over all stages in words, with what it rests on."""
    said = [s for s in stages if s.verdict is not Verdict.UNKNOWN]
    if not said:
        reason = next((s.reason for s in stages if s.reason), "There is nothing to compare.")
        return f"No verdict: {reason}"
    groups = {v: [s.label for s in said if s.verdict is v] for v in Verdict}
    less, more, total = groups[Verdict.LESS], groups[Verdict.MORE], len(said)
    if not less and not more:
        head = f"Yes, as far as {measure} can tell: at all {total} stages the subnet inside the supernet is as alike to those trained alone as two of them are to each other"
    elif len(less) == total:
        head = f"No: at all {total} stages the subnet inside the supernet is less alike to those trained alone than two of them are to each other"
    else:
        parts = [
            f"{words} at {len(names)} ({', '.join(names)})"
            for names, words in ((less, "less alike than two seeds are"), (more, "more alike"))
            if names
        ]
        ties = len(groups[Verdict.AS_ALIKE])
        head = f"Not everywhere: {' and '.join(parts)} of {total} stages, as alike as two seeds at {ties}"
    pairs = len(seeds) * (len(seeds) - 1) // 2
    left_out = f"; {len(stages) - total} stages have no value" if len(stages) > total else ""
    return (
        f"{head} ({measure}, {said[0].n:,} rows of activations, seeds {', '.join(map(str, seeds))}: "
        f"{len(seeds)} values against {pairs} pairs{left_out})."
    )
