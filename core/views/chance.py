"""How sure the front is, in words and rows: for the card, below the chart, in the table, for two subnets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.chance.intervals import PairedTest
from core.library.chance import FrontChance
from core.library.correct import accuracy_interval
from core.objectives.base import objective
from core.records import Objective
from core.words import format_count, format_interval, format_share, format_value

if TYPE_CHECKING:
    import pandas as pd

_FIXED = "\N{NO-BREAK SPACE}"
DRAWN = "Large dots are sure, small ones owe their place to luck; the broad line is the sure steps."
LUCK = "A search picks the best of what it measured, so its front looks better than it is."
METHOD = "95 % intervals (Wilson)"


@dataclass(frozen=True)
class Samples:
    """How many samples accuracies were measured on, and what a sample is called.

    Attributes:
        by_name: objective -> samples; objectives that are no shares of samples are missing.
        word: "images", ...
        caveat: a sentence on why the intervals are wider in truth; "" where they are not.
    """

    by_name: Mapping[str, int]
    word: str = "samples"
    caveat: str = ""

    def intervals(self, values: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """Objective -> interval of its value, of those that have one."""
        found = {}
        for name, n in self.by_name.items():
            if name in values and 0 <= values[name] <= 1:
                interval = accuracy_interval(values[name], n)
                found[name] = (interval.low, interval.high)
        return found


def interval_texts(values: Mapping[str, float], samples: Samples) -> dict[str, str]:
    """Objective -> "92.6 to 97.1 %"."""
    return {name: format_interval(*ends, objective(name)) for name, ends in samples.intervals(values).items()}


def interval_column(values: Iterable[float], n: int, goal: Objective) -> list[str]:
    """Intervals of many accuracies, as text."""
    ends = (accuracy_interval(float(value), n) for value in values)
    return [format_interval(each.low, each.high, goal) for each in ends]


def how_intervals(samples: Samples) -> str:
    """The method, and how many samples there were."""
    if not samples.by_name:
        return ""
    counts = " and ".join(f"{format_count(n)} {objective(name).split}" for name, n in samples.by_name.items())
    return f"Accuracies with {METHOD} for {counts} {samples.word}. {samples.caveat}".rstrip()


def front_sentence(chance: FrontChance, shown: Sequence[str], word: str) -> str:
    """How many of the members that are shown would stay, and how many steps are sure."""
    stay = round(sum(chance.stays.get(arch_id, 0.0) for arch_id in shown))
    steps = sum(arch_id in set(chance.steps) for arch_id in shown)
    n = format_count(chance.n_samples)
    kept = "none" if stay == 0 else f"about {stay}"
    told = f"Of these {len(shown)} members {kept} would be on the front of another {n} {word}."
    return f"{told} Only {steps} steps are each really better than the one before." if steps > 1 else told


def member_lines(chance: FrontChance, arch_id: str, word: str) -> list[str]:
    """What is known of one subnet, a sentence each."""
    told = f"On the front in {_rare(chance.share.get(arch_id, 0.0))} of {format_count(chance.resamples)} resamples of the {word}"
    if arch_id in chance.stays:
        told += f"; on that of another {format_count(chance.n_samples)} {word} in {_rare(chance.stays[arch_id])} of cases"
    lines = [f"{told}."]
    promise = chance.promises.get(arch_id)
    if promise is not None:
        goal = objective(chance.quality)
        ends = format_interval(promise.low, promise.high, goal)
        line = f"Expect {format_value(promise.value, goal)} on {format_count(chance.n_new)} other {word} like these (9 times in 10 {ends})"
        if promise.optimism * goal.shown.factor >= 0.05:
            much = format_value(promise.optimism, goal, signed=True).lstrip("+")
            line += f": being picked as the best promises {much} too much"
        lines.append(f"{line}.")
    return lines


def _rare(share: float) -> str:
    return format_share(share) if share >= 0.005 else "less than 1 %"


def shift_line(chance: FrontChance, word: str) -> str:
    """That test samples differ by more than chance from those that were chosen by; "" where they do not."""
    found = chance.shift
    if found is None or found.low <= 0 <= found.high:
        return ""
    goal = objective(chance.quality)
    way = "harder" if found.difference < 0 else "easier"
    ends = format_interval(found.low, found.high, goal, signed=True)
    return (
        f"The test {word} are {way} than the {goal.split} {word}: the mean of all subnets differs by "
        f"{format_value(found.difference, goal, signed=True)} (95 %: {ends}). That is no luck of picking, and no interval here holds it."
    )


def cheaper_line(chance: FrontChance, arch_id: str, word: str) -> str:
    """Why the cheaper subnet is called as good; "" where there is none."""
    found = chance.cheaper.get(arch_id)
    if found is None:
        return ""
    ends = format_interval(found.low, found.high, objective(chance.quality), signed=True)
    return f"95 %: {ends}; {format_count(chance.n_samples)} {word} do not tell them apart"


def knee_lines(chance: FrontChance, names: Mapping[str, str], word: str) -> list[str]:
    """How far each knee moves; `names` are what the knees are called."""
    goal = objective(chance.cost)
    return [
        f"{names.get(name, name)}: the very same subnet in {format_share(moves.same)} of the resamples of the {word}, "
        f"and in 9 of 10 at {format_interval(moves.low, moves.high, goal)}{'' if goal.shown.symbol else f' {goal.label}'}."
        for name, moves in chance.knees.items()
    ]


def table_rows(
    members: pd.DataFrame, goals: Sequence[Objective], samples: Samples, chance: FrontChance | None
) -> list[dict[str, str]]:
    """A front as a table: every objective, accuracies with their interval, and how often each member is in resamples."""
    found = []
    for row in members.to_dict("records"):
        ends = samples.intervals({goal.name: float(row[goal.name]) for goal in goals})
        cells = {"subnet": str(row["arch_id"])}
        for goal in goals:
            value = float(row[goal.name])
            inside = goal.name in ends
            cells[goal.label] = (
                _with_ends(value, *ends[goal.name], goal) if inside else format_value(value, goal)
            )
        if chance is not None:
            cells["in resamples"] = format_share(chance.share.get(cells["subnet"], 0.0))
        found.append(cells)
    return found


@dataclass(frozen=True)
class Row:
    """One member in the table of chance.

    Attributes:
        arch_id: the member.
        accuracy: with its interval, as text.
        cost: as text.
        share, stays: as text.
        expected: the accuracy on other samples, with its interval.
        step: whether it is a step of the credible front.
        cheaper: arch_id of the cheapest that is as good, "" for none.
    """

    arch_id: str
    accuracy: str
    cost: str
    share: str
    stays: str
    expected: str
    step: bool
    cheaper: str


def rows(chance: FrontChance, values: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """The members, from the cheapest to the dearest.

    Args:
        chance: of the front.
        values: arch_id -> its objectives, of the members that are shown.
    """
    quality, cost = objective(chance.quality), objective(chance.cost)
    found = []
    for arch_id in chance.members:
        if arch_id not in values:
            continue
        known, promise = values[arch_id], chance.promises[arch_id]
        ends = accuracy_interval(known[quality.name], chance.n_samples)
        found.append(
            Row(
                arch_id=arch_id,
                accuracy=_with_ends(known[quality.name], ends.low, ends.high, quality),
                cost=format_value(known[cost.name], cost).replace(" ", _FIXED),
                share=format_share(chance.share.get(arch_id, 0.0)),
                stays=format_share(chance.stays[arch_id]),
                expected=_with_ends(promise.value, promise.low, promise.high, quality),
                step=arch_id in chance.steps,
                cheaper=chance.cheaper[arch_id].arch_id if arch_id in chance.cheaper else "",
            )
        )
    return found


def _with_ends(value: float, low: float, high: float, goal: Objective) -> str:
    """`95.0 (92.2 to 96.8) %`, which does not wrap."""
    number, _, unit = format_value(value, goal).rpartition(" ")
    ends = format_interval(low, high, goal).removesuffix(f" {unit}")
    return f"{number} ({ends}) {unit}".replace(" ", _FIXED)


def paired_sentence(test: PairedTest, goal: Objective, word: str) -> str:
    """Two subnets on the same samples: which got more right, by how much, and whether that is more than chance.

    Args:
        test: of the other subnet against this one.
        goal: the accuracy.
        word: what samples are called.
    """
    difference = format_value(test.difference, goal, signed=True)
    ends = format_interval(test.interval.low, test.interval.high, goal, signed=True)
    p = f"p = {test.p:.2g}" if test.p >= 0.001 else "p < 0.001"
    verdict = "They differ" if test.differs else f"{format_count(test.n)} {word} do not tell them apart"
    return (
        f"Of {format_count(test.n)} {goal.split} {word} the other subnet alone gets {format_count(test.only_a)} right, this one "
        f"alone {format_count(test.only_b)}: {difference} (95 %: {ends}). {verdict} (McNemar's exact test, mid-p, {p})."
    )
