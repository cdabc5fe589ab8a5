"""Which training is better, in a sentence; or that they cannot be told apart, or that nothing can be said yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.chance.few_seeds import FEWEST, Values
from core.objectives.base import objective
from core.over_seeds import FEWEST_PAIRS, Comparison
from core.words import count_of, format_value

RULE = (
    "The rule: of each training the mean test accuracy of its measured subnets is taken; two methods are compared over "
    f"the seeds they share, which gave both the same first weights. From {FEWEST_PAIRS} seeds on by the exact sign-flip test, "
    f"with {FEWEST} to {FEWEST_PAIRS - 1} by Student's t of the paired differences, which takes these as normal; p is corrected "
    "for all pairs compared (Holm). Below 5 % the methods differ, otherwise they cannot be told apart. With two seeds "
    "there is no verdict, with one nothing is known of chance. The same test samples serve all: other samples, another "
    "data set or another budget may decide otherwise."
)


@dataclass(frozen=True)
class Verdict:
    """Who trained better subnets.

    Attributes:
        winner: the method that the test tells from every other one; "" for none.
        sentence: plain text.
    """

    winner: str
    sentence: str


def verdict(values: Values, pairs: Sequence[Comparison], *, subnets: int, of: int) -> Verdict:
    """Who trained better subnets.

    Args:
        values: method -> seed -> mean test accuracy.
        pairs: of every two methods, with corrected p.
        subnets: measured ones.
        of: architectures of the space.
    """
    means = {label: float(np.mean([*own.values()])) for label, own in values.items()}
    if len(means) < 2:
        return Verdict("", "One method has been trained so far; there is nothing to compare it with yet.")
    leader = max(means, key=means.__getitem__)
    against = [each for each in pairs if leader in (each.a, each.b)]
    which = (
        f"all {count_of(of, 'subnet')}"
        if subnets == of
        else f"{count_of(subnets, 'subnet')} spread over MACs"
    )
    n = min(each.n for each in against)
    if n == 0:
        return Verdict("", "Not decided yet: the methods share no seed that is done.")
    if n < FEWEST:
        return Verdict("", _undecided(against, leader, n, which))
    beaten = [each for each in against if each.differs and _lead(each, leader) > 0]
    tied = [each for each in against if each not in beaten]
    test = "exact sign-flip test" if n >= FEWEST_PAIRS else "Student's t"
    if not tied:
        told = "; ".join(_told(each, leader) for each in beaten)
        return Verdict(
            leader,
            f"{leader} is better than {told}: mean test accuracy of {which}, {n} equal seeds, {test}.",
        )
    apart = " and ".join(f"{_other(each, leader)} ({_told_tie(each, leader)})" for each in tied)
    if not beaten:
        return Verdict(
            "",
            f"Cannot be told apart: {leader} has the highest mean test accuracy of {which}, but the seeds do not tell it from "
            f"{apart}; {n} equal seeds, {test}.",
        )
    told = "; ".join(_told(each, leader) for each in beaten)
    return Verdict(
        "",
        f"{leader} has the highest mean test accuracy of {which}: better than {told}; it cannot be told apart from {apart}; "
        f"{n} equal seeds, {test}.",
    )


def _undecided(against: Sequence[Comparison], leader: str, n: int, which: str) -> str:
    leads = ", ".join(f"{_points(_lead(each, leader))} against {_other(each, leader)}" for each in against)
    ahead = f"{leader} is ahead in the mean test accuracy of {which}: {leads}"
    if n == 1:
        return f"{ahead}. One seed says nothing about chance: another seed may turn this around."
    same = all(_times(each, leader) == each.n for each in against)
    both = "in both seeds" if same else "but not in both seeds"
    return f"Not decided: {ahead}, {both}. Two seeds cannot tell that from chance; {FEWEST} are the fewest that can."


def _told(each: Comparison, leader: str) -> str:
    return f"{_other(each, leader)} ({_points(_lead(each, leader))}, in {_times(each, leader)} of {each.n} seeds, {_p(each)})"


def _told_tie(each: Comparison, leader: str) -> str:
    p = f", {_p(each)}" if math.isfinite(each.p) else ""
    return f"{_points(_lead(each, leader))}, ahead in {_times(each, leader)} of {each.n} seeds{p}"


def _other(each: Comparison, one: str) -> str:
    return each.b if each.a == one else each.a


def _lead(each: Comparison, one: str) -> float:
    return each.difference if each.a == one else -each.difference


def _times(each: Comparison, one: str) -> int:
    return each.above if each.a == one else each.below


def _points(value: float) -> str:
    return format_value(value, objective("test_accuracy"), signed=True)


def _p(each: Comparison) -> str:
    return f"p = {each.p:.2g}" if each.p >= 0.001 else "p < 0.001"
