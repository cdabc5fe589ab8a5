"""The state of a training run as bytes: tensors in safetensors, no pickles, whatever device they were on.

All chance is a function of (seed, epoch), so weights, optimizer buffers, the frozen teacher, what the
strategy remembers and the number of finished epochs are the whole state: a resumed run equals an
uninterrupted one bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from core.config import JsonObject
from core.errors import DamagedArtifact

_STRATEGY, _SUPERNET = "strategy", "supernet"
_UNREADABLE = "The checkpoint of this training run cannot be read; start the run anew."


@dataclass(frozen=True)
class Restored:
    """What a state held besides the network and its optimizers, which it was put back into.

    Attributes:
        about: what was said of it when it was kept.
        teacher: weights of the frozen teacher, if there was one.
        average: averaged weights, if they were averaged.
        strategy: what the strategy's `state_dict` returned.
    """

    about: dict[str, int]
    teacher: dict[str, Tensor] | None
    average: dict[str, Tensor]
    strategy: dict[str, Any]


def dump(
    net: nn.Module,
    optimizers: Mapping[str, torch.optim.Optimizer],
    about: Mapping[str, int],
    *,
    teacher: Mapping[str, Tensor] | None = None,
    average: Mapping[str, Tensor] | None = None,
    strategy: Mapping[str, Any] | None = None,
    supernet: JsonObject | None = None,
) -> bytes:
    """Bytes of everything a run needs to go on.

    Args:
        net: weights and buffers.
        optimizers: by name; "weights" is the network's own.
        about: where the work stands, comes back as it was.
        teacher: weights of a frozen copy.
        average: averaged weights.
        strategy: tensors, arrays and JSON-able values, by name.
        supernet: family and settings of the network, where it is not the one the run began with.
    """
    tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    for key, optimizer in optimizers.items():
        for index, buffers in optimizer.state_dict()["state"].items():
            for name, value in buffers.items():
                if value is not None:
                    tensors[f"{_prefix(key)}{index}.{name}"] = torch.as_tensor(value)
    tensors |= {f"teacher.{name}": tensor for name, tensor in (teacher or {}).items()}
    tensors |= {f"average.{name}": tensor for name, tensor in (average or {}).items()}
    kinds: dict[str, str] = {}
    plain: dict[str, Any] = {}
    for name, value in (strategy or {}).items():
        if isinstance(value, np.ndarray | Tensor):
            tensors[f"strategy.{name}"] = torch.as_tensor(value)
            kinds[name] = "array" if isinstance(value, np.ndarray) else "tensor"
        else:
            plain[name] = value
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    # One entry, because safetensors writes several in any order, and equal states are equal bytes.
    said: dict[str, Any] = {**about} | ({_STRATEGY: {"plain": plain, "kinds": kinds}} if strategy else {})
    said |= {_SUPERNET: supernet} if supernet else {}
    return save(owned, metadata={"about": json.dumps(said)})


def _prefix(optimizer: str) -> str:
    # The network's own has kept its place since there were no others.
    return "optimizer." if optimizer == "weights" else f"optimizers.{optimizer}."


def about(data: bytes) -> dict[str, int]:
    """What was said of a state when it was kept.

    Raises:
        DamagedArtifact: the bytes are not such a state.
    """
    said = _said(data)
    return {name: value for name, value in said.items() if name not in (_STRATEGY, _SUPERNET)}


def supernet(data: bytes) -> JsonObject | None:
    """Family and settings of the network of a state, where it is not the one the run began with.

    Raises:
        DamagedArtifact: the bytes are not such a state.
    """
    found: JsonObject | None = _said(data).get(_SUPERNET)
    return found


def restore(
    data: bytes,
    net: nn.Module,
    optimizers: Mapping[str, torch.optim.Optimizer],
    *,
    strategy: Mapping[str, Any] | None = None,
) -> Restored:
    """Put a state back into a network and its optimizers.

    Args:
        data: what `dump` returned.
        net: of the same structure.
        optimizers: by the same names.
        strategy: a state of the same strategy, for its names.

    Raises:
        DamagedArtifact: the bytes are not such a state, or one of another network or strategy.
    """
    try:
        tensors = load(data)
        said = _said(data)
        buffers = {key: _buffers(_part(tensors, _prefix(key)), o) for key, o in optimizers.items()}
        teacher = _part(tensors, "teacher.")
        if teacher and _shapes(teacher) != _shapes(net.state_dict()):
            raise ValueError("the teacher is another network")
        said.pop(_SUPERNET, None)
        known = _strategy(said.pop(_STRATEGY, None), _part(tensors, "strategy."))
        if set(known) != set(strategy or {}):
            raise ValueError("the strategy is another one")
        net.load_state_dict(_part(tensors, "net."))
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise DamagedArtifact(_UNREADABLE) from error
    for key, optimizer in optimizers.items():
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": buffers[key], "param_groups": groups})
    return Restored(said, teacher or None, _part(tensors, "average."), known)


def _said(data: bytes) -> dict[str, Any]:
    try:
        length = int.from_bytes(data[:8], "little")
        return dict(json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["about"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedArtifact(_UNREADABLE) from error


def _strategy(said: dict[str, Any] | None, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """What a strategy wanted to be kept, every value as it gave it."""
    if said is None:
        return {}
    arrays = {n: tensors[n].numpy() if kind == "array" else tensors[n] for n, kind in said["kinds"].items()}
    return dict(said["plain"]) | arrays


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose name starts with the prefix, by the rest of their name."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _buffers(named: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """Optimizer buffers by the index of their parameter; a parameter never stepped has none.

    `load_state_dict` takes any buffers as they are; the next step would fail with a bare error or, where
    shapes broadcast, silently train something else.

    Raises:
        ValueError: a buffer belongs to no parameter, or has another shape, or one is missing.
    """
    buffers: dict[int, dict[str, Tensor]] = {}
    for name, tensor in named.items():
        index, field = name.split(".", 1)
        buffers.setdefault(int(index), {})[field] = tensor
    parameters = [(p, group) for group in optimizer.param_groups for p in group["params"]]
    for place, found in buffers.items():
        if not 0 <= place < len(parameters):
            raise ValueError(f"optimizer buffers of parameter {place}, which does not exist")
        expected = _expected(optimizer, *parameters[place])
        if expected is not None and _shapes(found) != expected:
            raise ValueError(f"optimizer buffers do not fit parameter {place}")
    return buffers


def _expected(
    optimizer: torch.optim.Optimizer, parameter: Tensor, group: dict[str, Any]
) -> dict[str, tuple[torch.Size, torch.dtype]] | None:
    """Shape and dtype of each buffer that the optimizer keeps for a parameter once it has stepped.

    None for an optimizer that a strategy brought and that is not known here.
    """
    alike = (parameter.shape, parameter.dtype)
    if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        return {"step": (torch.Size(), torch.float32), "exp_avg": alike, "exp_avg_sq": alike}
    if isinstance(optimizer, torch.optim.SGD):
        return {"momentum_buffer": alike} if group["momentum"] else {}
    return None
