"""Which samples each subnet got right, as packed bits, and the file that keeps them beside a table.

An accuracy says how many samples were right. Which ones decides how sure a difference is: two subnets that err on
the same samples are told apart by few. The bits of a whole table are kept, one row per row of the table.

The file is a NumPy archive (`numpy.load` reads it, nothing is ever unpickled) with one array per split. It holds a
row per *sample*, not per subnet: most samples are right for nearly all subnets in a row, so it packs ten times better.
"""

from __future__ import annotations

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

FORMAT = 1
MOST_BYTES = 64 * 2**20
"""Bits of a table that are kept at most, packed; a larger table has accuracies and no bits."""
_ABOUT = "about"
_FOREIGN = "The file of which samples were right cannot be read, or it belongs to another table. Measure every subnet again to get it."
# What reading a damaged archive may raise.
_BROKEN = (
    ValueError,
    KeyError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    NotImplementedError,
)


@dataclass(frozen=True, eq=False)
class CorrectBits:
    """Which samples of one split each subnet of a table got right.

    Attributes:
        bits: (n_subnets, ceil(n_samples / 8)) uint8, `numpy.packbits` along the samples; rows as in the table.
        n_samples: of the split.
        split: "validation" or "test".
        table_sha256: of the table whose rows these are, "" where it is not known yet.
    """

    bits: NDArray[np.uint8]
    n_samples: int
    split: str
    table_sha256: str = ""

    def __post_init__(self) -> None:
        if (
            self.n_samples < 1
            or self.bits.dtype != np.uint8
            or self.bits.ndim != 2
            or self.bits.shape[1] != packed_length(self.n_samples)
        ):
            raise InvalidInput(_FOREIGN)
        spare = 8 * self.bits.shape[1] - self.n_samples
        if spare and (self.bits[:, -1] & ((1 << spare) - 1)).any():
            raise InvalidInput(_FOREIGN)

    def __len__(self) -> int:
        return len(self.bits)

    def correct(self) -> NDArray[np.int64]:
        """(n_subnets,) how many samples each got right."""
        return np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64)

    def matrix(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """(n_subnets, n_samples) ones and zeros; of some rows where they are given."""
        chosen = self.bits if rows is None else self.bits[rows]
        return np.unpackbits(chosen, axis=1, count=self.n_samples)

    def row(self, index: int) -> NDArray[np.bool_]:
        """(n_samples,) whether one subnet got each sample right."""
        return np.unpackbits(self.bits[index], count=self.n_samples).astype(bool)


def bits_column(name: str) -> str:
    """The column of a walk that holds which samples were right, beside an objective's values."""
    return f"{name}_bits"


def packed_length(n_samples: int) -> int:
    """Bytes of one subnet's bits."""
    return -(-n_samples // 8)


def dump_bits(kept: Iterable[CorrectBits]) -> bytes:
    """The file's bytes, the same for the same content.

    Args:
        kept: one per split, all of one table.
    """
    every = {each.split: each for each in kept}
    about = {
        "format": FORMAT,
        "table_sha256": next((each.table_sha256 for each in every.values()), ""),
        "splits": {split: {"samples": each.n_samples, "subnets": len(each)} for split, each in every.items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        _write(archive, _ABOUT, np.array(json.dumps(about)))
        for split, each in sorted(every.items()):
            _write(archive, split, np.packbits(each.matrix().T, axis=1))
    return buffer.getvalue()


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[np.generic]) -> None:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    # A fixed date: equal content is an equal file.
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), compress_type=zipfile.ZIP_LZMA)


def parse_bits(data: bytes, *, n_subnets: int, table_sha256: str) -> Mapping[str, CorrectBits]:
    """What `dump_bits` wrote: split -> bits.

    Args:
        data: the file.
        n_subnets: rows of the table they must belong to.
        table_sha256: of that table; "" takes any.

    Raises:
        InvalidInput: the file is damaged, of a newer release, or belongs to another table.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            about = json.loads(str(archive[_ABOUT]))
            if about["format"] != FORMAT or (table_sha256 and about["table_sha256"] != table_sha256):
                raise InvalidInput(_FOREIGN)
            return {
                str(split): _read(archive[split], str(split), told, n_subnets, about["table_sha256"])
                for split, told in about["splits"].items()
            }
    except _BROKEN as error:
        raise InvalidInput(_FOREIGN) from error


def _read(
    by_sample: NDArray[np.uint8], split: str, told: Mapping[str, int], n_subnets: int, table: str
) -> CorrectBits:
    samples = int(told["samples"])
    if by_sample.shape != (samples, packed_length(n_subnets)) or by_sample.dtype != np.uint8:
        raise InvalidInput(_FOREIGN)
    if told["subnets"] != n_subnets:
        raise InvalidInput(_FOREIGN)
    by_subnet = np.unpackbits(by_sample, axis=1, count=n_subnets).T
    return CorrectBits(np.packbits(by_subnet, axis=1), samples, split, str(table))
