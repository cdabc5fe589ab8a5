"""Which choices matter for which objective, and which options the members of a front share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import CoreError
from core.library import supernets
from core.library.evaluations import standing
from core.library.fronts import option_shares
from core.library.supernets import SupernetEntry
from core.objectives.base import OBJECTIVES, FromCosts, objective
from core.records import Objective
from core.spaces import SearchSpace
from core.spaces.importance import Importance, importance
from core.words import format_count, format_share

if TYPE_CHECKING:
    import pandas as pd

ABSENT = "not there"
MOST_COUNTED = 200_000
"""Architectures of a space whose costs are counted for this, where the table does not hold all of them."""


@dataclass(frozen=True, eq=False)
class ImportanceView:
    """What each choice explains of each objective.

    Attributes:
        goals: objectives whose values are known over the whole space.
        found: of each of them.
        told: sentences about the objectives that are left out, and about values that are not all measured.
    """

    goals: tuple[Objective, ...]
    found: tuple[Importance, ...]
    told: tuple[str, ...]

    @property
    def main(self) -> NDArray[np.float64]:
        """(choices, objectives) shares of what each choice explains alone."""
        return np.stack([each.main for each in self.found], axis=1)

    def of(self, name: str) -> Importance:
        """The importance for one objective."""
        return self.found[[goal.name for goal in self.goals].index(name)]


def importance_view(entry: SupernetEntry, table: pd.DataFrame, names: Sequence[str]) -> ImportanceView:
    """Importance for these objectives, over the whole space.

    A table that a search has made is no sample of the space: a search looks where subnets are good. Importance is
    not estimated from it. What is counted rather than measured is known everywhere all the same, and used.

    Args:
        entry: the supernet.
        table: its complete table, or what a search evaluated.
        names: objectives.
    """
    space, told = entry.space, []
    goals, found = [], []
    rows = space.from_ids(table["arch_id"].tolist()) if len(table) else np.zeros((0, len(space)), np.uint8)
    complete = len(rows) == space.size
    everything = None
    incomplete: dict[int, list[str]] = {}
    for goal in (objective(name) for name in names):
        values = table[goal.name].to_numpy(float) if goal.name in table else np.full(len(rows), np.nan)
        known = int(np.isfinite(values).sum())
        if complete and known == space.size:
            found.append(importance(space, rows, values))
            goals.append(goal)
            told += _obtained(goal, table)
        elif issubclass(OBJECTIVES.get(goal.name), FromCosts) and space.size <= MOST_COUNTED:
            everything = space.array() if everything is None else everything
            try:
                counted = supernets.counted(entry, everything, goal.name)
            except CoreError as error:
                told.append(str(error))
                continue
            found.append(importance(space, everything, counted))
            goals.append(goal)
        else:
            incomplete.setdefault(known, []).append(goal.label)
    told += [_incomplete(labels, known, space) for known, labels in incomplete.items()]
    return ImportanceView(tuple(goals), tuple(found), tuple(told))


def _incomplete(labels: Sequence[str], known: int, space: SearchSpace) -> str:
    one = len(labels) == 1
    return (
        f"{_listed(labels)} {'is' if one else 'are'} known of {format_count(known)} of {format_count(space.size)} "
        "subnets. They were not drawn evenly, so what they say about the whole space would mislead: no importance is "
        f"shown for {'it' if one else 'them'}."
    )


def _obtained(goal: Objective, table: pd.DataFrame) -> list[str]:
    """A sentence where values of an objective are not all what may stand on a front."""
    guessed = int((~standing(table, [goal.name])).sum())
    if not guessed:
        return []
    return [
        f"{goal.label}: {format_count(guessed)} of {format_count(len(table))} values are predicted, so this is partly what "
        "the predictor thinks matters."
    ]


@dataclass(frozen=True)
class SharedOption:
    """How often one option occurs.

    Attributes:
        choice, option: which; "not there" where the choice does not matter.
        front: share of the front's members.
        everywhere: share of all subnets.
    """

    choice: str
    option: str
    front: float
    everywhere: float


def shared_options(space: SearchSpace, table: pd.DataFrame, members: pd.DataFrame) -> list[SharedOption]:
    """How often each option occurs on the front and everywhere, in the order of the space."""
    shares = option_shares(space, table, members)
    return [
        SharedOption(
            row["choice"], ABSENT if row["option"] is None else str(row["option"]), row["front"], row["all"]
        )
        for row in shares.to_dict("records")
        if row["option"] is not None or row["all"] > 0
    ]


def told(shared: Sequence[SharedOption], members: int, everyone: str = "all subnets") -> str:
    """In a sentence or two, what the members of a front have in common and not all subnets have.

    Args:
        shared: how often each option occurs.
        members: of the front.
        everyone: what a person calls those they are held against.
    """
    if not members:
        return ""
    all_of_them = [
        f"{each.choice} {each.option}" for each in shared if each.front == 1 and each.everywhere < 1
    ]
    said = (
        f"All {members} members of the front have {_listed(all_of_them)}."
        if all_of_them
        else f"No option is shared by all {members} members of the front."
    )
    most = [each for each in shared if 0.6 <= each.front < 1 and each.front - each.everywhere >= 0.2]
    most = sorted(most, key=lambda each: each.everywhere - each.front)[:3]
    if most:
        parts = [
            f"{each.choice} {each.option} ({format_share(each.front)}; {format_share(each.everywhere)} of {everyone})"
            for each in most
        ]
        said += f" Most of them have {_listed(parts)}."
    return said


def summary(view: ImportanceView, name: str) -> str:
    """In a sentence, what explains one objective."""
    found = view.of(name)
    label = next(goal.label for goal in view.goals if goal.name == name)
    if not found.variance:
        return f"{label} is the same everywhere: no choice matters for it."
    top = np.argsort(-found.main)[:3]
    parts = [f"{found.names[k]} {format_share(float(found.main[k]))}" for k in top if found.main[k] >= 0.005]
    return (
        f"{label}: {_listed(parts)} of the differences; single choices {format_share(float(found.main.sum()))} together, pairs "
        f"{format_share(float(found.pairs.sum()) / 2)}, three and more {format_share(found.rest)}."
    )


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
