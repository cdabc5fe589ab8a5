"""How sure the front of a supernet's table is: what `core.chance` says of it, kept, and shipped for shipped supernets.

No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.cache import Cache, kept
from core.chance.bits import CorrectBits
from core.chance.credible import Members, as_good_and_cheaper, credible_steps, knee_spread
from core.chance.intervals import PairedTest, split_shift
from core.chance.optimism import expected
from core.chance.renewed import renewed_share
from core.chance.resampling import RESAMPLES, ResampledFronts, resampled_fronts
from core.chance.shrinkage import shrink
from core.errors import InvalidInput
from core.library.correct import NOT_KEPT, known_bits, rows_in_table
from core.library.evaluations import standing
from core.library.fronts import front
from core.library.results import Part, Record
from core.library.supernets import SupernetEntry
from core.objectives.base import ShareOfSamples, names_of, objective
from core.pareto import Constraint, knee_by_distance, knee_by_utility, satisfies
from core.tasks.registry import TASKS

if TYPE_CHECKING:
    import pandas as pd

OTHER_NUMBERS = "These accuracies were measured on other data than the supernet's own table."
NO_ACCURACY = (
    "How sure a front is, is known where one of its two objectives is an accuracy that may be chosen by."
)
_RARE = 0.005
_KNEES = {"distance": knee_by_distance, "utility": knee_by_utility}


def called(task: str) -> str:
    """What a person calls the samples of a task that accuracies count, or positions of them."""
    facts: Mapping[str, str] = next((info.facts for info in TASKS.describe() if info.name == task), {})
    return facts.get("judged") or facts.get("samples") or "samples"


def caveat(task: str) -> str:
    """Why intervals of accuracies are wider in truth for the data of a task; "" where they are not."""
    return next((info.facts.get("caveat", "") for info in TASKS.describe() if info.name == task), "")


class Moves(Part):
    """How far a knee moves between resamples; see `core.chance.credible.Spread`."""

    low: float
    high: float
    same: float
    found: float


class Cheaper(Part):
    """What is as good as a member and costs less.

    Attributes:
        arch_id: the cheapest such member.
        difference: of its accuracy to the member's; `low`, `high` are the ends of its 95 % interval.
        p: of the paired test.
    """

    arch_id: str
    difference: float
    low: float
    high: float
    p: float


class Promise(Part):
    """What to expect of a member on other samples; see `core.chance.optimism.Expected`."""

    optimism: float
    value: float
    low: float
    high: float


class Shift(Part):
    """How much better all subnets together do on test samples; see `core.chance.intervals.split_shift`."""

    difference: float
    low: float
    high: float


class FrontChance(Record):
    """How sure the front of one accuracy and one other objective is.

    Attributes:
        table_sha256: of the table.
        quality: the accuracy.
        cost: the other objective, taken as exact.
        n_samples: that the accuracy was measured on.
        word: what a person calls them.
        resamples: how often they were drawn anew.
        n_new: other samples that `promises` are for.
        members: arch_ids of the front, from the cheapest to the dearest.
        share: arch_id -> share of the resamples in which it is on the front; who is hardly ever there is left out.
        stays: member -> how likely it is on the front of another set of as many samples.
        steps: members that are each really better than the step before.
        cheaper: member -> the cheapest member that costs less and is not told apart from it.
        knees: definition -> how far it moves.
        promises: member -> what to expect of it on samples like these.
        shift: of test samples against these; None where it is not known which of them were right.
    """

    FILE: ClassVar[str] = "chance.json"
    table_sha256: str
    quality: str
    cost: str
    n_samples: int
    word: str = "samples"
    resamples: int
    n_new: int
    members: tuple[str, ...]
    share: dict[str, float]
    stays: dict[str, float]
    steps: tuple[str, ...]
    cheaper: dict[str, Cheaper]
    knees: dict[str, Moves]
    promises: dict[str, Promise]
    shift: Shift | None = None


def quality_and_cost(names: Sequence[str]) -> tuple[str, str] | None:
    """Which of two objectives is an accuracy that was chosen by, and the other one; None for other pairs."""
    shares = [name for name in names_of(ShareOfSamples, names) if objective(name).for_choosing]
    if len(names) != 2 or len(shares) != 1:
        return None
    return shares[0], next(name for name in names if name != shares[0])


@dataclass(frozen=True)
class Unknown:
    """Why it is not known how sure a front is."""

    sentence: str


_chances: Cache[FrontChance | Unknown] = Cache(24)
_Key = tuple[str, tuple[str, str], tuple[Constraint, ...], bool]


def _key(entry: SupernetEntry, revision: str, pair: tuple[str, str], limits: Sequence[Constraint]) -> _Key:
    return revision, pair, _others(pair, limits), entry.read_bits is not None


def _others(pair: Sequence[str], limits: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """Limits that decide who competes. A limit on the axes only cuts the front: whoever meets it is beaten by nobody
    who does not."""
    return tuple(limit for limit in limits if limit.objective not in pair)


def known_chance(
    entry: SupernetEntry, revision: str, names: Sequence[str], limits: Sequence[Constraint] = ()
) -> FrontChance | Unknown | None:
    """`chance_or_why` where it has been computed or is shipped, None elsewhere; at once in any case."""
    pair = quality_and_cost(names)
    if pair is None:
        return None
    found = _chances.find(_key(entry, revision, pair, limits))
    if (
        found is None
        and entry.origin == "shipped"
        and revision.startswith(entry.revision)
        and not _others(pair, limits)
    ):
        shipped = _shipped(entry)
        if shipped is not None and (shipped.quality, shipped.cost) == pair:
            return _chances.put(_key(entry, revision, pair, limits), shipped)
    return found


@kept(8, key=lambda entry: entry.revision)
def _shipped(entry: SupernetEntry) -> FrontChance | None:
    if entry.folder is None:
        return None
    try:
        found = FrontChance.decode((entry.folder / FrontChance.FILE).read_bytes())
    except (OSError, InvalidInput):  # it is computed instead
        return None
    return found if found.table_sha256 == entry.table_sha256 else None


def chance_or_why(
    entry: SupernetEntry,
    table: pd.DataFrame,
    revision: str,
    names: Sequence[str],
    limits: Sequence[Constraint] = (),
) -> FrontChance | Unknown:
    """How sure the front of a table is, or why that is not known; about a second for 13,824 subnets, kept.

    Args:
        entry: whose subnets.
        table: of them: the complete one or a part of it.
        revision: changes whenever the table does.
        names: two objectives.
        limits: that decide who competes; those on the two objectives change nothing.
    """
    pair = quality_and_cost(names)
    if pair is None:
        return Unknown(NO_ACCURACY)
    known = known_chance(entry, revision, names, limits)
    if known is not None:
        return known

    def make() -> FrontChance | Unknown:
        try:
            return compute_chance(entry, table, pair, _others(pair, limits))
        except InvalidInput as error:
            return Unknown(str(error))

    return _chances.get(_key(entry, revision, pair, limits), make)


@dataclass(frozen=True, eq=False)
class Competing:
    """The subnets of a table that compete for a front.

    Attributes:
        table: their rows.
        right: (n, n_samples) ones and zeros.
        costs: (n,).
        dearer_is_better: the second objective is the larger the better.
    """

    table: pd.DataFrame
    right: NDArray[np.uint8]
    costs: NDArray[np.float64]
    dearer_is_better: bool


def competing(
    entry: SupernetEntry, table: pd.DataFrame, pair: tuple[str, str], limits: Sequence[Constraint] = ()
) -> Competing:
    """Which samples the subnets of a table got right.

    Raises:
        InvalidInput: it is not known.
    """
    quality, cost = pair
    known = known_bits(entry)
    bits = known.by_split.get(objective(quality).split)
    if bits is None:
        raise InvalidInput(known.sentence or NOT_KEPT)
    meets = (
        satisfies({c.objective: table[c.objective].to_numpy() for c in limits}, limits)
        if limits
        else slice(None)
    )
    rows = table[meets]
    rows = rows[standing(rows, pair)]
    at = rows_in_table(entry, rows["arch_id"].tolist())
    if (at < 0).any():
        raise InvalidInput(OTHER_NUMBERS)
    right = bits.matrix(at)
    if (right.sum(axis=1) / bits.n_samples != rows[quality].to_numpy(float)).any():
        raise InvalidInput(OTHER_NUMBERS)
    return Competing(rows, right, rows[cost].to_numpy(float), objective(cost).maximize)


def resampled(given: Competing, *, resamples: int = RESAMPLES, seed: int = 0) -> ResampledFronts:
    """The fronts of the resamples."""
    return resampled_fronts(
        given.right, given.costs, resamples=resamples, seed=seed, dearer_is_better=given.dearer_is_better
    )


def compute_chance(
    entry: SupernetEntry, table: pd.DataFrame, pair: tuple[str, str], limits: Sequence[Constraint] = ()
) -> FrontChance:
    """How sure the front of a table is, computed anew.

    Raises:
        InvalidInput: it is not known which samples were right.
    """
    given = competing(entry, table, pair, limits)
    quality, cost = pair
    found = front(given.table, (cost, quality))
    ids = given.table["arch_id"].to_numpy(object)
    on_front = np.flatnonzero(found.table["on_front"].to_numpy(bool))
    signs = -1.0 if given.dearer_is_better else 1.0
    members = on_front[np.lexsort((ids[on_front].astype(str), signs * given.costs[on_front]))]
    fronts = resampled(given)
    told = Members.of(given.right[members])
    known = shrink(given.right, entry.space.from_ids(given.table["arch_id"].tolist()))
    stays = renewed_share(given.right, given.costs, known, dearer_is_better=given.dearer_is_better)
    tested = known_bits(entry).by_split.get("test")
    n_new = tested.n_samples if tested is not None else 0
    promise = expected(given.right, known, members, n_new=n_new)
    cheaper = {i: as_good_and_cheaper(told, i) for i in range(len(members))}
    often = np.flatnonzero(fronts.share >= _RARE)
    return FrontChance(
        table_sha256=entry.table_sha256,
        quality=quality,
        cost=cost,
        n_samples=fronts.n_samples,
        word=called(entry.task),
        resamples=fronts.resamples,
        n_new=promise.n_new,
        members=tuple(ids[members].tolist()),
        share={str(ids[i]): float(fronts.share[i]) for i in often},
        stays={str(ids[i]): float(stays[i]) for i in members},
        steps=tuple(str(ids[members[i]]) for i in credible_steps(told)),
        cheaper={
            str(ids[members[i]]): _cheaper(str(ids[members[j]]), told.test(j, i))
            for i, j in cheaper.items()
            if j is not None
        },
        knees=_knees(fronts, given, found.knees),
        promises={
            str(ids[row]): Promise(
                optimism=promise.optimism[i], value=promise.value[i], low=promise.low[i], high=promise.high[i]
            )
            for i, row in enumerate(members)
        },
        shift=_shift(given, tested),
    )


def _shift(given: Competing, tested: CorrectBits | None) -> Shift | None:
    if tested is None or min(tested.n_samples, given.right.shape[1]) < 2:
        return None
    difference, ends = split_shift(given.right.mean(axis=0), tested.matrix().mean(axis=0))
    return Shift(difference=difference, low=ends.low, high=ends.high)


def _cheaper(arch_id: str, test: PairedTest) -> Cheaper:
    ends = test.interval
    return Cheaper(arch_id=arch_id, difference=test.difference, low=ends.low, high=ends.high, p=test.p)


def _knees(fronts: ResampledFronts, given: Competing, knees: Mapping[str, str]) -> dict[str, Moves]:
    ids = given.table["arch_id"].tolist()
    maximize = [given.dearer_is_better, True]
    moves = {}
    for name, arch_id in knees.items():
        find = partial(_KNEES[name], maximize=maximize)
        spread = knee_spread(fronts, given.costs, ids.index(arch_id), find)
        if spread is not None:
            moves[name] = Moves(low=spread.low, high=spread.high, same=spread.same, found=spread.found)
    return moves
