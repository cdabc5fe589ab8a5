"""A network is a chain of plain blocks: described in a few lines, built from them, and asked for what it takes.

What a network is made of can be written down as the names and arguments of its blocks, so a network is kept
without a pickle and without code. A description may come from a stranger, so it is judged before anything is
built: only registered blocks, only their own arguments, within bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

import torch
from torch import nn

from core.config import JsonObject
from core.errors import InvalidInput
from core.networks.blocks.base import BlockKind, kind_of, known_kind, named_kind
from core.networks.calibration import BatchNorm
from core.networks.outline import outline
from core.seeding import torch_drawing

_MOST_BLOCKS = 256
_MOST_PARAMETERS = 50_000_000


class BlockDescription(TypedDict):
    """One block as a file names it: its class, and the arguments of its constructor."""

    block: str
    arguments: JsonObject


def blocks_of(net: nn.Sequential) -> list[BlockDescription]:
    """What `build_net` needs to build a network of this structure.

    Raises:
        InvalidInput: a part of it is not a plain block.
    """
    described: list[BlockDescription] = []
    for block in net:
        cls, arguments = kind_of(block).module, dict(block.arguments)  # type: ignore[arg-type]
        described.append({"block": cls.__name__, "arguments": arguments})
    return described


def build_net(blocks: Sequence[BlockDescription]) -> nn.Sequential:
    """A network with fresh weights, by torch's own initialization and its global generator.

    Raises:
        InvalidInput: the description names other blocks or arguments than there are, or too large ones.
    """
    require_sound(blocks)
    return assemble(blocks)


def assemble(blocks: Sequence[BlockDescription]) -> nn.Sequential:
    """`build_net` for a description that `require_sound` has judged."""
    return nn.Sequential(*(_module(block)(**block["arguments"]) for block in blocks))


def require_sound(blocks: Any) -> None:
    """Judge a description before anything is built from it.

    Raises:
        InvalidInput: see `build_net`.
    """
    if not isinstance(blocks, Sequence) or not 1 <= len(blocks) <= _MOST_BLOCKS:
        raise InvalidInput(f"A network has 1 to {_MOST_BLOCKS} blocks.")
    size = 0
    for block in blocks:
        if not isinstance(block, Mapping) or block.keys() != {"block", "arguments"}:
            raise InvalidInput("A block of this network is not described as it should be.")
        kind = named_kind(block["block"])
        if kind is None:
            raise InvalidInput("This network has a block that is not one of the plain blocks.")
        kind.require_arguments(block["arguments"])
        with outline():
            size += sum(p.numel() for p in kind.module(**block["arguments"]).parameters())
        if size > _MOST_PARAMETERS:
            raise InvalidInput(f"This network would have more than {_MOST_PARAMETERS:,} parameters.")


def _module(block: BlockDescription) -> type[nn.Module]:
    kind = named_kind(block["block"])
    assert kind is not None, "judged before"
    return kind.module


def fresh_like(template: nn.Sequential, seed: int) -> nn.Sequential:
    """An untrained network of the same structure, with torch's own initialization; constants are kept.

    Constants are all buffers but the statistics of BatchNorm, for example what a stem normalizes by.

    Raises:
        InvalidInput: the template is not a chain of plain blocks.
    """
    # The names are those of the first release: equal seeds give the networks they always gave.
    with torch_drawing(seed, "alone", "weights"):
        net = build_net(blocks_of(template))
    of_norms = {
        f"{name}.{buffer}"
        for name, part in net.named_modules()
        if isinstance(part, BatchNorm)
        for buffer, _ in part.named_buffers()
    }
    known = dict(template.named_buffers())
    for name, buffer in net.named_buffers():
        if name not in of_norms:
            buffer.copy_(known[name])
    return net


def declared(net: nn.Module, names: Callable[[BlockKind], Iterable[str]]) -> set[str]:
    """Full names of the tensors that the kinds of a network's blocks list.

    Args:
        net: parts that are not plain blocks list nothing.
        names: what to look at, for example `lambda kind: kind.embeddings`.
    """
    return {
        f"{at}.{name}"
        for at, part in net.named_children()
        if (kind := known_kind(part)) is not None
        for name in names(kind)
    }


def one_batch(net: nn.Module) -> bool:
    """Whether the rows of this network's inputs belong together, so that no input is cut into batches."""
    first = next(net.children(), None)
    kind = None if first is None else known_kind(first)
    return kind is not None and kind.one_batch


def example_inputs(
    net: nn.Sequential,
    shape: Sequence[int] | None = None,
    *,
    rows: int = 1,
    generator: torch.Generator | None = None,
) -> Any:
    """Inputs that a network takes: zeros, or random ones.

    Args:
        net: a chain of plain blocks.
        shape: of one input; None for a small one that fits.
        rows: number of inputs.
        generator: of random numbers; None for zeros.

    Raises:
        InvalidInput: the first block cannot stand first, or is none.
    """
    first = net[0]
    kind = kind_of(first)
    return kind.inputs(first, kind.input_shape(first) if shape is None else shape, rows, generator)
