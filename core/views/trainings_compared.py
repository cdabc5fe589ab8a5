"""What a comparison of trainings says: accuracy by cost, who is sacrificed, whose order agrees, and a verdict in words.

Everything is judged by test accuracy, which nothing was chosen by, and over the seeds that methods share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.chance.few_seeds import Values, compared, compared_all
from core.library.comparisons import ComparedTraining, ComparisonRecord
from core.library.csv_tables import csv_bytes
from core.library.evaluations import architectures
from core.objectives.base import objective
from core.over_seeds import Comparison, Spread, spread
from core.pareto import non_dominated
from core.rank_correlation import kendall
from core.views.trainings_verdict import Verdict, verdict
from core.words import MINUS, format_value

if TYPE_CHECKING:
    import pandas as pd

JUDGED = "test_accuracy"
_MOST_BINS, _PER_BIN = 12, 6


@dataclass(frozen=True, eq=False)
class MethodNumbers:
    """One method over its seeds.

    Attributes:
        label: of the method.
        epochs, passes: of each training; `share`: its passes as a part of the budget.
        seeds: of the trainings that are done.
        seconds: of a training.
        mean: test accuracy, the mean over the measured subnets.
        sizes: of the smallest, the middle and the largest of them.
    """

    label: str
    epochs: int
    passes: float
    share: float
    seeds: tuple[int, ...]
    seconds: Spread
    mean: Spread
    sizes: tuple[Spread, ...]


@dataclass(frozen=True, eq=False)
class ByCost:
    """Accuracy over cost.

    Attributes:
        macs: (places,) mean MACs of the subnets at each place; they lie side by side by cost, equally many at each.
        values: method -> (seeds, places) mean test accuracy.
        per_place: subnets at a place, at least.
    """

    macs: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    per_place: int


@dataclass(frozen=True)
class OfClass:
    """One method in one class of cost.

    Attributes:
        label: of the method.
        accuracy: mean of the class's measured subnets, over seeds.
        behind: mean difference to the class's best method over the seeds both have, at most about 0; NaN for the best
            and where they share none.
        differs: whether the test tells it from the best.
    """

    label: str
    accuracy: Spread
    behind: float
    differs: bool


@dataclass(frozen=True)
class CostClass:
    """Who does what for the subnets of one class.

    Attributes:
        label: "up to 17.3 k MACs".
        n: measured subnets.
        best: method of the highest mean; "" with fewer than two methods.
        methods: all of them.
    """

    label: str
    n: int
    best: str
    methods: tuple[OfClass, ...]


@dataclass(frozen=True)
class Agreement:
    """Do two methods put the subnets in the same order, or two seeds of one method?

    Attributes:
        a, b: methods; equal ones mean two seeds of that method.
        tau: Kendall's tau over the measured subnets, over seeds (or pairs of seeds).
    """

    a: str
    b: str
    tau: Spread


@dataclass(frozen=True, eq=False)
class TrainingsCompared:
    """The whole answer."""

    methods: tuple[MethodNumbers, ...]
    by_cost: ByCost
    classes: tuple[CostClass, ...]
    agreements: tuple[Agreement, ...]
    verdict: Verdict
    order: str


def trainings_compared(record: ComparisonRecord) -> TrainingsCompared | None:
    """What the trainings that are done say; None before the first."""
    if not record.trainings:
        return None
    grain = 1 / max(1, record.samples[1] * len(record.arch_ids))
    pairs = compared(_means(record), grain=grain)
    classes = _classes(record)
    agreements = _agreements(record)
    return TrainingsCompared(
        methods=tuple(_numbers(record, index) for index in range(len(record.methods))),
        by_cost=_by_cost(record),
        classes=classes,
        agreements=agreements,
        verdict=verdict(_means(record), pairs, subnets=len(record.arch_ids), of=record.size),
        order=_order(agreements),
    )


def _of(record: ComparisonRecord, method: int) -> list[ComparedTraining]:
    return sorted((t for t in record.trainings if t.method == method), key=lambda t: t.seed)


def _means(record: ComparisonRecord, rows: Sequence[int] | NDArray[np.int64] | None = None) -> Values:
    """Method -> seed -> mean test accuracy over some measured subnets (all if left out)."""
    found: dict[str, dict[int, float]] = {}
    for index, method in enumerate(record.methods):
        own = {}
        for each in _of(record, index):
            values = np.array(each.test_accuracy)
            own[each.seed] = float((values if rows is None else values[rows]).mean())
        if own:
            found[method.label] = own
    return found


def _numbers(record: ComparisonRecord, index: int) -> MethodNumbers:
    own, method = _of(record, index), record.methods[index]
    return MethodNumbers(
        label=method.label,
        epochs=method.budget.epochs,
        passes=method.budget.passes,
        share=method.budget.share,
        seeds=tuple(each.seed for each in own),
        seconds=spread([each.seconds for each in own]),
        mean=spread([float(np.mean(each.test_accuracy)) for each in own]),
        sizes=tuple(spread([each.test_accuracy[place] for each in own]) for place in record.sizes),
    )


def _by_cost(record: ComparisonRecord) -> ByCost:
    macs = np.array(record.macs)
    order = np.argsort(macs, kind="stable")
    places = np.array_split(order, max(1, min(_MOST_BINS, len(order) // _PER_BIN or len(order))))
    values = {
        method.label: np.array(
            [[np.mean(np.array(each.test_accuracy)[place]) for place in places] for each in own]
        )
        for index, method in enumerate(record.methods)
        if (own := _of(record, index))
    }
    return ByCost(
        np.array([macs[place].mean() for place in places]), values, min(len(place) for place in places)
    )


# --- who is sacrificed --------------------------------------------------------------------------


def _classes(record: ComparisonRecord) -> tuple[CostClass, ...]:
    of = record.classes.of(record.macs)
    members = [np.flatnonzero(of == index) for index in range(len(record.classes.most))]
    there = [index for index, rows in enumerate(members) if len(rows)]
    values = [_means(record, members[index]) for index in there]
    grain = 1 / max(1, record.samples[1] * min(len(members[index]) for index in there))
    pairs = compared_all(values, grain=grain)
    names = class_labels(record)
    return tuple(
        _class(names[index], len(members[index]), of_class, found)
        for index, of_class, found in zip(there, values, pairs, strict=True)
    )


def _class(label: str, n: int, values: Values, pairs: Sequence[Comparison]) -> CostClass:
    spreads = {name: spread(list(own.values())) for name, own in values.items()}
    best = max(spreads, key=lambda name: spreads[name].mean) if len(spreads) > 1 else ""
    against = {
        each.b if each.a == best else each.a: each for each in pairs if best and best in (each.a, each.b)
    }
    methods = []
    for name, found in spreads.items():
        pair = against.get(name)
        lead = math.nan if pair is None else pair.difference if pair.a == best else -pair.difference
        methods.append(OfClass(name, found, -lead, pair is not None and pair.differs and lead > 0))
    return CostClass(label, n, best, tuple(methods))


def class_labels(record: ComparisonRecord) -> list[str]:
    """What each class of cost is called."""
    macs = objective("macs")
    edges = [format_value(edge, macs) for edge in record.classes.most[:-1]]
    if not edges:
        return ["all subnets"]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}"]


# --- orders -------------------------------------------------------------------------------------


def _agreements(record: ComparisonRecord) -> tuple[Agreement, ...]:
    by_method = {m.label: _of(record, index) for index, m in enumerate(record.methods)}
    found = []
    for name, own in by_method.items():
        taus = [_tau(one, other) for one, other in combinations(own, 2)]
        found.append(Agreement(name, name, spread(taus)))
    for (a, left), (b, right) in combinations(by_method.items(), 2):
        others = {each.seed: each for each in right}
        taus = [_tau(one, others[one.seed]) for one in left if one.seed in others]
        found.append(Agreement(a, b, spread(taus)))
    return tuple(each for each in found if each.tau.n)


def _tau(one: ComparedTraining, other: ComparedTraining) -> float:
    tau = kendall(one.test_accuracy, other.test_accuracy)
    return math.nan if tau is None else tau


def _order(agreements: Sequence[Agreement]) -> str:
    """How far methods agree about the order of subnets, beside how far two seeds of one method do."""
    within = [each.tau.mean for each in agreements if each.a == each.b]
    between = [each.tau.mean for each in agreements if each.a != each.b]
    if not between:
        return ""
    methods = (
        f"two methods with the same seed agree on the order of the subnets by Kendall's tau {_range(between)}"
    )
    if not within:
        return f"{methods[0].upper()}{methods[1:]}; how far two seeds of one method do, one seed cannot say."
    return (
        f"Two seeds of one method agree on the order of the subnets by Kendall's tau {_range(within)}; two methods with the "
        f"same seed by {_range(between)}. Only where the second is well below the first do the methods put the subnets "
        "into another order than chance does."
    )


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return (low if low == high else f"{low} to {high}").replace("-", MINUS)


def own_settings(record: ComparisonRecord) -> str:
    """Which methods do not train with the settings of all, in a sentence each; "" for none."""
    told = []
    for method in record.methods:
        own = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in method.training.items())
        if own:
            told.append(f"{method.label} trains with settings that belong to it: {own}.")
    return " ".join(told)


# --- a file ---------------------------------------------------------------------------------------


def csv(record: ComparisonRecord) -> bytes:
    """Every measured subnet of every training, one row each."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    for each in sorted(record.trainings, key=lambda t: t.index):
        points = np.column_stack([each.test_accuracy, record.macs])
        parts.append(
            pd.DataFrame(
                {
                    "arch_id": record.arch_ids,
                    "method": record.methods[each.method].label,
                    "strategy": record.methods[each.method].strategy,
                    "seed": each.seed,
                    "macs": np.array(record.macs).astype(np.int64),
                    "params": np.array(record.params).astype(np.int64),
                    "accuracy": each.accuracy,
                    "test_accuracy": each.test_accuracy,
                    "on_front": non_dominated(points, maximize=[True, False]),
                    "source": "measured",
                }
            )
        )
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"arch_id": []})
    return csv_bytes(architectures(record.described, table))
