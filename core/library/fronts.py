"""What the Front page shows of a table, computed: front, knees, hypervolume, neighbors, effects.

Pure functions of a table (see `library.table`), objective names and constraints. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.library.evaluations import left_out, never_measured, standing
from core.objectives.base import objectives
from core.pareto import (
    Constraint,
    hypervolume,
    knee_by_distance,
    knee_by_utility,
    non_dominated,
    reference_point,
    satisfies,
)
from core.spaces import Arch, SearchSpace
from core.spaces.choice import Option


@dataclass(frozen=True)
class Front:
    """A table's trade-off between some objectives.

    Attributes:
        table: the rows that meet the constraints, with a boolean column `on_front`.
        members: the rows on the front, ordered by the first objective.
        knees: definition ("distance", "utility") -> arch_id, where it exists.
        hypervolume: of the front against `reference`.
        reference: one value per objective.
        names: the objectives.
        n_total: rows before the constraints.
        left_out: a sentence about rows that may not stand on a front because a value is only predicted or a
            proxy; "" where there are none.
    """

    table: pd.DataFrame
    members: pd.DataFrame
    knees: dict[str, str]
    hypervolume: float
    reference: tuple[float, ...]
    names: tuple[str, ...]
    n_total: int
    left_out: str = ""


def front(table: pd.DataFrame, names: Sequence[str], constraints: Sequence[Constraint] = ()) -> Front:
    """The front of the rows that meet the constraints.

    The reference point comes from the whole table, so hypervolumes under different constraints compare. A row
    with a value that is predicted or a proxy is on no front and keeps no other row off one.

    Raises:
        InvalidInput: an objective is not in the table, or fewer than two are given.
    """
    if missing := [n for n in names if n not in table]:
        raise InvalidInput(f"{objectives(missing)[0].label} was not measured for this table.")
    if len(set(names)) != len(names) or len(names) < 2:
        raise InvalidInput("A front needs at least two different objectives.")
    maximize = [o.maximize for o in objectives(names)]
    everything = table[list(names)].to_numpy(float)[standing(table, names)]
    finite = everything[np.isfinite(everything).all(axis=1)]
    reference = reference_point(finite, maximize=maximize) if len(finite) else np.zeros(len(names))
    kept = (
        table[satisfies({c.objective: table[c.objective].to_numpy() for c in constraints}, constraints)]
        if constraints
        else table
    )
    stands = standing(kept, names)
    values = kept[list(names)].to_numpy(float)
    unknown = np.isnan(values)
    lacking = [name for name, column in zip(names, unknown.T, strict=True) if column.any()]
    points = np.where(stands[:, None], values, np.nan)
    on_front = non_dominated(points, maximize=maximize)
    kept = kept.assign(on_front=on_front)
    members = kept[on_front].sort_values([names[0], "arch_id"])
    values = members[list(names)].to_numpy(float)
    knees: dict[str, str] = {}
    for label, find in (("distance", knee_by_distance), ("utility", knee_by_utility)):
        index = find(values, maximize=maximize) if len(values) else None
        if index is not None:
            knees[label] = str(members["arch_id"].iloc[index])
    volume = hypervolume(values, reference, maximize=maximize) if len(values) else 0.0
    return Front(
        table=kept,
        members=members,
        knees=knees,
        hypervolume=volume,
        reference=tuple(float(r) for r in reference),
        names=tuple(names),
        n_total=len(table),
        left_out=" ".join(
            filter(
                None,
                (
                    left_out(int((~stands).sum()), objectives(names)),
                    never_measured(int((stands & unknown.any(axis=1)).sum()), objectives(lacking)),
                ),
            )
        ),
    )


def neighbors_on_front(view: Front, arch_id: str) -> tuple[str | None, str | None]:
    """`arch_id`s of the front's members just below and just above a subnet along the first objective."""
    value = _value_of(view, arch_id)
    if value is None:
        return None, None
    # Members are in order of the first objective.
    ids, values = view.members["arch_id"], view.members[view.names[0]].to_numpy(float)
    below, above = int(np.searchsorted(values, value)) - 1, int(np.searchsorted(values, value, "right"))
    return (
        str(ids.iat[below]) if below >= 0 else None,
        str(ids.iat[above]) if above < len(values) else None,
    )


