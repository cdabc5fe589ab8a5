"""The idx format of the MNIST family: a four-byte code, big-endian sizes, then bytes.

Reading stops at the size the header promises, so a gzip file that unpacks to more costs nothing.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

MAX_BYTES = 256 * 2**20
"""Nothing in this family is larger (60,000 images of 28x28 are 47 MB)."""


def read_idx(path: Path) -> NDArray[np.uint8]:
    """An array of unsigned bytes from an .idx file, gzipped or not.

    Raises:
        InvalidInput: the file is not idx, not of bytes, too large, or cut short.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            zero, kind, n_dims = struct.unpack(">HBB", file.read(4))
            if zero != 0 or kind != 8 or not 1 <= n_dims <= 4:
                raise InvalidInput(f"{path.name} is not an idx file of bytes.")
            shape = struct.unpack(f">{n_dims}I", file.read(4 * n_dims))
            size = math.prod(shape)
            if size > MAX_BYTES:
                raise InvalidInput(f"{path.name} claims {size:,} bytes; at most {MAX_BYTES:,} are read.")
            data = file.read(size)
            if len(data) != size or file.read(1):
                raise InvalidInput(f"{path.name} does not hold the {size:,} bytes that its header promises.")
    except (struct.error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path.name} is cut short or damaged.") from error
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
