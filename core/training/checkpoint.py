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
        net.load_state_dict({n.removeprefix("net."): t for n, t in tensors.items() if n.startswith("net.")})
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise DamagedArtifact(_UNREADABLE) from error
    buffers: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".", 2)
            buffers.setdefault(int(index), {})[field] = tensor
    state = optimizer.state_dict()
    optimizer.load_state_dict({"state": buffers, "param_groups": state["param_groups"]})
    teacher = {n.removeprefix("teacher."): t for n, t in tensors.items() if n.startswith("teacher.")}
    return teacher or None, said
