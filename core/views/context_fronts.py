"""The front of quality and memory at every context: longer texts move weight from the weights to the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.library.evaluations import standing
from core.objectives.base import objective
from core.pareto import non_dominated
from core.records import Objective
from core.views.memory import CACHE, CONTEXTS, MEMORY, WEIGHTS, Setting, memory_bytes
from core.words import format_count, format_share, format_value, within_sentence

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ContextFronts:
    """What a slider over contexts shows.

    Attributes:
        quality: the vertical objective.
        setting: batch and precision of all of them, and the context that the page is at.
        contexts: ascending, tokens.
        memory: (contexts, rows of the table) bytes.
        members: for each context, positions in the table of the front's rows, in order of memory.
        uniform: for each context, likewise of the uniform sizes that no other uniform one beats.
    """

    quality: Objective
    setting: Setting
    contexts: tuple[int, ...]
    memory: NDArray[np.float64]
    members: tuple[NDArray[np.int64], ...]
    uniform: tuple[NDArray[np.int64], ...]

    @property
    def now(self) -> int:
        """Which context the page is at."""
        return self.contexts.index(self.setting.context)


def context_fronts(
    table: pd.DataFrame,
    quality: Objective,
    setting: Setting,
    uniform: NDArray[np.bool_],
    contexts: Sequence[int] = CONTEXTS,
) -> ContextFronts:
    """The fronts at all contexts.

    Args:
        table: rows with the columns that memory follows from, and the quality.
        quality: the vertical objective.
        setting: batch, precision and the page's context, which is one of the contexts.
        uniform: (n,) which rows are uniform sizes.
        contexts: ascending.
    """
    weights, cache, values = (table[name].to_numpy(float) for name in (WEIGHTS, CACHE, quality.name))
    values = np.where(standing(table, [quality.name]), values, np.nan)
    memory = np.stack([memory_bytes(weights, cache, replace(setting, context=c)) for c in contexts])
    some = np.flatnonzero(uniform)
    return ContextFronts(
        quality,
        setting,
        tuple(contexts),
        memory,
        tuple(_front(row, values, np.arange(len(values)), quality) for row in memory),
        tuple(_front(row, values, some, quality) for row in memory),
    )


def _front(
    memory: NDArray[np.float64], values: NDArray[np.float64], among: NDArray[np.int64], quality: Objective
) -> NDArray[np.int64]:
    points = np.column_stack([memory[among], values[among]])
    members = among[non_dominated(points, maximize=[False, quality.maximize])]
    return members[np.lexsort((values[members], memory[members]))]


def contexts_told(table: pd.DataFrame, found: ContextFronts, *, most: int = 6) -> list[dict[str, str]]:
    """Some of the contexts as a table: how many subnets are on the front, how many of them stay, and what memory is of."""
    chosen = np.unique(np.linspace(0, len(found.contexts) - 1, most).round().astype(int)).tolist()
    here, goal = set(found.members[found.now].tolist()), objective(MEMORY)
    values = table[found.quality.name].to_numpy(float)
    cache = table[CACHE].to_numpy(float)
    rows = []
    for number in chosen:
        members = found.members[number]
        best = members[np.argmax(values[members]) if found.quality.maximize else np.argmin(values[members])]
        memory = found.memory[number]
        tokens = found.contexts[number] * found.setting.batch
        share = cache[best] * found.setting.cache_share * tokens / memory[best]
        rows.append(
            {
                "context": format_count(found.contexts[number]),
                "on the front": format_count(len(members)),
                f"of those at {format_count(found.setting.context)}": format_count(
                    len(here & set(members.tolist()))
                ),
                f"best {within_sentence(found.quality.label)}": format_value(
                    float(values[best]), found.quality
                ),
                "its memory": format_value(float(memory[best]), goal),
                "of that KV cache": format_share(float(share)),
            }
        )
    return rows
