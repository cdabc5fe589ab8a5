"""Whether a table that came with a stranger's supernet is the complete table of its space."""

from __future__ import annotations

import io

import numpy as np

from core.errors import InvalidInput
from core.objectives.base import OBJECTIVES, known_names
from core.spaces import SearchSpace

_OTHER = "The table in this archive does not hold every subnet of its supernet exactly once; export the supernet again."


def check_table(data: bytes, space: SearchSpace) -> None:
    """Refuse a table that is not one of every architecture of a space; in a confined process only.

    Args:
        data: parquet bytes, as `core.library.tables.dump_table` writes them.
        space: of the supernet.

    Raises:
        InvalidInput: it cannot be read, is of another space, or is not complete.
    """
    try:
        import pyarrow.parquet as parquet

        file = parquet.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows != space.size:
            raise InvalidInput(_OTHER)
        table = file.read()
        names = [str(name) for name in table.column_names]
        if len(names) != len(set(names)) or not set(space.names) <= set(names):
            raise InvalidInput(_OTHER)
        indices = np.stack([table.column(name).to_numpy() for name in space.names], axis=1)
        rows = indices.astype(np.uint8)
        if not (rows == indices).all() or not (space.canonicalize(rows) == rows).all():
            raise InvalidInput(_OTHER)
        if len(np.unique(rows, axis=0)) != len(rows):
            raise InvalidInput(_OTHER)
        columns = {OBJECTIVES.get(name).column or name for name in OBJECTIVES.names()}
        values = [name for name in names if name in columns or known_names([name])]
        if not values:
            raise InvalidInput(_OTHER)
        for name in values:
            table.column(name).to_numpy().astype(np.float64)
    except InvalidInput:
        raise
    except Exception as error:  # the reader raises many kinds over a damaged file
        raise InvalidInput("The table in this archive cannot be read; export the supernet again.") from error
