"""All subnets within a tolerance of the best: how many, how differently they decide, what matters to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.errors import InvalidInput
from core.geometry.rashomon import (
    CompleteTable,
    Multiplicity,
    importances,
    interactions,
    multiplicity,
    rashomon_set,
)
from core.library import supernets
from core.library.coverage import MOST_WHOLE, require_whole
from core.library.supernets import SupernetEntry
from core.objectives.base import objective, quality_of, usual_pair
from core.records import Objective
from core.runtime import heavy_imports
from core.seeding import stream
from core.words import format_share

if TYPE_CHECKING:
    import pandas as pd

    from core.datasets.base import Dataset

MOST_VOTERS = 200
MOST_DOTS = 160
_MOST_PAIRS = 40
_PREDICT_SPLIT = "validation"


@dataclass(frozen=True, eq=False)
class RashomonView:
    """What the complete table says of the set.

    Attributes:
        size, total: members and subnets of the space.
        quality, cost: what the table measured of each subnet: what the best is best in, and what it costs (None
            where only the one was measured).
        best: arch_id of the reference: the best, of equally good ones the cheapest.
        best_value, threshold: of the quality.
        member_ids: arch_ids of all members, best first.
        drawn: arch_ids of the members that importances were computed for (a seeded sample of a large set).
        values: (drawn,) the quality of each.
        choices: names of the choices.
        importance: (drawn, choices); NaN where a choice does not matter.
        pairs: (choice, choice, score), strongest interaction first.
        in_pairs: how many members the scores are means of.
        cheapest: arch_id of the member that costs least.
        saving: cost of the reference over that of the cheapest.
    """

    quality: Objective
    cost: Objective | None
    size: int
    total: int
    best: str
    best_value: float
    threshold: float
    member_ids: tuple[str, ...]
    drawn: tuple[str, ...]
    values: NDArray[np.float64]
    choices: tuple[str, ...]
    importance: NDArray[np.float64]
    pairs: tuple[tuple[str, str, float], ...]
    in_pairs: int
    cheapest: str
    saving: float


@dataclass(frozen=True, eq=False)
class Decisions:
    """How the members decide on the validation images.

    Attributes:
        found: see `Multiplicity`.
        voters: how many members were asked (a seeded sample of a large set).
        contested: rows of the split, the most contested first.
        dataset: the data, for images, labels and class names.
        reference: (n,) the reference's decisions.
    """

    found: Multiplicity
    voters: int
    contested: NDArray[np.intp]
    dataset: Dataset
    reference: NDArray[np.int64]

    def pictures(self, k: int) -> tuple[NDArray[np.float32], list[str], list[bool]]:
        """(images, captions, whether the reference is wrong) of the k most contested samples; none where they are no images."""
        if self.dataset.task != "image":
            return np.empty((0, 0, 0, 0), np.float32), [], []
        rows = [int(r) for r in self.contested[:k] if self.found.contested[r] > 0]
        part, names = self.dataset.split(_PREDICT_SPLIT), self.dataset.classes
        captions = [
            f"{names[part.y[r]]}: {format_share(self.found.contested[r])} not {names[self.reference[r]]}, mostly {names[self.found.rival[r]]}"
            for r in rows
        ]
        return part.x[rows], captions, [bool(self.reference[r] != part.y[r]) for r in rows]


def rashomon_view(entry: SupernetEntry, tolerance: float, seed: int = 0) -> RashomonView:
    """The set and what matters to its members; needs no torch.

    Args:
        entry: a supernet whose whole space was evaluated.
        tolerance: how far below the best quality, in its unit (a fraction for accuracy).
        seed: decides which members are drawn where there are many.

    Raises:
        InvalidInput: there is no complete table.
    """
    return _view(entry, round(tolerance, 6), seed)


def decisions(entry: SupernetEntry, tolerance: float, seed: int = 0) -> Decisions:
    """Run members of the set on the validation images. Loads torch; seconds for a large set.

    Raises:
        InvalidInput, DataUnavailable: see `rashomon_view` and `supernets.dataset`.
    """
    return _decisions(entry, round(tolerance, 6), seed)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The complete table by what the objectives say of it: (n,) each."""

    table: pd.DataFrame
    quality: Objective
    cost: Objective | None
    values: NDArray[np.float64]
    costs: NDArray[np.float64]


