"""Which bytes are alive while a network runs, from what torch does: recorded operation by operation, then replayed.

An allocator that knows the future runs the operations in torch's own order: a value lives from the operation that
makes it to the last that reads it. What flows into a block lives until the block has ended. An operation on single
numbers takes over the memory of an operand of its size that nobody reads later; a copy in another layout is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from core.networks.trees import leaves

_IN_PLACE = {
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "relu",
    "hardtanh",
    "hardswish",
    "hardsigmoid",
    "gelu",
    "sigmoid",
    "tanh",
    "log",
    "sqrt",
    "rsqrt",
    "clamp",
    "leaky_relu",
    "elu",
    "silu",
    "_softmax",
    "masked_fill",
    "scatter_add",
    "native_batch_norm",
    "_native_batch_norm_legit_no_training",
    "native_layer_norm",
    "native_group_norm",
}
_LAYOUT = {"clone"}


@dataclass
class _Step:
    name: str
    read: list[int]
    made: int


class _Recorder(TorchDispatchMode):
    """What every operation reads and makes; tensors that share memory are one value."""

    def __init__(self, parameters: set[int]) -> None:
        super().__init__()
        self.steps: list[_Step] = []
        self.sizes: dict[int, int] = {}
        self._same: dict[int, int] = {}
        self._kept: list[Any] = []  # an address must not be used twice
        self._parameters = parameters

    def value(self, tensor: Tensor) -> int | None:
        storage = tensor.untyped_storage()
        where = storage.data_ptr()
        if where in self._parameters:
            return None
        if where not in self._same:
            self._kept.append(tensor)
            self._same[where] = len(self.sizes)
            self.sizes[len(self.sizes)] = storage.nbytes()
        return self._same[where]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        first = made[0] if isinstance(made, tuple | list) else made
        name = func.overloadpacket.__name__
        given = [each for each in _tensors([*args, *(kwargs or {}).values()]) if each.numel()]
        if name in _LAYOUT:
            source = self.value(given[0])
            assert source is not None
            self._kept.append(first)
            self._same[first.untyped_storage().data_ptr()] = source
            return made
        read = [value for each in given if (value := self.value(each)) is not None]
        known = set(self._same)
        value = self.value(first)
        if value is not None:
            view = first.untyped_storage().data_ptr() in known
            self.steps.append(_Step("view" if view else name, read, value))
        return made


def _tensors(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    return [t for each in tree for t in _tensors(each)] if isinstance(tree, tuple | list) else []


@torch.no_grad()
def held_by_block(block: nn.Module, x: Any, net: nn.Module | None = None) -> tuple[int, Any]:
    """(most bytes alive at once while a block runs, what it returns); parameters of its network are not counted."""
    whole = block if net is None else net
    parameters = {t.untyped_storage().data_ptr() for t in [*whole.parameters(), *whole.buffers()]}
    recorder = _Recorder(parameters)
    given = {value for leaf in leaves(x) if (value := recorder.value(leaf)) is not None}
    with recorder:
        y = block(x)
    kept = given | {recorder.value(leaf) for leaf in leaves(y)}
    last = {value: at for at, step in enumerate(recorder.steps) for value in step.read}
    memory = {value: value for value in given}  # value -> block of memory
    most = 0
    for at, step in enumerate(recorder.steps):
        ends = [v for v in dict.fromkeys(step.read) if v not in kept and last[v] == at]
        if step.made not in memory:
            taken = [
                v for v in ends if step.name in _IN_PLACE and recorder.sizes[v] == recorder.sizes[step.made]
            ]
            if taken:
                memory[step.made] = memory.pop(taken[0])
                ends.remove(taken[0])
            else:
                memory[step.made] = step.made
        most = max(most, sum(recorder.sizes[v] for v in memory))
        for value in ends:
            memory.pop(value, None)
        if step.made not in kept and step.made not in last:
            memory.pop(step.made)  # nobody reads it
    return most, y


def held(net: nn.Sequential, x: Any) -> list[int]:
    """Most bytes alive at once in each block of a network."""
    found = []
    for block in net:
        most, x = held_by_block(block, x, net)
        found.append(most)
    return found
