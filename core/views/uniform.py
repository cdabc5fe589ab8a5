"""Uniform sizes: subnets whose layers are all alike, at any depth; the line that mixes of layers must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.library.evaluations import standing
from core.objectives.base import objectives
from core.pareto import non_dominated
from core.records import Objective
from core.spaces import SearchSpace
from core.words import count_of, format_value, within_sentence

if TYPE_CHECKING:
    import pandas as pd


def uniform_rows(space: SearchSpace, arch_ids: Sequence[str]) -> NDArray[np.bool_]:
    """(n,) which subnets have the same option in each layer they have, for each thing that layers choose.

    Choices of one kind and unit are the layers' choices of one thing (the hidden units of each MLP, the heads of each
    layer), in the order of the layers. An option of 0 leaves a layer out: the layers that stay must be the first ones. A
    layer's choice that does not matter (the heads of a layer that is left out) is alike with any other. Nothing is
    uniform where no two choices are of one thing: there is nothing to mix.

    Args:
        space: of the subnets.
        arch_ids: n ids.
    """
    several = _of_layers(space)
    if not several or not len(arch_ids):
        return np.zeros(len(arch_ids), bool)
    rows = space.from_ids(list(arch_ids))
    matters = space.active(rows)
    alike = np.ones(len(rows), bool)
    for members in several:
        values = np.stack([np.array(space.choices[i].options, float)[rows[:, i]] for i in members], axis=1)
        there = matters[:, members] & (values != 0)
        low = np.where(there, values, np.inf).min(axis=1)
        high = np.where(there, values, -np.inf).max(axis=1)
        left_out = matters[:, members] & (values == 0)
        # Once a layer is left out, so are all after it.
        first_ones = (np.diff(left_out.astype(np.int8), axis=1) >= 0).all(axis=1)
        alike &= (low >= high) & first_ones
    return alike


def may_mix(space: SearchSpace) -> bool:
    """Whether layers of a space may differ in something."""
    return bool(_of_layers(space))


def _of_layers(space: SearchSpace) -> list[list[int]]:
    """Positions of the choices that several layers make of one thing."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, choice in enumerate(space.choices):
        if choice.kind and choice.ordinal:
            # 0 leaves a layer out; not every layer may be.
            sizes = frozenset(choice.options) - {0}
            groups.setdefault((choice.kind, choice.unit, sizes), []).append(index)
    return [members for members in groups.values() if len(members) > 1]


def uniform_front(space: SearchSpace, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The uniform subnets that no other uniform one beats, in order of the first objective.

    Args:
        space: of the subnets.
        table: rows with `arch_id` and a column per objective.
        names: two objectives; rows with a value that may not stand on a front are left out.
    """
    rows = table[uniform_rows(space, table["arch_id"].tolist()) & standing(table, names)]
    points = rows[list(names)].to_numpy(float)
    members = rows[non_dominated(points, maximize=[goal.maximize for goal in objectives(names)])]
    return members.sort_values([names[0], "arch_id"])


def beaten_by(table: pd.DataFrame, uniform: pd.DataFrame, x: Objective, y: Objective) -> str:
    """What mixes gain over the uniform sizes, in a sentence; "" where there are none.

    For each uniform size that some mix beats: the best second objective among all subnets that cost no more.
    """
    if uniform.empty:
        return ""
    costs, quality = (table[goal.name].to_numpy(float) * (-1 if goal.maximize else 1) for goal in (x, y))
    gains = []
    for cost, value in zip(uniform[x.name].to_numpy(float), uniform[y.name].to_numpy(float), strict=True):
        within = costs <= (-cost if x.maximize else cost)
        best = float(np.nanmin(quality[within])) * (-1 if y.maximize else 1)
        gains.append((best - value, value))
    better = [(gain, value) for gain, value in gains if (gain > 0 if y.maximize else gain < 0)]
    n = len(uniform)
    if not better:
        return f"No mix beats any of the {count_of(n, 'uniform size')} here."
    gain, value = max(better, key=lambda pair: abs(pair[0]))
    return (
        f"Mixes beat {len(better)} of {n} uniform sizes at no more {within_sentence(x.label)}; at most by "
        f"{format_value(gain, y, signed=True)} {within_sentence(y.label)} (from {format_value(value, y)})."
    )
