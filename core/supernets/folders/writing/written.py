"""What a network becomes in a folder of transformers, and how layers of different sizes are brought to one.

None of the five classes that are written takes sizes layer by layer: BERT, ViT, DeiT, GPT-2 and Llama of transformers 5
build every layer with the one `intermediate_size` and the one number of heads that config.json gives. (Gemma 3n takes a
list, and `per_layer_config` of recent releases is read by a few new classes; `make test-peers` asks whether that changed.) Zeros change nothing where nobody reads them: a hidden unit whose
outgoing weights are zero adds nothing, nor does a head whose columns of the output projection are. So smaller layers
are padded up to the largest one, exactly; what that costs is counted and said. Layers that a subnet skips are simply
not there. The width cannot be padded: LayerNorm would average over the zeros.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core.config import Settings
from core.errors import InvalidInput

Tensors = dict[str, Tensor]
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}
"""Ours -> what config.json calls them; `gelu_new` is the approximation by tanh."""


@dataclass(frozen=True, eq=False)
class Written:
    """A network as transformers has it.

    Attributes:
        config: config.json.
        tensors: by their names in the file.
        class_name: what transformers calls its class.
        label: the architecture, for a person.
        loader: the Auto class that loads it.
        padding: sentences on what was padded with zeros, and what that costs; empty where the sizes are its own.
        others: further files, name -> content.
        prepares: the Auto class that prepares what goes in; "" for none, or the tokenizer where there is one.
    """

    config: Settings
    tensors: Mapping[str, Tensor]
    class_name: str
    label: str
    loader: str
    padding: tuple[str, ...] = ()
    others: Mapping[str, Settings] = field(default_factory=dict)
    prepares: str = ""


def padded(tensor: Tensor, size: int, axis: int = 0) -> Tensor:
    """A tensor with zeros behind it, up to a size along an axis."""
    shape = list(tensor.shape)
    shape[axis] = size - shape[axis]
    return torch.cat([tensor, tensor.new_zeros(shape)], axis) if shape[axis] else tensor


def linear(
    name: str, layer: nn.Linear, outputs: int | None = None, inputs: int | None = None, *, biased: bool = True
) -> Tensors:
    """Weight and bias of a layer by name, padded; a bias that it lacks is zero where one is wanted."""
    weight = layer.weight
    if outputs is not None:
        weight = padded(weight, outputs)
    if inputs is not None:
        weight = padded(weight, inputs, 1)
    found = {f"{name}.weight": weight}
    if biased:
        bias = weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias
        found[f"{name}.bias"] = bias if outputs is None else padded(bias, outputs)
    return found


def norm(name: str, layer: nn.Module) -> Tensors:
    """Scale, and offset where there is one, by name."""
    return {f"{name}.{each}": tensor for each, tensor in layer.named_parameters()}


def told_padding(layers: Sequence[tuple[int, int]], heads: int, hidden: int) -> tuple[str, ...]:
    """What was padded, in sentences.

    Args:
        layers: (heads, hidden units) of each layer of the network.
        heads, hidden: of every layer of the folder.
    """
    found = []
    for what, kept, every in (
        ("hidden units", [units for _, units in layers], hidden),
        ("attention heads", [count for count, _ in layers], heads),
    ):
        if any(count != every for count in kept):
            listed = ", ".join(map(str, kept))
            found.append(
                f"The layers have {listed} {what}; every layer of this class has as many, so they are padded with zeros to "
                f"{every}."
            )
    return tuple(found)


def told_cost(tensors: Mapping[str, Tensor], net: nn.Module) -> str:
    """How many numbers are padding, in a sentence."""
    own = sum(parameter.numel() for parameter in net.parameters())
    total = sum(tensor.numel() for tensor in tensors.values())
    return (
        f"The network has {own:,} parameters, this folder {total:,}: padding is computed and stored like any other "
        "number, so the folder is not as small and not as fast as the download of the subnet itself; its answers are the same."
    )


class Shared:
    """Arguments on which all layers of a network agree, by name.

    Raises:
        InvalidInput: they differ in one that is asked for.
    """

    def __init__(self, blocks: Sequence[Any]) -> None:
        self._blocks = blocks

    def __getitem__(self, name: str) -> Any:
        found = {argument_of(block, name) for block in self._blocks}
        if len(found) != 1:
            raise InvalidInput(
                f"The layers of this network differ in their {name.replace('_', ' ')}, which no class of transformers "
                "can have; take the bundle."
            )
        return found.pop()


def argument_of(block: Any, name: str) -> Any:
    """What a block was built with; the default where its description leaves it out."""
    if name in block.arguments:
        return block.arguments[name]
    return inspect.signature(type(block)).parameters[name].default


def heads_that_fill(width: int, head_size: int, layers: Sequence[int], label: str) -> int:
    """How many heads a class has whose heads together are as wide as its vectors.

    Raises:
        InvalidInput: they do not fill the width, or a layer has more.
    """
    most = max(layers)
    if width % head_size or width // head_size < most:
        raise InvalidInput(
            f"{label} of transformers has heads that together are as wide as its vectors: {width} entries have no room "
            f"for {most} heads of {head_size}; take a subnet of another width, or the bundle."
        )
    return width // head_size


def of_kinds(net: nn.Sequential, first: type, middle: type, last: type) -> bool:
    """Whether a network is a chain of these blocks, with at least one in the middle."""
    begin, *blocks, end = net if len(net) > 2 else [None, None]
    return isinstance(begin, first) and isinstance(end, last) and all(isinstance(b, middle) for b in blocks)
