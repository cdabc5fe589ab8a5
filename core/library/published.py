"""Published tables as the truth: what a benchmark says that the architectures of one of our spaces learn alone.

Rows are matched by what a benchmark calls an architecture (`arch_str`, where the family has such names) or by our own
JSON of choices. Columns of accuracies count as seeds: a benchmark that trained each architecture three times has three.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, NotFound
from core.library.coverage import MOST_WHOLE
from core.library.foreign_tables.base import MOST_BYTES
from core.library.foreign_tables.columns import as_numbers
from core.library.foreign_tables.decoding import read_foreign
from core.library.kept_tables import opened
from core.words import count_of

if TYPE_CHECKING:
    import pandas as pd

    from core.spaces import SearchSpace
    from core.store import RunStore
    from core.supernets.base import Supernet

_OURS = "architecture"
_MOST_NAMED = 12


@dataclass(frozen=True, eq=False)
class Published:
    """What a table says of the architectures of a space.

    Attributes:
        name: of the table.
        columns: that were read.
        accuracies: arch_id -> one fraction per column.
        rows: of the table.
    """

    name: str
    columns: tuple[str, ...]
    accuracies: dict[str, tuple[float, ...]]
    rows: int

    @property
    def sentence(self) -> str:
        """Which table and columns."""
        return f"{', '.join(self.columns)} of {self.name}"


def published(store: RunStore | None, table: str, columns: Sequence[str], supernet: Supernet) -> Published:
    """Read a table and find the architectures of a supernet's space in it.

    Args:
        store: where imported tables are kept.
        table: id of an imported one, or a file.
        columns: of accuracies, as fractions or in percent; the only one there is if empty.
        supernet: knows what its architectures are called.

    Raises:
        NotFound: there is no such table or column.
        InvalidInput: no row is an architecture of this space, a column holds no accuracies, or it is not clear which does.
    """
    name, frame = _read(store, table)
    wanted = [_column(frame, column) for column in columns] or [_only_accuracy(frame)]
    rows = _matched(frame, supernet)
    values = np.stack([_fractions(frame, column) for column in wanted], axis=1)
    found = {
        arch_id: tuple(values[row].tolist())
        for arch_id, row in rows.items()
        if np.isfinite(values[row]).all()
    }
    if not found:
        raise InvalidInput(
            f"No row of {name} is an architecture of this supernet: it needs a column of the benchmark's names (arch_str), or "
            "one called architecture with JSON of choices."
        )
    return Published(name, tuple(wanted), found, len(frame))


def _read(store: RunStore | None, table: str) -> tuple[str, pd.DataFrame]:
    kept = next((each for each in store.tables.list() if each.table_id == table), None) if store else None
    if kept is not None:
        assert store is not None
        return kept.name, opened(store, kept)[1].frame
    path = Path(table)
    if not path.is_file():
        raise NotFound(f"There is no table {table[:120]!r}: name a file, or import it on the Table page.")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput(f"This file is larger than {MOST_BYTES >> 20} MB.")
    import pandas as pd

    _, data = read_foreign(path.read_bytes())
    return path.name, pd.read_parquet(io.BytesIO(data))


def _column(frame: pd.DataFrame, name: str) -> str:
    names = [str(each) for each in frame.columns]
    if name in names:
        return name
    raise NotFound(f"This table has no column {name[:60]!r}. There are {', '.join(names[:_MOST_NAMED])}.")


def _only_accuracy(frame: pd.DataFrame) -> str:
    found = [str(n) for n in frame.columns if "acc" in str(n).lower() and _fits(as_numbers(frame[n]))]
    if len(found) == 1:
        return found[0]
    told = f"it may be {', '.join(found[:_MOST_NAMED])}" if found else "none looks like it"
    raise InvalidInput(f"Say which column holds the accuracies; {told}.")


def _fits(values: NDArray[np.float64]) -> bool:
    known = values[np.isfinite(values)]
    return len(known) > 0 and bool(known.min() >= 0 and known.max() <= 100)


def _fractions(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """(n,) accuracies of a column; more than 1 means percent."""
    values = as_numbers(frame[name])
    if not _fits(values):
        raise InvalidInput(
            f"Column {name[:60]!r} holds no accuracies: they lie between 0 and 1, or 0 and 100 %."
        )
    return values / 100 if np.nanmax(values) > 1 else values


def _matched(frame: pd.DataFrame, supernet: Supernet) -> dict[str, int]:
    """arch_id -> row; of an architecture that stands twice the first."""
    names = _names_of(supernet)
    best: dict[str, int] = {}
    for column in frame.columns:
        found: dict[str, int] = {}
        if str(column) == _OURS:
            found = _by_choices(frame[column], supernet.space)
        elif names:
            width = len(next(iter(names)))
            for row, cell in enumerate(_texts(frame[column], width)):
                if cell in names:
                    found.setdefault(names[cell], row)
        if len(found) > len(best):
            best = found
    return best


def _texts(column: pd.Series, width: int) -> list[str]:
    """Cells as text; whole numbers get back the zeros that a CSV file lost of digits."""
    if column.dtype.kind in "iu":
        return [str(cell).zfill(width) for cell in column]
    return [] if column.dtype.kind in "bf" else [str(cell) for cell in column]


def _names_of(supernet: Supernet) -> dict[str, str]:
    """What a benchmark calls an architecture -> its id; empty where the family has no such names."""
    named: Callable[[Sequence[int]], str] | None = getattr(supernet, "arch_string", None)
    space = supernet.space
    if named is None:
        return {}
    if space.size > MOST_WHOLE:
        raise InvalidInput(
            f"A space of {count_of(space.size, 'architecture')} is too large to find the rows of a table in."
        )
    rows = space.array()
    return {
        named(tuple(row)): arch_id for row, arch_id in zip(rows.tolist(), space.arch_ids(rows), strict=True)
    }


def _by_choices(column: pd.Series, space: SearchSpace) -> dict[str, int]:
    found: dict[str, int] = {}
    for row, cell in enumerate(column):
        try:
            choices = json.loads(str(cell))
            arch = space.from_dict(choices) if isinstance(choices, dict) else None
        except (ValueError, InvalidInput):
            continue
        if arch is not None:
            found.setdefault(space.arch_id(arch), row)
    return found
