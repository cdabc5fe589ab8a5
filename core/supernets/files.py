"""A supernet as one file: weights in safetensors, everything else in its JSON header.

The header is checked before anything is allocated, the family's Config validates its settings, and
nothing is ever unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.torch import save

from core.config import JsonObject, Settings
from core.datasets.tokenizer_judging import MOST_BYTES
from core.errors import InvalidInput, plain
from core.networks.outline import outline
from core.networks.untrusted_files import METADATA, load_tensors, read_header
from core.spaces import SearchSpace
from core.supernets.base import Supernet
from core.supernets.families import FAMILIES
from core.supernets.headers import FORMAT, KEY, peek_supernet

_MOST_PARAMETERS = 200_000_000
TOKENIZER = "tokenizer_json"
"""Name of the tensor of bytes beside the weights that is the tokenizer."""
# Files of earlier releases do not say these of a choice.
_SAID_LATELY = {"kind", "unit", "ends"}


def build(family: str, config: JsonObject) -> Supernet:
    """A fresh supernet of a family.

    Raises:
        NotFound: there is no such family.
        InvalidInput: the configuration does not fit the family, or asks for too large a network.
    """
    settings = outline_of(family, config).config
    supernet: Supernet = FAMILIES.get(family)(settings)
    return supernet


def outline_of(family: str, config: JsonObject) -> Supernet:
    """A supernet without memory for its weights; raises as `build` does."""
    cls = FAMILIES.get(family)
    try:
        settings = cls.Config.model_validate(config)
        with outline():
            empty: Supernet = cls(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(
            f"The {family} configuration is wrong at {'.'.join(map(str, first['loc'])) or 'top'}: {plain(first['msg'])}."
        ) from error
    size = sum(p.numel() for p in empty.parameters())
    if size > _MOST_PARAMETERS:
        raise InvalidInput(
            f"This supernet would have {size:,} parameters; at most {_MOST_PARAMETERS:,} are accepted."
        )
    return empty


def rebuilt(description: JsonObject) -> Supernet:
    """A supernet of the structure that `described` wrote, with fresh weights; raises as `build` does."""
    family, config = description["family"], description["config"]
    assert isinstance(family, str)
    assert isinstance(config, dict)
    return build(family, config)


def described(supernet: Supernet) -> JsonObject:
    """Family and settings, from which `build` makes one of the same structure."""
    return {"family": supernet.name, "config": supernet.config.model_dump(mode="json")}


def dump_supernet(supernet: Supernet, card: JsonObject) -> bytes:
    """The file's bytes: weights plus family, configuration and card; a tensor that stages share stands once."""
    header = {
        "format": FORMAT,
        **described(supernet),
        "space": supernet.space.to_json(),
        "card": card,
    }
    state, shared = supernet.state_dict(), shared_names(supernet)
    tensors = {n: t.detach().cpu().contiguous().clone() for n, t in state.items() if n not in shared}
    if supernet.tokenizer:
        tensors[TOKENIZER] = torch.frombuffer(bytearray(supernet.tokenizer), dtype=torch.uint8)
    return save(tensors, metadata={KEY: json.dumps(header)})


def _tokenizer(array: NDArray[Any] | None) -> bytes:
    """The tokenizer.json that lies beside the weights, b"" for none; whoever uses it judges it (`Tokenizing.read`)."""
    if array is None:
        return b""
    if array.dtype != np.uint8 or array.ndim != 1 or array.nbytes > MOST_BYTES:
        raise InvalidInput("The tokenizer in this file is damaged: it is no row of bytes, or too long.")
    return array.tobytes()


def shared_names(supernet: Supernet) -> dict[str, str]:
    """Names under which a tensor is found again -> its first name, where stages share a module or a tensor."""
    first: dict[int, str] = {}
    found = {}
    for name, tensor in supernet.state_dict(keep_vars=True).items():
        if first.setdefault(id(tensor), name) != name:
            found[name] = first[id(tensor)]
    return found


def _describes(said: list[Any], space: SearchSpace) -> bool:
    """Whether the header says of each choice nothing but what is so; older files say less of them."""
    built = space.to_json()
    return len(said) == len(built) and all(
        isinstance(s, dict) and set(b) - _SAID_LATELY <= set(s) and {**b, **s} == b
        for s, b in zip(said, built, strict=True)
    )


def load_supernet(file: Path | bytes) -> tuple[Supernet, Settings]:
    """The supernet in a file and its card.

    Raises:
        InvalidInput: the file is damaged, hostile, or its weights do not fit its configuration.
    """
    header = peek_supernet(file)
    empty = outline_of(header["family"], header["config"])
    if not _describes(header["space"], empty.space):
        raise InvalidInput("The search space this file describes is not the one its configuration builds.")
    # The first release stored a shared tensor under each of its names.
    shared = shared_names(empty)

    def with_shared(found: dict[str, Any]) -> dict[str, Any]:
        return found | {name: found[of] for name, of in shared.items() if of in found and name not in found}

    # A configuration may ask for a network far larger than the file that carries it.
    beside = {METADATA, TOKENIZER} - set(empty.state_dict())
    shapes = {name: tuple(entry["shape"]) for name, entry in read_header(file).items() if name not in beside}
    if with_shared(shapes) != {name: tuple(t.shape) for name, t in empty.state_dict().items()}:
        raise InvalidInput("The weights in this file do not fit the supernet it describes.")
    supernet = build(header["family"], header["config"])
    arrays = load_tensors(file)
    supernet.tokenizer = _tokenizer(arrays.pop(TOKENIZER, None)) if TOKENIZER in beside else b""
    tensors = with_shared({name: torch.from_numpy(array) for name, array in arrays.items()})
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point()):
        raise InvalidInput("The weights in this file contain numbers that are not finite.")
    supernet.load_state_dict(tensors)
    return supernet.requires_grad_(False), header["card"]
