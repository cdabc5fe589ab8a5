"""Complete tables as files: every architecture of a space by its option indices, and a column per objective."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidInput
from core.library.evaluations import source_column
from core.objectives.base import OBJECTIVES, known_names
from core.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas as pd


def parse_table(data: bytes, space: SearchSpace) -> pd.DataFrame:
    """A parquet table (uint8 option indices and objectives) as `core.library.supernets.table` describes it.

    Raises:
        InvalidInput: the bytes are no such table of this space.
    """
    import pandas as pd

    try:
        raw = pd.read_parquet(io.BytesIO(data))
        indices = raw[list(space.names)].to_numpy()
        with np.errstate(invalid="ignore"):
            rows = indices.astype(np.uint8)
        # -256 and 0.5 would become options that nobody asked for.
        if not (rows == indices).all():
            raise ValueError("no option indices")
        raw = _by_objective(raw)
        names = sorted(known_names(map(str, raw.columns)))
        values = {name: raw[name].to_numpy(np.float64) for name in names}
    except Exception as error:  # pyarrow raises many kinds, all mean the same here
        raise InvalidInput("This table cannot be read, or it belongs to another search space.") from error
    rows = space.canonicalize(rows)
    columns: dict[str, Any] = {"arch_id": space.arch_ids(rows)}
    for index, choice in enumerate(space.choices):
        columns[choice.name] = np.array(choice.options)[rows[:, index]]
    for name in names:
        columns[name] = values[name]
        if source_column(name) in raw:
            columns[source_column(name)] = raw[source_column(name)].astype(str).to_numpy(object)
    return pd.DataFrame(columns)


def _by_objective(raw: pd.DataFrame) -> pd.DataFrame:
    """Columns under the names of their objectives, without what an earlier release meant by a name."""
    columns = {OBJECTIVES.get(name).column: name for name in OBJECTIVES.names()}
    columns.pop("", None)
    return raw.drop(columns=list(columns.values()), errors="ignore").rename(columns=columns)


def dump_table(
    space: SearchSpace,
    rows: np.ndarray,
    values: Mapping[str, np.ndarray],
    sources: Mapping[str, Sequence[str]] | None = None,
) -> bytes:
    """The parquet bytes that `parse_table` reads.

    Args:
        space: of the architectures.
        rows: (n, d) option indices, written as small integers.
        values: objective -> (n,), written in the type the objective asks for.
        sources: objective -> how each value was obtained, where that differs by row.
    """
    import pandas as pd

    columns: dict[str, Any] = {name: rows[:, index] for index, name in enumerate(space.names)}
    for name, column in values.items():
        cls = OBJECTIVES.get(name)
        columns[cls.column or name] = column.astype(cls.stored)
    for name, told in (sources or {}).items():
        columns[source_column(name)] = list(told)
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
