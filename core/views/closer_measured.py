"""A front on more samples than it was chosen by: who stays, what each accuracy is now, which steps are sure now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.chance.credible import Members, credible_steps
from core.library.chance import FrontChance
from core.library.closer import Closer, costs_of
from core.library.correct import accuracy_interval
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.pareto import non_dominated
from core.words import count_of, format_count, format_interval, format_value


@dataclass(frozen=True)
class CloserView:
    """What the page shows of it.

    Attributes:
        sentence: what came out, in plain words.
        rows: the front now, from the cheapest on: a table.
        members: arch_ids of the rows.
    """

    sentence: str
    rows: Sequence[Mapping[str, str]]
    members: tuple[str, ...]


def closer_view(entry: SupernetEntry, found: Closer, chance: FrontChance, word: str) -> CloserView:
    """The front among the subnets that were measured again, on all samples.

    Args:
        entry: the supernet.
        found: what was measured.
        chance: of the front that it was started from, whose cost is taken.
        word: what samples are called.

    Raises:
        InvalidInput: the supernet's table lacks the cost.
    """
    record, quality, cost = found.record, objective(chance.quality), objective(chance.cost)
    costs = costs_of(entry, record.correct, cost.name)
    ids = [arch_id for arch_id in record.correct if arch_id in costs]
    at = {arch_id: row for row, arch_id in enumerate(record.correct)}
    points = np.array([[record.correct[i], costs[i]] for i in ids], dtype=float).reshape(-1, 2)
    front = np.flatnonzero(non_dominated(points, maximize=[True, cost.maximize]))
    sign = -1.0 if cost.maximize else 1.0
    front = front[np.argsort(sign * points[front, 1], kind="stable")]
    members = tuple(ids[row] for row in front)
    right = found.bits.matrix(np.array([at[i] for i in members], dtype=np.int64))
    steps = {members[index] for index in credible_steps(Members.of(right))}
    stayed = [i for i in chance.members if i in set(members)]
    rows = []
    for arch_id in members:
        value = record.correct[arch_id] / record.n
        ends = accuracy_interval(value, record.n)
        rows.append(
            {
                "subnet": arch_id,
                cost.label: format_value(costs[arch_id], cost),
                f"on {format_count(record.n)} {word} (95 %)": (
                    f"{format_value(value, quality)} ({format_interval(ends.low, ends.high, quality)})"
                ),
                "step": "sure" if arch_id in steps else "",
                "before": "on the front" if arch_id in chance.members else "",
            }
        )
    sentence = (
        f"On {format_count(record.n)} {word} instead of {format_count(record.before)}, of these {count_of(len(ids), 'subnet')} "
        f"{len(members)} are on the front; {len(stayed)} of the {len(chance.members)} members from before are among them. "
        f"{len(steps)} steps are sure now, {len(chance.steps)} were before."
    )
    return CloserView(sentence, rows, members)
