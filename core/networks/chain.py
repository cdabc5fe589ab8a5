"""A network of plain blocks as one file: weights in safetensors, class names and arguments as JSON.

What an extracted subnet is made of can be written down in a few lines, so a network trained alone is
kept like a supernet: no pickle, no code. A file is judged before anything is allocated: only the blocks
of `core.networks.blocks`, only their own arguments, within bounds; then the network is built without
memory and shown an image without memory; then its weights must have exactly the shapes it expects.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from core.errors import InvalidInput
from core.networks import blocks as plain
from core.networks.limits import MOST_CHANNELS, MOST_CLASSES, MOST_SIDE
from core.networks.untrusted_files import METADATA, load_tensors, read_header
from core.spaces.cell_string import EDGES, OPERATIONS

FORMAT = 1
KEY = "paretoscope_net"
BLOCKS: dict[str, type[nn.Module]] = {
    cls.__name__: cls
    for cls in (
        plain.Stem, plain.ResidualBlock, plain.PoolingHead, plain.PatchEmbedding, plain.TransformerBlock,
        plain.TokenReduction, plain.TokenHead, plain.CellStem, plain.Cell, plain.CellReduction, plain.CellHead,
    )
}  # fmt: skip
"""Every class a file may name."""

_MOST_BLOCKS = 256
_MOST_PARAMETERS = 50_000_000
# Kernels, strides and patches stay small; all other arguments count channels, tokens, heads or classes.
_MOST = {"kernel": 31, "stride": 16, "patch": MOST_SIDE, "grid": MOST_SIDE, "tokens": MOST_SIDE**2}
_MOST_OTHERWISE = max(16_384, MOST_CLASSES)


def blocks_of(net: nn.Sequential) -> list[dict[str, Any]]:
    """What `build_net` needs to build a network of this structure, as JSON-able dictionaries.

    Raises:
        InvalidInput: a part of it is not a plain block.
    """
    described = []
    for block in net:
        if BLOCKS.get(type(block).__name__) is not type(block):
            raise InvalidInput(f"{type(block).__name__} is not one of the plain blocks that can be kept.")
        arguments: Any = block.arguments
        described.append({"block": type(block).__name__, "arguments": dict(arguments)})
    return described


def build_net(blocks: Sequence[Mapping[str, Any]]) -> nn.Sequential:
    """A network with fresh weights, by torch's own initialization and its global generator.

    Raises:
        InvalidInput: the description names other blocks or arguments than there are, or too large ones.
    """
    _check(blocks)
    return _built(blocks)


def dump_net(net: nn.Sequential, input_shape: Sequence[int], about: Mapping[str, Any]) -> bytes:
    """The file's bytes.

    Args:
        net: a chain of plain blocks.
        input_shape: (c, h, w) it takes.
        about: JSON-able; comes back from `load_net` as it was.
    """
    header = {
        "format": FORMAT,
        "input_shape": [int(size) for size in input_shape],
        "blocks": blocks_of(net),
        "about": dict(about),
    }
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in net.state_dict().items()}
    return save(tensors, metadata={KEY: json.dumps(header)})


def load_net(data: bytes) -> tuple[nn.Sequential, dict[str, Any]]:
    """The network in a file, in eval mode and without gradients, and what was said about it.

    Raises:
        InvalidInput: the file is damaged, hostile, or its weights do not fit its description.
    """
    header = _header(data)
    with torch.device("meta"):
        _rehearse(_built(header["blocks"]), header["input_shape"])
    tensors = {name: torch.from_numpy(array) for name, array in load_tensors(data).items()}
    net = _built(header["blocks"])
    if _signature(tensors) != _signature(net.state_dict()):
        raise InvalidInput("The weights in this file do not fit the network it describes.")
    for name, tensor in tensors.items():
        if (name.endswith("running_var") and tensor.min() < 0) or (
            name.endswith(".std") and tensor.min() <= 0
        ):
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
    limits = (MOST_CHANNELS, MOST_SIDE, MOST_SIDE)
    if not isinstance(shape, list) or len(shape) != 3 or not all(map(_is_size, shape, limits)):
        raise InvalidInput("The network in this file takes images of an impossible shape.")
    _check(blocks)
    return dict(header)


def _check(blocks: Any) -> None:
    """Judge a description before anything is built from it."""
    if not isinstance(blocks, Sequence) or not 1 <= len(blocks) <= _MOST_BLOCKS:
        raise InvalidInput(f"A network has 1 to {_MOST_BLOCKS} blocks.")
    size = 0
    for block in blocks:
        if not isinstance(block, Mapping) or block.keys() != {"block", "arguments"}:
            raise InvalidInput("A block of this network is not described as it should be.")
        name, arguments = block["block"], block["arguments"]
        if not isinstance(name, str) or name not in BLOCKS:
            raise InvalidInput("This network has a block that is not one of the plain blocks.")
        _check_arguments(name, arguments)
        with torch.device("meta"):
            size += sum(p.numel() for p in BLOCKS[name](**arguments).parameters())
        if size > _MOST_PARAMETERS:
            raise InvalidInput(f"This network would have more than {_MOST_PARAMETERS:,} parameters.")


def _check_arguments(name: str, arguments: Any) -> None:
    known = inspect.signature(BLOCKS[name]).parameters
    required = {n for n, p in known.items() if p.default is inspect.Parameter.empty}
    if not isinstance(arguments, Mapping) or not required <= set(arguments) <= set(known):
        raise InvalidInput(f"{name} in this network has other arguments than it takes.")
    for argument, value in arguments.items():
        if argument == "operations":
            good = isinstance(value, list | tuple) and len(value) == len(EDGES)
            good = good and all(isinstance(v, str) and v in OPERATIONS for v in value)
        else:
            good = _is_size(value, _MOST.get(argument, _MOST_OTHERWISE))
        if not good:
            raise InvalidInput(f"{name} in this network has an impossible value for {argument}.")


def _is_size(value: Any, most: int) -> bool:
    # bool is an int in Python, but `true` is not a size.
    return type(value) is int and 1 <= value <= most


def _built(blocks: Sequence[Mapping[str, Any]]) -> nn.Sequential:
    return nn.Sequential(*(BLOCKS[block["block"]](**block["arguments"]) for block in blocks))


def _rehearse(net: nn.Sequential, input_shape: Sequence[int]) -> None:
    """Run one image through a network without memory: do its blocks fit each other and the image?"""
    try:
        with torch.no_grad():
            output = net.eval()(torch.empty(1, *input_shape, device="meta"))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InvalidInput("The blocks of this network do not fit each other.") from error
    if output.ndim != 2:
        raise InvalidInput("This network does not end with one number per class.")


def _signature(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}
