"""Parquet files."""

from __future__ import annotations

import io
from typing import ClassVar

from core.errors import InvalidInput
from core.library.foreign_tables.base import MOST_BYTES, READERS, ForeignTable, TableReader, refuse_size


@READERS.register("parquet")
class ParquetFile(TableReader):
    """A Parquet file: columns with their types, packed."""

    label = "Parquet"
    source = "Apache Parquet format"
    suffixes: ClassVar[tuple[str, ...]] = ("parquet",)
    rank: ClassVar[int] = 10

    def fits(self, head: bytes) -> bool:
        return head[:4] in (b"PAR1", b"PARE")

    def read(self, data: bytes) -> ForeignTable:
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(io.BytesIO(data))
            about = file.metadata
            refuse_size(about.num_rows, about.num_columns)
            unfolded = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
            if unfolded > MOST_BYTES:
                raise InvalidInput(f"This table unfolds to more than {MOST_BYTES >> 20} MB.")
            # What another program has written beside the columns (pandas' own types) is not acted upon.
            table = file.read(use_threads=False).replace_schema_metadata(None)
            table.validate(full=True)  # texts that are none, offsets that point nowhere
            frame = table.to_pandas(ignore_metadata=True)
        except (InvalidInput, MemoryError):
            raise
        except Exception as error:  # pyarrow raises many kinds over a damaged file; all mean the same
            raise InvalidInput(
                "This Parquet file is damaged, or it uses a feature that is not known here."
            ) from error
        # Row numbers that pandas has written along; no column of the table.
        numbers = [name for name in frame.columns if str(name).startswith("__index_level_")]
        return ForeignTable(frame.drop(columns=numbers))
