"""What an order by importance gained over a random one, and what training alone gives: three subnets in five ways.

Differences are of test accuracy, over equal seeds; whether two ways differ is decided by the rule of few seeds
(`core.chance.few_seeds`), corrected for all questions that are asked here. Below three seeds there is no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.chance.few_seeds import FEWEST, Values, compared_all
from core.library.order_controls import (
    ALONE,
    CUT,
    CUT_RANDOM,
    SIZES,
    TUNED,
    TUNED_RANDOM,
    WAYS,
    OrderControlsRecord,
)
from core.objectives.base import objective
from core.over_seeds import Comparison, Spread, spread
from core.words import count_of, format_seconds, format_share, format_value

JUDGED = "test_accuracy"
"""Nothing is chosen by it here."""
_QUESTIONS = (
    (CUT, CUT_RANDOM, "Without tuning, ordering by importance"),
    (TUNED, TUNED_RANDOM, "After InstaTune, ordering by importance"),
    (TUNED, ALONE, "InstaTune"),
)
_OVER = {
    CUT_RANDOM: "over a random order",
    TUNED_RANDOM: "over a random order",
    ALONE: "over training alone as long",
}
RULE = (
    "Over equal seeds, of test accuracy: from three to five seeds Student's t of the paired differences, from six on the exact "
    "sign-flip test, corrected for all these questions (Holm). Differences smaller than one test sample are none."
)


@dataclass(frozen=True)
class WayReached:
    """One subnet in one way.

    Attributes:
        way: how it was got.
        size: place in `SIZES`.
        test_accuracy: over seeds.
        seconds: of the training behind it, on average; NaN for none.
        epochs: of it, on average; 0 for none.
    """

    way: str
    size: int
    test_accuracy: Spread
    seconds: float
    epochs: float


@dataclass(frozen=True)
class Gain:
    """What one way gained over another for one subnet.

    Attributes:
        what: gained, for people.
        over: what it is compared with.
        size: place in `SIZES`.
        comparison: over the seeds they share; p is NaN where that is too few.
    """

    what: str
    over: str
    size: int
    comparison: Comparison

    @property
    def ruling(self) -> str:
        """ "gain", "loss", "tie", or "" where there are too few seeds for one."""
        if not math.isfinite(self.comparison.p):
            return ""
        if not self.comparison.differs:
            return "tie"
        return "gain" if self.comparison.difference > 0 else "loss"


@dataclass(frozen=True)
class OrderControls:
    """What a run found.

    Attributes:
        ways: every subnet in every way that is done.
        gains: by question, then by size.
        given: test accuracy of the given network.
        macs: of the three subnets.
        criterion: of the order.
        n: seeds that are done in every way.
        asked: seeds asked for.
    """

    ways: tuple[WayReached, ...]
    gains: tuple[Gain, ...]
    given: float
    macs: tuple[float, ...]
    criterion: str
    n: int
    asked: int

    def way(self, name: str, size: int) -> WayReached | None:
        """One of them; None where it is not done."""
        return next((each for each in self.ways if (each.way, each.size) == (name, size)), None)


def order_controls(record: OrderControlsRecord) -> OrderControls:
    """What a run found so far."""
    ways = tuple(
        _reached(record, way, size) for way in WAYS for size in range(len(SIZES)) if record.of(way, size)
    )
    asked = [
        (what, over, base, size)
        for over, base, what in _QUESTIONS
        for size in range(len(SIZES))
        if record.of(over, size) and record.of(base, size)
    ]
    questions: list[Values] = [
        {way: _values(record, way, size) for way in (over, base)} for _, over, base, size in asked
    ]
    found = compared_all(questions, grain=1 / max(1, record.samples[1])) if questions else []
    gains = tuple(
        Gain(what, _OVER[base], size, pair)
        for (what, _, base, size), (pair,) in zip(asked, found, strict=True)
    )
    everywhere = WAYS if record.alone else WAYS[:-1]
    seeds = [set(record.of(way, size)) for way in everywhere for size in range(len(SIZES))]
    return OrderControls(
        ways=ways,
        gains=gains,
        given=record.given,
        macs=record.macs,
        criterion=record.criterion,
        n=len(set.intersection(*seeds)),
        asked=len(record.seeds),
    )


def _values(record: OrderControlsRecord, way: str, size: int) -> dict[int, float]:
    return {seed: each.test_accuracy for seed, each in record.of(way, size).items()}


def _reached(record: OrderControlsRecord, way: str, size: int) -> WayReached:
    found = record.of(way, size)
    trained = [each for each in found.values() if each.epochs]
    n = max(1, len(trained))
    return WayReached(
        way=way,
        size=size,
        test_accuracy=spread(list(_values(record, way, size).values())),
        seconds=sum(each.seconds for each in trained) / n if trained else math.nan,
        epochs=sum(each.epochs for each in trained) / n,
    )


def sentences(found: OrderControls) -> list[str]:
    """One sentence per question: what was gained at each size, with the number of seeds and the ruling."""
    said = []
    for what, over in dict.fromkeys((gain.what, gain.over) for gain in found.gains):
        own = [gain for gain in found.gains if (gain.what, gain.over) == (what, over)]
        parts = [
            f"{_points(gain.comparison.difference)} for the {SIZES[gain.size]}{_ruled(gain)}" for gain in own
        ]
        n = own[0].comparison.n
        said.append(f"{what} gained {over}, in test accuracy ({count_of(n, 'seed')}): {_listed(parts)}.")
    if said and found.n < FEWEST:
        said.append(f"No verdict: that takes {FEWEST} seeds.")
    return said


def _ruled(gain: Gain) -> str:
    return f" ({gain.ruling})" if gain.ruling else ""


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _points(value: float) -> str:
    return format_value(value, objective(JUDGED), signed=True)


def rows(found: OrderControls) -> list[dict[str, str]]:
    """Ways down, subnets across: mean, band and n as cells for people."""
    table = []
    for way in dict.fromkeys(each.way for each in found.ways):
        cells = {"way": way}
        for size, label in enumerate(SIZES):
            each = found.way(way, size)
            cells[f"{label}, {found.macs[size] / 1e6:.2f} M MACs"] = "" if each is None else _cell(each)
        first = next(each for each in found.ways if each.way == way)
        trained = [each for each in found.ways if each.way == way and math.isfinite(each.seconds)]
        cells["n"] = str(first.test_accuracy.n)
        cells["each took"] = format_seconds(sum(e.seconds for e in trained) / len(trained)) if trained else ""
        table.append(cells)
    return table


def _cell(each: WayReached) -> str:
    shown = each.test_accuracy
    band = (
        f" ({format_share(shown.low, 1)} to {format_share(shown.high, 1)})"
        if math.isfinite(shown.low)
        else ""
    )
    return f"{format_share(shown.mean, 1)}{band}"


def csv(record: OrderControlsRecord) -> bytes:
    """A row per way, subnet and seed."""
    lines = ["way,subnet,architecture,macs,params,seed,accuracy,test_accuracy,seconds,epochs"]
    for each in record.reached:
        of = (record.arch_ids[each.size], f"{record.macs[each.size]:.0f}", f"{record.params[each.size]:.0f}")
        numbers = (each.seed, each.accuracy, each.test_accuracy, each.seconds, each.epochs)
        lines.append(",".join([f'"{each.way}"', SIZES[each.size], *of, *map(str, numbers)]))
    return ("\n".join(lines) + "\n").encode()
