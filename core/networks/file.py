"""A network of plain blocks as one file: weights in safetensors, names and arguments of its blocks as JSON.

A network trained alone is kept like a supernet: no pickle, no code. A file is judged before anything is
allocated: its description first (see `core.networks.chain`), then the network is built without memory and
shown an input without memory, then its weights must have exactly the shapes it expects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import torch
from safetensors.torch import save
from torch import nn

from core.errors import InvalidInput
from core.networks.blocks.base import Count, known_kind, named_kind
from core.networks.chain import assemble, blocks_of, declared, example_inputs, require_sound
from core.networks.outline import outline
from core.networks.trees import leaves
from core.networks.untrusted_files import METADATA, load_tensors, read_header

FORMAT = 1
KEY = "paretoscope_net"


class About(TypedDict, total=False):
    """Where a network comes from: which files say what, by who wrote them.

    Of a pruned one the units that stay by group, the method and the sparsity asked for; of one trained alone its
    architecture, the hash of the supernet's file, and the seed.
    """

    kept: dict[str, list[int]]
    method: str
    asked: float
    arch_id: str
    supernet: str
    seed: int


def dump_net(net: nn.Sequential, input_shape: Sequence[int], about: About) -> bytes:
    """The file's bytes.

    Args:
        net: a chain of plain blocks.
        input_shape: of one input that it takes.
        about: where it comes from; comes back from `load_net` as it was.
    """
    header = {
        "format": FORMAT,
        "input_shape": [int(size) for size in input_shape],
        "blocks": blocks_of(net),
        "about": dict(about),
    }
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in net.state_dict().items()}
    return save(tensors, metadata={KEY: json.dumps(header)})


def load_net(data: bytes) -> tuple[nn.Sequential, About]:
    """The network in a file, in eval mode and without gradients, and what was said about it.

    Raises:
        InvalidInput: the file is damaged, hostile, or its weights do not fit its description.
    """
    header = _header(data)
    with outline():
        _rehearse(assemble(header["blocks"]), header["input_shape"])
    tensors = {name: torch.from_numpy(array) for name, array in load_tensors(data).items()}
    net = assemble(header["blocks"])
    if _signature(tensors) != _signature(net.state_dict()):
        raise InvalidInput("The weights in this file do not fit the network it describes.")
    positive = declared(net, lambda kind: kind.positive)
    for name, tensor in tensors.items():
        if (name.endswith("running_var") and tensor.min() < 0) or (name in positive and tensor.min() <= 0):
            raise InvalidInput("A variance in this file is negative, or a spread is zero.")
    net.load_state_dict(tensors)
    return net.eval().requires_grad_(False), header["about"]


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(read_header(data).get(METADATA, {})[KEY])
        known = header["format"] == FORMAT and isinstance(header["about"], dict)
        blocks, shape = header["blocks"], header["input_shape"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("This safetensors file does not describe a network of plain blocks.") from error
    if not known:
        raise InvalidInput("This safetensors file does not describe a network of plain blocks.")
    require_sound(blocks)
    first = named_kind(blocks[0]["block"])
    assert first is not None, "judged before"
    bounds = [Count(most) for most in first.input_limits]
    fits = isinstance(shape, list) and len(shape) == len(bounds)
    if not fits or not all(bound.accepts(size) for bound, size in zip(bounds, shape, strict=True)):
        raise InvalidInput("The network in this file takes inputs of an impossible shape.")
    return dict(header)


def _rehearse(net: nn.Sequential, input_shape: Sequence[int]) -> None:
    """Run one input through a network without memory: do its blocks fit each other and the input?"""
    try:
        with torch.no_grad():
            outputs = net.eval()(example_inputs(net, input_shape))
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise InvalidInput("The blocks of this network do not fit each other.") from error
    last = known_kind(net[-1])
    axes = 3 if last is not None and last.per_position else 2
    if not all(output.ndim == axes for output in leaves(outputs)):
        raise InvalidInput("This network does not end with one number per class.")


def _signature(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