def _measured(entry: SupernetEntry) -> _Measured:
    table = supernets.table(entry)
    name = None if table is None else quality_of(table.columns)
    if table is None or name is None:
        require_whole(entry.space, "This", MOST_WHOLE)
        raise InvalidInput(
            "This needs the accuracy of every subnet: evaluate the whole space on the Supernets page first."
        )
    pair = usual_pair(table.columns)
    cost = objective(pair[1]) if pair else None
    costs = np.zeros(len(table)) if cost is None else table[cost.name].to_numpy(np.float64)
    return _Measured(table, objective(name), cost, table[name].to_numpy(np.float64), costs)


@kept(8, key=lambda entry: entry.revision)
def _complete(entry: SupernetEntry) -> CompleteTable:
    found, space = _measured(entry), entry.space
    return CompleteTable(space, space.from_ids(found.table["arch_id"].tolist()), found.values)


@kept(32, key=lambda entry, tolerance, seed: (entry.revision, tolerance, seed))
def _view(entry: SupernetEntry, tolerance: float, seed: int) -> RashomonView:
    measured = _measured(entry)
    members = _best_first(measured, tolerance)
    drawn = _sample(members, MOST_DOTS, seed, "dots")
    complete = _complete(entry)
    ids = measured.table["arch_id"].to_numpy()
    space = entry.space
    in_pairs = _sample(members, _MOST_PAIRS, seed, "pairs")
    scores = interactions(complete, in_pairs)
    costs, best = measured.costs, members[0]
    cheapest = members[int(np.argmin(costs[members]))]
    return RashomonView(
        quality=measured.quality,
        cost=measured.cost,
        size=len(members),
        total=len(ids),
        best=str(ids[best]),
        best_value=float(measured.values[best]),
        threshold=float(measured.values[best] - tolerance),
        member_ids=tuple(str(i) for i in ids[members]),
        drawn=tuple(str(i) for i in ids[drawn]),
        values=measured.values[drawn],
        choices=tuple(space.names),
        importance=importances(complete, drawn),
        pairs=_strongest(scores, space.names),
        in_pairs=len(in_pairs),
        cheapest=str(ids[cheapest]),
        saving=float(costs[best] / costs[cheapest]) if costs[cheapest] else 1.0,
    )


def _best_first(measured: _Measured, tolerance: float) -> NDArray[np.intp]:
    """Members, best first, of equally good ones the cheapest first."""
    members = rashomon_set(measured.values, tolerance)
    return members[np.lexsort((measured.costs[members], -measured.values[members]))]


def _sample(members: NDArray[np.intp], most: int, seed: int, name: str) -> NDArray[np.intp]:
    """At most so many members, the best always among them, in their order."""
    if len(members) <= most:
        return members
    others = stream(seed, "rashomon", name).choice(len(members) - 1, most - 1, replace=False) + 1
    return members[np.concatenate([[0], np.sort(others)])]


def _strongest(scores: NDArray[np.float64], names: tuple[str, ...]) -> tuple[tuple[str, str, float], ...]:
    pairs: list[tuple[str, str, float]] = [
        (names[i], names[j], float(scores[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if np.isfinite(scores[i, j])
    ]
    return tuple(sorted(pairs, key=lambda p: -abs(p[2])))


@kept(8, key=lambda entry, tolerance, seed: (entry.revision, tolerance, seed))
def _decisions(entry: SupernetEntry, tolerance: float, seed: int) -> Decisions:
    heavy_imports()
    from core.evaluation.evaluator import predictions
    from core.tasks.base import evaluation_data

    voters = _sample(_best_first(_measured(entry), tolerance), MOST_VOTERS, seed, "voters")
    dataset = supernets.dataset(entry)
    rows = _complete(entry).rows[voters]
    votes = np.empty((len(voters), dataset.validation.answers), np.int64)
    data: Any = evaluation_data(dataset, (_PREDICT_SPLIT,))
    for position, predicted in predictions(supernets.load(entry), rows, data, _PREDICT_SPLIT):
        votes[position] = predicted.ravel()
    found = multiplicity(votes, votes[0], len(dataset.classes))
    contested = np.argsort(-found.contested, kind="stable")
    return Decisions(found, len(voters), contested, dataset, votes[0])
