"""The block contract: a plain torch class, and beside it in the same file what the project knows of it.

A block's class is pasted into downloads as it stands, so it uses torch and nothing else, and keeps its
constructor arguments in `arguments`, from which the call that rebuilds it is written. Everything else is
said by its `BlockKind`, registered under the name of the class in snake_case. Files name the class, so the
name is permanent. Kinds are asked when a network is written, stored, loaded from a stranger's file, matched,
pruned and counted, in any thread; they keep no state. `tests/contracts/test_blocks.py` holds every registered
kind to all of it.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from core.config import JsonObject, Plugin, Settings
from core.errors import InvalidInput
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_CHANNELS, MOST_CLASSES, MOST_SIDE
from core.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn

BLOCKS: Registry[BlockKind] = Registry("block", "core.networks.blocks", "BLOCKS")
Shapes = Mapping[str, Sequence[int]]
"""Tensor of a block -> its shape."""


class Argument(ABC):
    """What a constructor argument may be in a file that a stranger wrote."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether a value as JSON gives it is one."""


@dataclass(frozen=True)
class Count(Argument):
    """A whole number from 1: channels, tokens, heads, a kernel's side, ..."""

    most: int = max(16_384, MOST_CLASSES)

    def accepts(self, value: Any) -> bool:
        # bool is an int in Python, but `true` is not a size.
        return type(value) is int and 1 <= value <= self.most


@dataclass(frozen=True)
class Names(Argument):
    """A list of a fixed length of known names."""

    known: tuple[str, ...]
    length: int

    def accepts(self, value: Any) -> bool:
        listed = isinstance(value, list | tuple) and len(value) == self.length
        return listed and all(isinstance(each, str) and each in self.known for each in value)


@dataclass(frozen=True)
class Name(Argument):
    """One of some known names."""

    known: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.known


@dataclass(frozen=True)
class Epsilon(Argument):
    """What a normalization adds to a variance before it divides by its root."""

    least: float = 1e-8

    def accepts(self, value: Any) -> bool:
        return type(value) is float and self.least <= value <= 0.1


@dataclass(frozen=True)
class Listed(Argument):
    """A list of at least one and at most `length` of the same."""

    item: Argument
    length: int

    def accepts(self, value: Any) -> bool:
        listed = isinstance(value, list | tuple) and 1 <= len(value) <= self.length
        return listed and all(self.item.accepts(each) for each in value)


KERNEL, STRIDE, SIDE, DILATION = Count(31), Count(16), Count(MOST_SIDE), Count(64)
ACTIVATION = Name(("relu", "relu6", "hardswish"))
"""As torch.nn.functional calls them."""
GELU = Name(("gelu", "gelu_tanh", "relu"))
"""What stands inside a transformer's MLP: the exact GELU, its approximation by tanh, or none."""
SHORTCUT = Name(("none", "identity"))


@dataclass(frozen=True)
class Example:
    """A small network with a block in it, for the contract suite.

    Attributes:
        input_shape: of one input.
        chain: (name, arguments) of its blocks.
    """

    input_shape: tuple[int, ...]
    chain: tuple[tuple[str, JsonObject], ...]


