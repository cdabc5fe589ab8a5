"""Who won a race, in a sentence: the leader by mean, and of whom the test tells it apart; or that it is a tie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.over_seeds import FEWEST_PAIRS, Comparison, fewest_seeds, spread
from core.words import MINUS


@dataclass(frozen=True)
class Verdict:
    """Who found more.

    Attributes:
        winner: the setting that the test tells apart from every other one; "" for none.
        sentence: plain text; says n and the test.
    """

    winner: str
    sentence: str


def who_won(
    ended: Mapping[str, Mapping[int, float]], verdicts: Sequence[Comparison], *, when: str, share: bool
) -> Verdict | None:
    """Who found more.

    Args:
        ended: setting -> seed -> hypervolume; larger is better.
        verdicts: of every pair of settings.
        when: "after 400 evaluations".
        share: the hypervolumes are shares of the exact front's.

    Returns:
        None where there are fewer than two settings with a search that is done.
    """
    means = {label: spread(list(values.values())).mean for label, values in ended.items() if values}
    if len(means) < 2:
        return None
    leader = max(means, key=means.__getitem__)
    against = [
        each for each in verdicts if leader in (each.a, each.b) and each.a in means and each.b in means
    ]
    beaten = [_other(each, leader) for each in against if each.differs and _lead(each, leader) > 0]
    winner = leader if len(beaten) == len(against) else ""
    if len(means) == 2:
        return Verdict(winner, _of_two(against[0], leader, winner, when, share))
    return Verdict(winner, _of_many(against, leader, beaten, when, share))


def _of_two(each: Comparison, leader: str, winner: str, when: str, share: bool) -> str:
    if not each.n:
        return f"Not decided {when}: {each.a} and {each.b} share no seed."
    ahead = winner or (each.a if each.above >= each.below else each.b)
    more = each.above if ahead == each.a else each.below
    equal = f", {each.equal} equal" if each.equal else ""
    counts = f"more in {more} of {each.n} equal seeds{equal}"
    if not math.isfinite(each.p):
        return f"Not decided {when}: {ahead} has {counts}, and below {FEWEST_PAIRS} equal seeds no test can decide."
    test = f"(exact sign-flip test, two-sided, {_p(each)})"
    if winner:
        return f"{winner} won {when}: {_signed(_lead(each, winner), share)} on average, {counts} {test}."
    who = "" if ahead == leader else f"{ahead} "
    lead = f"{leader} is {_signed(_lead(each, leader), share)} ahead on average"
    return f"A tie {when}: {lead}, {who}{'has ' if who else ''}{counts} {test}."


def _of_many(
    against: Sequence[Comparison], leader: str, beaten: Sequence[str], when: str, share: bool
) -> str:
    n = min(each.n for each in against)
    tied = [_other(each, leader) for each in against if _other(each, leader) not in beaten]
    needed = fewest_seeds(len(against) + 1)
    if n < FEWEST_PAIRS:
        why = f"With {n} shared seeds no test can decide; {len(against) + 1} settings need {needed}"
        return f"Not decided {when}: {leader} has the largest mean. {why}."
    parts = []
    if beaten:
        leads = [
            f"{_other(each, leader)} ({_signed(_lead(each, leader), share)}, {_p(each)})"
            for each in against
            if _other(each, leader) in beaten
        ]
        parts.append(f"better than {', '.join(leads)}")
    if tied:
        ties = [f"{_other(each, leader)} ({_p(each)})" for each in against if _other(each, leader) in tied]
        parts.append(f"a tie with {', '.join(ties)}")
    head = f"{leader} won {when}" if not tied else f"{leader} has the largest mean {when}"
    few = f" With so many settings, {needed} seeds are the fewest that can decide." if n < needed else ""
    return f"{head}: {'; '.join(parts)}; n = {n} equal seeds, exact sign-flip test, two-sided.{few}"


def _other(each: Comparison, one: str) -> str:
    return each.b if each.a == one else each.a


def _lead(each: Comparison, one: str) -> float:
    return each.difference if each.a == one else -each.difference


def _p(each: Comparison) -> str:
    return f"p = {each.p:.2g}" if each.p >= 0.001 else "p < 0.001"


def _signed(value: float, share: bool) -> str:
    size = abs(value) * (100.0 if share else 1.0)
    number = f"{size:.2f} points of the exact hypervolume" if share else f"{size:.4g} of hypervolume"
    return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{number}"
