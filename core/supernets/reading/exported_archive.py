"""What lies in a .pt2 file of torch.export: a graph as JSON, and weights as plain bytes. Nothing of it is run or unpickled.

Archives of torch before 2.8 keep weights in a pickle; torch's weights-only reader opens it, in a confined process.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

Array = NDArray[Any]
_DAMAGED = "The torch.export file is damaged, or it is none."
_MOST_JSON = 64 * 2**20
_MOST_FILES = 20_000
_GRAPH = "models/model.json"
_OLD_GRAPH = "serialized_exported_program.json"
_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "|b1", 13: "<u2"}
"""Torch's number of an element type -> NumPy's name of it; 13 is bfloat16, read as raw words."""


@dataclass(frozen=True, eq=False)
class Archive:
    """An exported program.

    Attributes:
        graph: its graph module, as JSON.
        tensors: parameters, buffers and constants by their full names.
        opset: version of the ATen operators.
    """

    graph: Mapping[str, Any]
    tensors: Mapping[str, Array]
    opset: int


def is_archive(data: bytes) -> bool:
    """Whether bytes look like one; cheap."""
    if data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith((_GRAPH, _OLD_GRAPH)) for name in archive.namelist()[:_MOST_FILES])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_archive(data: bytes) -> Archive:
    """The program in a file.

    Raises:
        InvalidInput: it is damaged, or larger than it says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_FILES or any(i.compress_type != zipfile.ZIP_STORED for i in infos):
                raise InvalidInput(_DAMAGED)
            if sum(info.file_size for info in infos) > len(data):
                raise InvalidInput(_DAMAGED)
            names = {info.filename for info in infos}
            inside = next((name for name in sorted(names) if name.endswith(_GRAPH)), None)
            if inside is None:
                return _old(archive, names)
            root = inside.removesuffix(_GRAPH)
            program = _json(archive, inside)
            tensors: dict[str, Array] = {}
            for kind in ("weights", "constants"):
                listed = f"{root}data/{kind}/model_{kind}_config.json"
                if listed in names:
                    for name, entry in _json(archive, listed)["config"].items():
                        if isinstance(entry, dict) and "tensor_meta" in entry:
                            tensors[name] = _tensor(archive, f"{root}data/{kind}/", entry)
            return Archive(program["graph_module"], tensors, int(program["opset_version"]["aten"]))
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(_DAMAGED) from error
    except (RuntimeError, EOFError) as error:
        raise InvalidInput(_DAMAGED) from error


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _MOST_JSON:
        raise InvalidInput("The graph in the torch.export file is larger than any that is read.")
    found = json.loads(archive.read(name))
    if not isinstance(found, dict):
        raise InvalidInput(_DAMAGED)
    return found


def _tensor(archive: zipfile.ZipFile, folder: str, entry: Mapping[str, Any]) -> Array:
    meta, raw = entry["tensor_meta"], archive.read(folder + entry["path_name"])
    if entry["use_pickle"]:
        return _unpickled(raw)
    words = np.frombuffer(raw, _TYPES[meta["dtype"]])
    shape, strides = (tuple(int(each["as_int"]) for each in meta[key]) for key in ("sizes", "strides"))
    offset = int(meta["storage_offset"]["as_int"])
    # Every number must lie in the bytes: a stride is a promise of a stranger.
    if min((*shape, *strides, offset), default=0) < 0 or len(shape) != len(strides) or 0 in shape:
        raise InvalidInput(_DAMAGED)
    reach = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if reach >= len(words) or math.prod(shape) > len(words):
        raise InvalidInput(_DAMAGED)
    size = words.itemsize
    view = np.lib.stride_tricks.as_strided(words[offset:], shape, [stride * size for stride in strides])
    array = view.copy()
    return (array.astype(np.uint32) << 16).view(np.float32) if meta["dtype"] == 13 else array


def _unpickled(raw: bytes) -> Array:
    import torch

    try:
        found = torch.load(io.BytesIO(raw), weights_only=True, map_location="cpu")
        return np.asarray(found.detach().float().numpy())
    except Exception as error:  # whatever a hostile pickle makes of it
        raise InvalidInput(_DAMAGED) from error


def _old(archive: zipfile.ZipFile, names: set[str]) -> Archive:
    """The layout of torch 2.1 to 2.7."""
    import torch

    inside = next((name for name in sorted(names) if name.endswith(_OLD_GRAPH)), None)
    if inside is None:
        raise InvalidInput(_DAMAGED)
    root = inside.removesuffix(_OLD_GRAPH)
    program = _json(archive, inside)
    tensors: dict[str, Array] = {}
    for part in ("serialized_state_dict.pt", "serialized_constants.pt"):
        if root + part not in names or not archive.getinfo(root + part).file_size:
            continue
        try:
            found = torch.load(io.BytesIO(archive.read(root + part)), weights_only=True, map_location="cpu")
            for name, tensor in found.items():
                if isinstance(tensor, torch.Tensor):
                    tensors[str(name)] = tensor.detach().float().contiguous().numpy()
        except Exception as error:  # whatever a hostile pickle makes of it
            raise InvalidInput(_DAMAGED) from error
    return Archive(program["graph_module"], tensors, int(program["opset_version"]["aten"]))