class BlockKind(Plugin, ABC):
    """What is known of one class of blocks. Tensors and layers are named as inside the block.

    Attributes:
        module: the class.
        arguments: its constructor's arguments, and what they may be.
        sizes: arguments that follow from the shape of a tensor: argument -> (tensor, axis).
        foldable: (convolution, BatchNorm right behind it): the norm's scale can be moved into the weights.
        embeddings: parameters, besides the weights of convolutions and linear layers, that must differ from
            place to place: drawn at random where nothing is trained.
        offsets: buffers that are subtracted from the input, zero where only scales count.
        positive: buffers that must be above zero.
        input_limits: where it can stand first, the most of each number of an input's shape.
        one_batch: where it can stand first, whether the rows of an input belong together (the nodes of one
            graph), so that an input is never cut into batches.
        over_time: whether its output, or the first of its outputs, are channels over time (n, c, t).
        per_position: where it stands last, whether it answers for several positions (n, p, classes) of a sample.
        attends: whether it weighs places by a softmax, so that it is linear in no weight.
        example: a small network with this block in it.
    """

    module: ClassVar[type[nn.Module]]
    arguments: ClassVar[Mapping[str, Argument]]
    sizes: ClassVar[Mapping[str, tuple[str, int]]] = {}
    foldable: ClassVar[tuple[tuple[str, str], ...]] = ()
    embeddings: ClassVar[tuple[str, ...]] = ()
    offsets: ClassVar[tuple[str, ...]] = ()
    positive: ClassVar[tuple[str, ...]] = ()
    input_limits: ClassVar[tuple[int, ...]] = (MOST_CHANNELS, MOST_SIDE, MOST_SIDE)
    one_batch: ClassVar[bool] = False
    over_time: ClassVar[bool] = False
    per_position: ClassVar[bool] = False
    attends: ClassVar[bool] = False
    example: ClassVar[Example]

    @abstractmethod
    def units(self, block: Any, walk: UnitWalk) -> None:
        """Tell the walk which entries of which tensors belong to which units.

        Every axis of every parameter that counts units must be told, classes and the channels of the input left out.
        """

    def fitting(self, block: Any, shapes: Shapes) -> Settings:
        """Arguments of the block in the sizes of its tensors, some units of which were cut out."""
        found = dict(block.arguments)
        for argument, (tensor, axis) in self.sizes.items():
            found[argument] = int(shapes[tensor][axis])
        return found

    def droppable(self, block: Any) -> bool:
        """Whether the network still fits together without the block: its shortcut changes nothing."""
        return False

    def input_shape(self, block: Any) -> tuple[int, ...]:
        """A small shape of one input that the block takes, where it can stand first.

        Raises:
            InvalidInput: it cannot.
        """
        raise InvalidInput(f"{self.module.__name__} cannot be the first block of a network.")

    def inputs(
        self, block: Any, shape: Sequence[int], rows: int, generator: torch.Generator | None = None
    ) -> Any:
        """Inputs of a shape, where the block can stand first: zeros, or random from 0 to 1 by a generator."""
        import torch  # here, so that a list of blocks needs no torch

        if generator is None:
            return torch.zeros(rows, *shape)
        return torch.rand(rows, *shape, generator=generator)

    def takes(self, shape: Sequence[int]) -> str:
        """What the block takes where it stands first, in a few words."""
        sizes = ", ".join(map(str, shape))
        return f"maps (n, {sizes}) of numbers from 0 to 1"

    def require_arguments(self, arguments: Any) -> None:
        """Judge arguments from a stranger's file.

        Raises:
            InvalidInput: some are missing, unknown or out of bounds.
        """
        known = inspect.signature(self.module).parameters
        required = {n for n, p in known.items() if p.default is inspect.Parameter.empty}
        if not isinstance(arguments, Mapping) or not required <= set(arguments) <= set(self.arguments):
            raise InvalidInput(f"{self.module.__name__} in this network has other arguments than it takes.")
        for argument, value in arguments.items():
            if not self.arguments[argument].accepts(value):
                raise InvalidInput(
                    f"{self.module.__name__} in this network has an impossible value for {argument}."
                )


class AttentionKind(BlockKind):
    """A block of attention and an MLP of linear layers, beside shortcuts, wherever its norms stand."""

    attends = True
    sizes = {"width": ("query.weight", 1), "hidden": ("expand.weight", 0)}

    def units(self, block: Any, walk: UnitWalk) -> None:
        walk.attention_and_mlp(
            width=block.norm1.normalized_shape[0],
            heads=block.heads,
            head_size=block.head_size,
            hidden=block.expand.out_features,
        )

    def fitting(self, block: Any, shapes: Shapes) -> Settings:
        heads = int(shapes["query.weight"][0]) // block.head_size
        return super().fitting(block, shapes) | {"heads": heads}

    def droppable(self, block: Any) -> bool:
        return True


def named_kind(name: Any) -> BlockKind | None:
    """The kind of the class that a file names; None where there is none."""
    registered = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() if isinstance(name, str) else ""
    if registered not in BLOCKS.names():
        return None
    kind: BlockKind = BLOCKS.get(registered)()
    return kind if kind.module.__name__ == name else None


def known_kind(block: nn.Module) -> BlockKind | None:
    """The kind of a block; None for any other module."""
    kind = named_kind(type(block).__name__)
    return kind if kind is not None and kind.module is type(block) else None


def kind_of(block: nn.Module) -> BlockKind:
    """The kind of a block.

    Raises:
        InvalidInput: it is not a plain block.
    """
    kind = known_kind(block)
    if kind is None:
        raise InvalidInput(
            f"{type(block).__name__} is not one of the plain blocks, of which networks are made."
        )
    return kind
