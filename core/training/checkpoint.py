"""The state of a training run as bytes: tensors in safetensors, no pickles.

All chance is a function of (seed, epoch), so weights, optimizer buffers, the frozen teacher and the
number of finished epochs are the whole state: a resumed run equals an uninterrupted one bit for bit.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from core.errors import DamagedArtifact

_UNREADABLE = "The checkpoint of this training run cannot be read; start the run anew."


def dump(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    teacher: dict[str, Tensor] | None,
    about: dict[str, Any],
) -> bytes:
    """Bytes of everything a run needs to go on; `about` is JSON-able and comes back as it was."""
    tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    state = optimizer.state_dict()["state"]
    for index, buffers in state.items():
        for name, value in buffers.items():
            if value is not None:
                tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    tensors |= {f"teacher.{name}": tensor for name, tensor in (teacher or {}).items()}
    owned = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    return save(owned, metadata={"about": json.dumps(about)})


def about(data: bytes) -> dict[str, Any]:
    """What was said of a state when it was kept.

    Raises:
        DamagedArtifact: the bytes are not such a state.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        said = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["about"])
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedArtifact(_UNREADABLE) from error
    return dict(said)


def restore(
    data: bytes, net: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor] | None, dict[str, Any]]:
    """Put a state back into a network and its optimizer; returns (teacher, about).

    Raises:
        DamagedArtifact: the bytes are not such a state, or one of another network.
    """
    try:
        tensors = load(data)
        said = about(data)
        buffers = _buffers(_part(tensors, "optimizer."), optimizer)
        teacher = _part(tensors, "teacher.")
        if teacher and _shapes(teacher) != _shapes(net.state_dict()):
            raise ValueError("the teacher is another network")
        net.load_state_dict(_part(tensors, "net."))
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DamagedArtifact(_UNREADABLE) from error
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": buffers, "param_groups": groups})
    return teacher or None, said


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
        if _shapes(found) != _expected(optimizer, *parameters[place]):
            raise ValueError(f"optimizer buffers do not fit parameter {place}")
    return buffers


def _expected(
    optimizer: torch.optim.Optimizer, parameter: Tensor, group: dict[str, Any]
) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Shape and dtype of each buffer that the optimizer keeps for a parameter once it has stepped."""
    alike = (parameter.shape, parameter.dtype)
    if isinstance(optimizer, torch.optim.AdamW):
        return {"step": (torch.Size(), torch.float32), "exp_avg": alike, "exp_avg_sq": alike}
    return {"momentum_buffer": alike} if group["momentum"] else {}
