"""What a front was measured with, in words: for captions, figures and headers of tables."""

from __future__ import annotations

from collections.abc import Sequence

from core.library.coverage import Coverage
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.pareto import Constraint
from core.records import Objective, Source
from core.supernets.cards import Card
from core.text import display_name
from core.words import format_value

_WAYS = {
    Source.MEASURED: "measured",
    Source.COUNTED: "counted",
    Source.TRAINED: "trained alone",
    Source.PREDICTED: "predicted",
    Source.PROXY: "a proxy",
}


def front_caption(entry: SupernetEntry, goals: Sequence[Objective], n: int, *, search: str = "") -> str:
    """Supernet, data, how many subnets, seed, and how each number was obtained, as sentences.

    Args:
        entry: the supernet.
        goals: objectives that are shown.
        n: subnets that were evaluated.
        search: title of the search that chose them, "" for the whole space or everything measured.
    """
    covered = Coverage(n, entry.space.size)
    found = f"{covered.short}, found by {display_name(search)}" if search else covered.short
    about = [display_name(entry.title), data_of(entry.card), found]
    if entry.card.seed is not None:
        about.append(f"seed {entry.card.seed}")
    return f"{'; '.join(part for part in about if part)}. {' '.join(measured_how(goal) for goal in goals)}"


def limits_text(limits: Sequence[Constraint], goals: Sequence[Objective] = (), of: str = "subnets") -> str:
    """What the rows of a front must meet, as a sentence; "" where nothing is asked.

    Args:
        limits: bounds.
        goals: what they are on, where no registry knows it.
        of: what the rows are.
    """
    said = []
    known = {goal.name: goal for goal in goals}
    for limit in limits:
        goal = known.get(limit.objective) or objective(limit.objective)
        for word, value in (("at least", limit.lower), ("at most", limit.upper)):
            if value is not None:
                said.append(f"{goal.label} {word} {format_value(value, goal)}")
    return f"Only {of} with {' and '.join(said)}." if said else ""


def data_of(card: Card) -> str:
    """The data set with the seed of its splits, "" where the card does not say."""
    return f"data {display_name(card.data.name)}, split by seed {card.data.seed}" if card.data else ""


def measured_how(goal: Objective) -> str:
    """One sentence: what an objective is and how its values were obtained."""
    where = f" on {goal.split} data, BatchNorm recalibrated per subnet" if goal.split else ""
    way = f"measured by {goal.instrument}" if goal.instrument else _WAYS[goal.how]
    return f"{goal.label}: {way}{where}."
