"""Measurements as a table, in memory and as CSV, and a table's rows as measurements."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import Counted, names_of
from core.pareto import Constraint, non_dominated, satisfies
from core.records import Measurement, Objective, Obtained, Source
from core.spaces import SearchSpace
from core.words import within_sentence

if TYPE_CHECKING:
    import pandas as pd

_COUNTED = Obtained(Source.COUNTED)


def source_column(name: str) -> str:
    """The column of a table that says how an objective's values were obtained, where that differs by row."""
    return f"{name}_source"


def standing(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.bool_]:
    """(n,) whether a front of these objectives may show the row: none of its values is predicted or a proxy."""
    stands = np.ones(len(table), bool)
    for column in (source_column(name) for name in names):
        if column in table:
            # Rows of a complete table beside those of a search say nothing of it: they were measured.
            told = table[column].fillna(str(Obtained(Source.MEASURED)))
            allowed = {text: Obtained.parse(text).source.may_stand for text in told.unique()}
            stands &= told.map(allowed).to_numpy(bool)
    return stands


def left_out(n: int, objectives: Sequence[Objective]) -> str:
    """The sentence beside a front that n subnets are not on, whatever their values; "" for none."""
    if not n:
        return ""
    labels = " or ".join(within_sentence(o.label) for o in objectives)
    return (
        f"{n:,} subnet{'s are' if n > 1 else ' is'} left out of this front: {labels} was only predicted there, and "
        "only measured, counted or trained values may stand on a front. Measure them to see where they belong."
    )


def never_measured(n: int, objectives: Sequence[Objective]) -> str:
    """The sentence beside a front that n subnets are not on for want of a value; "" for none.

    Args:
        n: subnets.
        objectives: those of which a value is missing.
    """
    if not n:
        return ""
    labels = " or ".join(within_sentence(o.label) for o in objectives)
    return f"{n:,} subnet{'s are' if n > 1 else ' is'} left off: {labels} was never measured for {'them' if n > 1 else 'it'}."


def evaluations(
    space: SearchSpace,
    objectives: Sequence[Objective],
    measurements: Sequence[Measurement],
    front_of: Sequence[str] = (),
    constraints: Sequence[Constraint] = (),
) -> pd.DataFrame:
    """One row per measurement, in the given order.

    Args:
        space: of the architectures.
        objectives: a column each.
        measurements: the rows.
        front_of: names of those that the front is of; all of them if left out.
        constraints: bounds on objectives among the columns.

    Columns: `arch_id`, the objectives, `on_front` (among the rows within the bounds, by the objectives that may be
    chosen by; never true where a value is predicted or a proxy, and such a row keeps no other one off), `source`.
    """
    import pandas as pd

    names = [o.name for o in objectives]
    asked = set(front_of or names)
    judged = [index for index, o in enumerate(objectives) if o.for_choosing and o.name in asked]
    values = [[float(m.values.get(name, np.nan)) for name in names] for m in measurements]
    points = np.array(values, dtype=float).reshape(-1, len(objectives))
    columns = {name: points[:, index] for index, name in enumerate(names)}
    stands = np.array([m.may_stand(names[index] for index in judged) for m in measurements], bool)
    stands &= satisfies(columns, constraints)
    on_front = non_dominated(
        np.where(stands[:, None], points[:, judged], np.nan),
        maximize=[objectives[index].maximize for index in judged],
    )
    return pd.DataFrame(
        {
            "arch_id": np.array([space.arch_id(m.arch) for m in measurements], dtype=object),
            **columns,
            "on_front": on_front,
            "source": np.array(
                [m.sources(n for n in names if n in m.values) for m in measurements], dtype=object
            ),
        }
    )


def architectures(space: SearchSpace, table: pd.DataFrame) -> pd.DataFrame:
    """A table of `evaluations` with `architecture` (a JSON object) instead of `arch_id`, as files have it."""
    written = [json.dumps(space.to_dict(space.from_id(arch_id))) for arch_id in table["arch_id"]]
    shown = table.drop(columns="arch_id")
    shown.insert(0, "architecture", np.array(written, dtype=object))
    return shown


def as_table(space: SearchSpace, measured: Sequence[tuple[int, Measurement]]) -> pd.DataFrame:
    """(step, measurement) pairs as a table like the library's; the first of an architecture counts.

    Columns besides: `<objective>_source` per objective, `source` and `step`.
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for step, measurement in measured:
        arch_id = space.arch_id(measurement.arch)
        if arch_id in rows:
            continue
        options = {name: space.option(measurement.arch, name) for name in space.names}
        told = {source_column(name): str(measurement.how(name)) for name in measurement.values}
        rows[arch_id] = {
            "arch_id": arch_id,
            **options,
            **measurement.values,
            **told,
            "source": measurement.sources(measurement.values),
            "step": step,
        }
    return pd.DataFrame(list(rows.values()), columns=None if rows else ["arch_id", *space.names])


def obtained_at(
    table: pd.DataFrame, row: int, names: Sequence[str], usual: Obtained
) -> Mapping[str, Obtained]:
    """How the values of one row of a table were obtained.

    Args:
        table: of the library, or of `as_table`.
        row: position of the row.
        names: objectives.
        usual: what holds for measured objectives of which the table says nothing.
    """
    known = dict.fromkeys(names, usual) | dict.fromkeys(names_of(Counted, names), _COUNTED)
    told = {name: table[source_column(name)].iat[row] for name in names if source_column(name) in table}
    # A search that did not look at an objective says nothing of it.
    return known | {name: Obtained.parse(text) for name, text in told.items() if isinstance(text, str)}


def obtained_by_row(
    table: pd.DataFrame, names: Sequence[str], usual: Obtained
) -> Callable[[int], Mapping[str, Obtained]]:
    """`obtained_at` of any row of a table that most rows of will be asked for."""
    if any(source_column(name) in table for name in names):
        return lambda row: obtained_at(table, row, names, usual)
    same = obtained_at(table, 0, names, usual)
    return lambda row: same


def measurements_of(
    space: SearchSpace, table: pd.DataFrame, names: Sequence[str], usual: Obtained
) -> list[Measurement]:
    """The rows of a complete table as measurements; `usual` as in `obtained_at`."""
    how = obtained_by_row(table, names, usual)
    values = table[list(names)].to_numpy(float).tolist()
    return [
        Measurement(
            space.from_id(arch_id), {n: v for n, v in zip(names, row, strict=True) if v == v}, how(index)
        )
        for index, (arch_id, row) in enumerate(zip(table["arch_id"], values, strict=True))
    ]
