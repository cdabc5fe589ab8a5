"""Weights of a folder: one safetensors file, or parts that an index lists. Headers are judged before a number is read.

Numbers of 16 bits are read as float32: the same values. Whole numbers, 8-bit numbers and packed ones (quantized
weights) are refused. No torch until tensors are made.

Source: huggingface/safetensors (README, "Format"); the index is what `save_pretrained` writes for large models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.datasets.archives import shown
from core.errors import InvalidInput
from core.networks.untrusted_files import METADATA, load_tensors, read_header
from core.supernets.folders.folder import INDEX, SHARD, WEIGHTS, Folder

if TYPE_CHECKING:
    from torch import Tensor

_FLOATS = ("F16", "BF16", "F32", "F64")
_MOST_SHARDS = 64


@dataclass(frozen=True)
class Stored:
    """Where a tensor is and what it is: its file, its type as safetensors names it, its shape."""

    file: str
    dtype: str
    shape: tuple[int, ...]


def stored(folder: Folder) -> dict[str, Stored]:
    """Every tensor of a folder by its name in the file.

    Raises:
        InvalidInput: there are no weights in safetensors, a part is missing, or a header is not as it should be.
    """
    folder.require_weights()
    if WEIGHTS in folder:  # what transformers takes first as well
        return _of(folder, WEIGHTS)
    listed = _listed(folder)
    found: dict[str, Stored] = {}
    for file in sorted(set(listed.values())):
        if file not in folder:
            raise InvalidInput(
                f"A part of the weights is missing: {shown(file)}, which {INDEX} names; copy every file of the folder."
            )
        for name, entry in _of(folder, file).items():
            if listed.get(name) != file:
                raise InvalidInput(
                    f"{shown(file)} holds {name}, which {INDEX} does not say; copy the folder again."
                )
            found[name] = entry
    if left := sorted(set(listed) - set(found)):
        raise InvalidInput(f"{INDEX} names {shown(left[0])}, which is in none of its files.")
    return found


def read(folder: Folder, where: Mapping[str, Stored], names: Sequence[str]) -> dict[str, Tensor]:
    """Some tensors in float32, by their names in the files.

    Raises:
        InvalidInput: one is not of floating-point numbers, or holds numbers that are not finite.
    """
    import torch

    for name in names:
        require_floats(name, where[name])
    tensors: dict[str, Tensor] = {}
    for file in sorted({where[name].file for name in names}):
        wanted = [name for name in names if where[name].file == file]
        for name, array in load_tensors(folder.source(file), only=wanted).items():
            tensor = torch.from_numpy(array).to(torch.float32)
            if not bool(torch.isfinite(tensor).all()):
                raise InvalidInput(f"The tensor {name} holds numbers that float32 does not.")
            tensors[name] = tensor
    return tensors


def require_floats(name: str, entry: Stored) -> None:
    """A tensor holds floating-point numbers.

    Raises:
        InvalidInput: it does not.
    """
    if entry.dtype not in _FLOATS:
        raise InvalidInput(
            f"The tensor {name} is of type {entry.dtype}: quantized or packed weights are not read; save the network in "
            "float32, float16 or bfloat16."
        )


def _of(folder: Folder, file: str) -> dict[str, Stored]:
    header = read_header(folder.source(file))
    return {
        name: Stored(file, entry["dtype"], tuple(entry["shape"]))
        for name, entry in header.items()
        if name != METADATA
    }


def _listed(folder: Folder) -> dict[str, str]:
    """Tensor -> its file, as the index says."""
    listed = folder.json(INDEX).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise InvalidInput(f"{INDEX} lists no tensors; copy the folder again.")
    files: dict[str, str] = {}
    for name, file in listed.items():
        if not isinstance(file, str) or not SHARD.fullmatch(file):
            raise InvalidInput(
                f"{INDEX} names a file that is no part of a network ({shown(str(file))}); parts are called "
                "model-00001-of-00002.safetensors."
            )
        files[name] = file
    if len(set(files.values())) > _MOST_SHARDS:
        raise InvalidInput(f"The weights are in more than {_MOST_SHARDS} parts, which is not accepted.")
    return files
