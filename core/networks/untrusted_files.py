"""Weights from strangers: a .safetensors file read without trusting one byte of it.

The format is the right one for exchange (no code, bounds stated up front), yet its own reader accepts
duplicate keys, a million empty tensors, names like ../../etc/passwd and dimensions of 2**62. So the
header is parsed here first, within limits, and nothing is allocated before the whole of it has been
judged. Pickled checkpoints (.pt, .pth, .ckpt, .pkl) are never opened at all: loading one can run code
or claim a terabyte, whatever options are passed.

Source: the format is described at https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, NotFound

MAX_FILE_BYTES = 2 * 2**30
MAX_HEADER_BYTES = 4 * 2**20
MAX_TENSORS = 20_000
MAX_DIMENSION = 2**31 - 1
MAX_RANK = 8
METADATA = "__metadata__"
_MAX_METADATA_KEYS = 64
_NAME = re.compile(r"[A-Za-z0-9_.]{1,200}")
_TYPE = re.compile(r"[A-Z0-9_]{1,16}")

DTYPES: dict[str, str] = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "F16": "<f2",
    "BF16": "<u2",
    "F32": "<f4",
    "F64": "<f8",
}
"""Accepted element types and how NumPy reads them (BF16 as raw words, widened to float32)."""

_PICKLED = (
    "Pickled checkpoints (.pt, .pth, .ckpt, .pkl) are never opened here, because loading one can run code; "
    "save the weights as .safetensors with safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
)
_ONLY = "Only .safetensors files are accepted as supernets."
_PICKLED_ENDINGS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib", ".tar", ".pt2", ".mar")


def read_header(file: Path | str | bytes) -> dict[str, Any]:
    """The checked header: tensor name to `dtype`, `shape`, `data_offsets`, and "__metadata__" (text to text).

    Args:
        file: the bytes of an upload, or a path.

    Raises:
        NotFound: there is no such file.
        InvalidInput: anything about the header is not as an honest writer makes it.
    """
    with _opened(file) as stream:
        header, _ = _read_header(stream)
    return header


def load_tensors(file: Path | str | bytes, only: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Every tensor as its own writable array, after the header has been checked.

    BF16 arrives as float32 (the same values), everything else in its own type.

    Args:
        file: the bytes of an upload, or a path.
        only: names of the tensors that are wanted; all if left out.

    Raises:
        NotFound: there is no such file.
        InvalidInput: as for `read_header`, or a tensor holds a NaN or an infinity.
    """
    tensors: dict[str, NDArray[Any]] = {}
    with _opened(file) as stream:
        header, start = _read_header(stream)
        for name, entry in header.items():
            if name == METADATA or (only is not None and name not in only):
                continue
            begin, end = entry["data_offsets"]
            stream.seek(start + begin)
            data = stream.read(end - begin)
            if len(data) != end - begin:
                raise InvalidInput("The safetensors file was cut short while it was read.")
            tensors[name] = _array(name, entry["dtype"], entry["shape"], data)
    return tensors


def refuse_reason(data: bytes, filename: str) -> str | None:
    """Why an uploaded checkpoint is not accepted, in one plain sentence; None for a sound .safetensors.

    The contents decide as well as the name: a pickle called model.safetensors is still a pickle.
    Nothing is ever unpickled or unpacked.
    """
    name = filename.lower()
    if name.endswith(_PICKLED_ENDINGS):
        return _PICKLED
    if name.endswith(".onnx"):
        return "An .onnx file holds one fixed network, not a supernet; upload a supernet's .safetensors file."
    try:
        read_header(data)
    except InvalidInput as error:
        # Only now: a sound header may well begin with the same bytes as a pickle.
        if _looks_pickled(data):
            return _PICKLED
        if data[:4] == b"PK\x03\x04" or name.endswith(".zip"):
            return (
                "A supernet is uploaded as its .safetensors file; unpack the zip and upload that file alone."
            )
        return str(error) if name.endswith(".safetensors") else _ONLY
    return None if name.endswith(".safetensors") else _ONLY


def _looks_pickled(data: bytes) -> bool:
    """Whether bytes begin as a pickle, a torch archive of pickles, or a tar (torch before 0.1.10)."""
    if data[:4] == b"PK\x03\x04":
        # torch writes data.pkl first; the list of files stands at the end.
        return b".pkl" in data[:512] or b".pkl" in data[-65_536:]
    binary_pickle = len(data) > 2 and data[0] == 0x80 and data[1] <= 5
    return binary_pickle or data[:1] in (b"(", b"c", b"]", b"}") or data[257:262] == b"ustar"