def _value_of(view: Front, arch_id: str) -> float | None:
    """A subnet's value of the first objective, None where it does not meet the limits."""
    for rows in (view.members, view.table):  # the members are few, and asked for most
        found = np.flatnonzero(rows["arch_id"].to_numpy(object) == arch_id)
        if len(found):
            return float(rows[view.names[0]].to_numpy(np.float64)[found[0]])
    return None


def choice_effects(space: SearchSpace, table: pd.DataFrame, arch: Arch, names: Sequence[str]) -> pd.DataFrame:
    """What changing one choice of a subnet does: one row per neighbor.

    Columns: `choice`, `option` (new), `arch_id`, then the change of every objective.
    """
    changes = single_changes(space, arch)
    ids = [space.arch_id(neighbor) for _, _, neighbor in changes]
    at = pd.Index(table["arch_id"]).get_indexer([space.arch_id(arch), *ids])
    if at[0] < 0:
        raise KeyError(space.arch_id(arch))
    known = np.flatnonzero(at[1:] >= 0)
    values = table[list(names)].to_numpy(float)
    delta = values[at[1:][known]] - values[at[0]]
    rows = [(changes[i][0], changes[i][1], ids[i]) for i in known]
    return pd.DataFrame(rows, columns=["choice", "option", "arch_id"]).assign(
        **{name: delta[:, j] for j, name in enumerate(names)}
    )


def single_changes(space: SearchSpace, arch: Arch) -> list[tuple[str, Option, Arch]]:
    """(choice, new option, resulting architecture) for every other option of every choice that matters."""
    found = []
    for index, choice in enumerate(space.choices):
        if space.is_active(arch, choice.name):
            for option, value in enumerate(choice.options):
                if option != arch[index]:
                    found.append(
                        (choice.name, value, space.canonical([*arch[:index], option, *arch[index + 1 :]]))
                    )
    return found


def changed(space: SearchSpace, arch: Arch, options: Mapping[str, Option]) -> Arch:
    """The architecture with some choices set to other options; new choices start at their first option.

    Raises:
        InvalidInput: an option does not exist.
    """
    values = list(arch)
    for name, option in options.items():
        if name not in space.position or option not in space.choices[space.position[name]].options:
            raise InvalidInput(f"{name} cannot be {option!r}.")
        values[space.position[name]] = space.choices[space.position[name]].options.index(option)  # type: ignore[arg-type]
    return space.canonical(values)


def option_shares(space: SearchSpace, table: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """How often each option occurs on the front and in the whole table: `choice`, `option`, `front`, `all`.

    A choice that does not matter for some subnets (a block beyond their depth) has a row more, whose option is
    None: the share of those. So the shares of a choice add up to 1, but for an empty front.
    """
    parts = []
    taken = {"front": _taken(space, members), "all": _taken(space, table)}
    for index, choice in enumerate(space.choices):
        options: list[Option | None] = [*choice.options, *([None] if choice.requires else [])]
        counts = {
            name: np.bincount(rows[:, index], minlength=len(choice.options) + 1)[: len(options)]
            / max(len(rows), 1)
            for name, rows in taken.items()
        }
        parts.append(pd.DataFrame({"choice": choice.name, "option": np.array(options, object), **counts}))
    return pd.concat(parts, ignore_index=True)


def _taken(space: SearchSpace, table: pd.DataFrame) -> NDArray[np.int64]:
    """(n, d) options that the rows of a table take; one beyond the last where the choice does not matter."""
    rows = space.from_ids(table["arch_id"].tolist()) if len(table) else np.zeros((0, len(space)), np.uint8)
    return np.where(space.active(rows), rows, np.array(space.cardinalities)).astype(np.int64)
