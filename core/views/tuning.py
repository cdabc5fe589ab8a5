"""One subnet in four ways: as it is shared, tuned, from scratch for as long, and trained alone at full length.

The page never claims that sharing yields better networks: it says how much of what tuning gains the same network gets
from scratch in the same time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.library.alone import JUDGED, AloneNet
from core.library.tuned import TunedNet
from core.objectives.base import objective
from core.over_seeds import Spread, comparisons, spread, verdict
from core.words import count_of, format_interval, format_seconds, format_share, format_value

SHARED, TUNED, SCRATCH, ALONE = "as shared", "tuned", "from scratch, as long", "alone, full length"


@dataclass(frozen=True)
class Way:
    """What one way of getting the network yields.

    Attributes:
        name: of the way.
        epochs: of its own training; 0 for the subnet as it is shared.
        seconds: of one training, on average; NaN for none.
        accuracy, test_accuracy: over seeds.
        seeds: these, ascending.
    """

    name: str
    epochs: int
    seconds: float
    accuracy: Spread
    test_accuracy: Spread
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Tuning:
    """What tuning a subnet does.

    Attributes:
        ways: as shared first; ways that were not tried are missing.
        gain: test accuracy tuned minus as shared; NaN without either.
        of_training: what training from scratch for as long gains over the subnet as shared; NaN without it.
        short: how far below training alone the subnet is as shared, and tuned; NaN without it.
        verdict: whether tuned and from scratch differ, by equal seeds; "" where there is nothing to compare.
        best: id of the tuned network with the highest validation accuracy; "" for none.
    """

    ways: tuple[Way, ...]
    gain: float
    of_training: float
    short: tuple[float, float]
    verdict: str
    best: str

    def way(self, name: str) -> Way | None:
        """One of them; None where it was not tried."""
        return next((each for each in self.ways if each.name == name), None)


def told(nets: Sequence[TunedNet], alone: Sequence[AloneNet] = ()) -> Tuning:
    """What a tuning found.

    Args:
        nets: of one run, at least one.
        alone: the same architecture trained alone at full length, one per seed.
    """
    inside = nets[0].inside
    tuned = [net for net in nets if net.start == "tuned"]
    scratch = [net for net in nets if net.start == "scratch"]
    one = spread([inside[JUDGED]])
    ways = [Way(SHARED, 0, math.nan, spread([inside["accuracy"]]), one, ())]
    ways += [
        _way(name, found) for name, found in ((TUNED, tuned), (SCRATCH, scratch), (ALONE, alone)) if found
    ]
    by_name = {each.name: each.test_accuracy.mean for each in ways}
    base, full = by_name[SHARED], by_name.get(ALONE, math.nan)
    differ = comparisons(
        {
            "tuning": {net.seed: net.test_accuracy for net in tuned},
            "training from scratch": {net.seed: net.test_accuracy for net in scratch},
        }
    )[0]
    return Tuning(
        ways=tuple(ways),
        gain=by_name.get(TUNED, math.nan) - base,
        of_training=by_name.get(SCRATCH, math.nan) - base,
        short=(full - base, full - by_name.get(TUNED, math.nan)),
        verdict=_capital(verdict(differ, "test accuracy")) if differ.n else "",
        best=max(tuned, key=lambda net: net.accuracy).model_id if tuned else "",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _way(name: str, nets: Sequence[TunedNet] | Sequence[AloneNet]) -> Way:
    return Way(
        name,
        nets[0].epochs,
        sum(net.seconds for net in nets) / len(nets),
        spread([net.accuracy for net in nets]),
        spread([net.test_accuracy for net in nets]),
        tuple(sorted(net.seed for net in nets)),
    )


def sentence(found: Tuning) -> str:
    """What tuning gains, and how much of it is training that any network of this shape would have had."""
    goal = objective(JUDGED)
    tuned = found.way(TUNED)
    if tuned is None:
        return "Nothing is tuned yet."
    moved = _points(found.gain)
    said = f"Tuning for {count_of(tuned.epochs, 'epoch')} changes test accuracy by {moved} (n = {tuned.test_accuracy.n})."
    scratch = found.way(SCRATCH)
    if scratch is not None:
        reached = format_value(scratch.test_accuracy.mean, goal)
        if found.gain > 0 and found.of_training > 0:
            said += (
                f" The same network from scratch reaches {reached} in as many epochs: {_share(found)} of the gain is "
                "training, which needs no supernet."
            )
        else:
            said += f" The same network from scratch reaches {reached} in as many epochs."
    if math.isfinite(found.short[0]):
        said += (
            f" Trained alone at full length it is {_above(found.short[0])} the subnet as shared and {_above(found.short[1])} "
            "the tuned one."
        )
    return said


def _share(found: Tuning) -> str:
    share = found.of_training / found.gain
    return "all" if share >= 1 else format_share(share)


def _above(short: float) -> str:
    return f"{abs(100 * short):.1f} points {'above' if short >= 0 else 'below'}"


def _points(value: float) -> str:
    return format_value(value, objective(JUDGED), signed=True)


def rows(found: Tuning) -> list[dict[str, str]]:
    """The ways as cells for people, with the band over seeds and n."""
    return [
        {
            "way": each.name + (f", {count_of(each.epochs, 'epoch')}" if each.epochs else ""),
            "test accuracy": _told(each.test_accuracy),
            "n": str(len(each.seeds)) if each.seeds else "",
            "each took": format_seconds(each.seconds),
        }
        for each in found.ways
    ]


def how_tuned(nets: Sequence[TunedNet], found: Tuning) -> str:
    """What the rows are."""
    tuned = next((net for net in nets if net.start == "tuned"), nets[0])
    scratch = next((net for net in nets if net.start == "scratch"), None)
    taught = "labels and the largest subnet as teachers" if tuned.teacher else "labels as the only teacher"
    beside = (
        f" From scratch: the same samples in the same order, the same teachers, learning rate {scratch.learning_rate:g}."
        if scratch
        else ""
    )
    bands = {each.test_accuracy.band for each in found.ways} - {""}
    between = f" In brackets: {' or '.join(sorted(bands))} over seeds." if bands else ""
    return f"Tuned at learning rate {tuned.learning_rate:g}, {taught}.{beside}{between} n: seeds."


def _told(found: Spread) -> str:
    goal = objective(JUDGED)
    mean = format_value(found.mean, goal)
    return f"{mean} ({format_interval(found.low, found.high, goal)})" if found.n > 1 else mean


def as_text(found: Tuning) -> str:
    """The ways and the sentence, for a terminal."""
    lines = [f"{row['way']:34} test {row['test accuracy']:>24}  {row['each took']:>8}" for row in rows(found)]
    return "\n".join([*lines, sentence(found), found.verdict]).rstrip()