def _opened(file: Path | str | bytes) -> IO[bytes]:
    if isinstance(file, bytes | bytearray | memoryview):
        return io.BytesIO(file)
    path = Path(file)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    return path.open("rb")


def _read_header(stream: IO[bytes]) -> tuple[dict[str, Any], int]:
    """The checked header and where the tensors start."""
    total = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if total > MAX_FILE_BYTES:
        raise InvalidInput(f"The file has {total:,} bytes; at most {MAX_FILE_BYTES:,} are accepted.")
    length = int.from_bytes(stream.read(8), "little")
    if total < 10 or not 2 <= length <= total - 8:
        raise InvalidInput("The file is not in the safetensors format, or it is cut short.")
    if length > MAX_HEADER_BYTES:
        raise InvalidInput(f"The safetensors header is longer than {MAX_HEADER_BYTES:,} bytes.")
    header = _parse(stream.read(length))
    metadata = header.get(METADATA, {})
    _check_metadata(metadata)
    tensors = {name: entry for name, entry in header.items() if name != METADATA}
    if len(tensors) > MAX_TENSORS:
        raise InvalidInput(f"The safetensors file lists more than {MAX_TENSORS:,} tensors.")
    spans = sorted(_check_tensor(name, entry) for name, entry in tensors.items())
    end = 0
    for begin, stop in spans:
        if begin != end:
            raise InvalidInput("The safetensors file has gaps or overlaps between its tensors.")
        end = stop
    if 8 + length + end != total:
        raise InvalidInput("The safetensors file does not have the size that its header promises.")
    return header, 8 + length


def _parse(text: bytes) -> dict[str, Any]:
    objects = 0

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        if objects > MAX_TENSORS + 2:
            raise InvalidInput(f"The safetensors file lists more than {MAX_TENSORS:,} tensors.")
        result = dict(pairs)
        if len(result) != len(pairs):
            # Readers differ in which of two equal keys they believe.
            raise InvalidInput("The safetensors header names something twice.")
        return result

    if not text.startswith(b"{"):
        raise InvalidInput("The file is not in the safetensors format.")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The safetensors header cannot be read.") from error
    if not isinstance(header, dict):
        raise InvalidInput("The safetensors header cannot be read.")
    return header


def _check_metadata(metadata: Any) -> None:
    # Its size is bounded by the header's; what counts is that it is text and nothing else.
    if (
        not isinstance(metadata, dict)
        or len(metadata) > _MAX_METADATA_KEYS
        or not all(len(key) <= 200 and _is_text(key) and _is_text(value) for key, value in metadata.items())
    ):
        raise InvalidInput("The description inside the safetensors file is not plain text.")


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be written out again (JSON may smuggle half a character in)."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_tensor(name: str, entry: Any) -> tuple[int, int]:
    """The (begin, end) of a tensor's bytes, everything about it having been judged."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A tensor has a name with characters other than letters, digits, dots and underscores."
        )
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise InvalidInput(f"The entry of tensor {name} is not complete.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        told = f" ({dtype})" if isinstance(dtype, str) and _TYPE.fullmatch(dtype) else ""
        raise InvalidInput(f"Tensor {name} has a number type that is not accepted{told}.")
    if (
        not _whole_numbers(shape)
        or len(shape) > MAX_RANK
        or not all(0 < size <= MAX_DIMENSION for size in shape)
    ):
        raise InvalidInput(f"Tensor {name} has an impossible shape.")
    if (
        not _whole_numbers(offsets)
        or len(offsets) != 2
        or not 0 <= offsets[0] <= offsets[1] <= MAX_FILE_BYTES
    ):
        raise InvalidInput(f"Tensor {name} lies outside the file.")
    if offsets[1] - offsets[0] != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise InvalidInput(f"Tensor {name} does not have the size of its shape.")
    return offsets[0], offsets[1]


def _whole_numbers(values: Any) -> bool:
    # bool is an int in Python, but `true` is not a size.
    return isinstance(values, list) and all(type(value) is int for value in values)


def _array(name: str, dtype: str, shape: list[int], data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.frombuffer(data, dtype=DTYPES[dtype]).reshape(shape)
    if dtype == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif dtype == "BOOL":
        if array.view(np.uint8).size and int(array.view(np.uint8).max()) > 1:
            raise InvalidInput(f"Tensor {name} holds values that are neither true nor false.")
        array = array.copy()
    else:
        array = array.copy()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidInput(f"Tensor {name} holds numbers that are not finite.")
    return array
