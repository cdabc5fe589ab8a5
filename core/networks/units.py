"""Units that can only change places, or go, together.

A unit of a plain network is more than one row of one weight: the layers that read it, its normalization
and every layer that adds to the same residual stream hold entries for it. A `UnitGroup` lists them all, so
that permuting the entries of a group leaves the function as it is.

A residual stream whose width grows by zero padding or shrinks by cutting is one stream of several *bands*,
between the widths that occur: permuting within a band commutes with padding and cutting, across bands it
does not. Attention heads move as whole heads.

Source: the permutation specifications of Ainsworth et al., "Git Re-Basin", ICLR 2023, for the blocks of
`core.networks.blocks`; the bands are ours.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks import blocks as plain

_NORM = ("weight", "bias", "running_mean", "running_var")
_LAYER_NORM = ("weight", "bias")


@dataclass(frozen=True)
class Member:
    """Entries of one tensor that belong to the units of a group.

    Attributes:
        tensor: name in the network's state_dict.
        axis: along which the units lie.
        offset: where the first unit starts.
        repeat: consecutive entries of one unit (the size of an attention head).
        role: "output" (makes the unit), "input" (reads it) or "elementwise" (scales or shifts it).
    """

    tensor: str
    axis: int
    offset: int
    repeat: int
    role: str


@dataclass(frozen=True)
class UnitGroup:
    """Units with everything that belongs to them.

    Attributes:
        name: "3.inner", "stream 0, units 8 to 15", ...
        size: number of units.
        members: entries of tensors.
        reads: (module, offset, repeat): outputs of these modules hold the units' activations.
        free: whether the units live inside one block, outside any residual stream.
        removable: whether a unit that is zeroed everywhere may be cut out without changing the others;
            not where a LayerNorm averages over the units.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    reads: tuple[tuple[str, int, int], ...]
    free: bool
    removable: bool = True


@dataclass
class _Stream:
    """A residual stream while the network is walked: who makes, reads or scales its first `width` units."""

    name: str
    members: list[tuple[str, int, str, int]] = field(default_factory=list)
    reads: list[tuple[str, int]] = field(default_factory=list)
    averaged: bool = False

    def groups(self) -> list[UnitGroup]:
        """One group per band between the widths that occur."""
        edges = sorted({0, *(width for *_, width in self.members)})
        found = []
        for low, high in pairwise(edges):
            members = tuple(Member(t, a, low, 1, r) for t, a, r, width in self.members if width >= high)
            reads = tuple((module, low, 1) for module, width in self.reads if width >= high)
            label = f"{self.name}, units {low} to {high - 1}"
            found.append(
                UnitGroup(label, high - low, members, reads, free=False, removable=not self.averaged)
            )
        return found


class _Walk:
    """Collects groups stage by stage."""

    def __init__(self) -> None:
        self.streams = [_Stream("stream 0")]
        self.groups: list[UnitGroup] = []

    @property
    def stream(self) -> _Stream:
        return self.streams[-1]

    def new_stream(self) -> None:
        self.streams.append(_Stream(f"stream {len(self.streams)}"))

    def add(self, tensor: str, axis: int, role: str, width: int) -> None:
        self.stream.members.append((tensor, axis, role, width))

    def scaled(self, module: str, names: tuple[str, ...], width: int) -> None:
        self.stream.averaged = self.stream.averaged or names == _LAYER_NORM
        for name in names:
            self.add(f"{module}.{name}", 0, "elementwise", width)

    def seen(self, module: str, width: int) -> None:
        self.stream.reads.append((module, width))

    def inner(
        self, name: str, size: int, made: list[tuple[str, int]], scaled: list[str], read: list[tuple[str, int]],
        where: str, repeat: int = 1,
    ) -> None:  # fmt: skip
        """Units that live inside one block."""
        members = [
            *(Member(t, a, 0, repeat, "output") for t, a in made),
            *(Member(t, 0, 0, repeat, "elementwise") for t in scaled),
            *(Member(t, a, 0, repeat, "input") for t, a in read),
        ]
        self.groups.append(UnitGroup(name, size, tuple(members), ((where, 0, repeat),), free=True))


def unit_groups(net: nn.Sequential) -> list[UnitGroup]:
    """Every group of units of a network of plain blocks, inner groups first.

    Raises:
        InvalidInput: the network has a stage of a kind that is not known here.
    """
    walk = _Walk()
    for index, stage in enumerate(net):
        handler = _HANDLERS.get(type(stage))
        if handler is None:
            raise InvalidInput(
                f"This network contains a {type(stage).__name__}; which of its units belong together is not known."
            )
        handler(walk, str(index), stage)
    return walk.groups + [group for stream in walk.streams for group in stream.groups() if group.size]


def _stem(walk: _Walk, at: str, stage: Any) -> None:
    width = stage.conv.out_channels
    walk.add(f"{at}.conv.weight", 0, "output", width)
    walk.scaled(f"{at}.norm", _NORM, width)
    walk.seen(at, width)


def _residual_block(walk: _Walk, at: str, stage: Any) -> None:
    width = stage.out_channels
    walk.add(f"{at}.conv1.weight", 1, "input", stage.in_channels)
    norm = [f"{at}.norm1.{name}" for name in _NORM]
    walk.inner(
        f"{at}.inner",
        stage.conv1.out_channels,
        [(f"{at}.conv1.weight", 0)],
        norm,
        [(f"{at}.conv2.weight", 1)],
        f"{at}.norm1",
    )
    walk.add(f"{at}.conv2.weight", 0, "output", width)
    walk.scaled(f"{at}.norm2", _NORM, width)
    walk.seen(at, width)


def _linear_head(walk: _Walk, at: str, stage: Any) -> None:
    walk.add(f"{at}.linear.weight", 1, "input", stage.linear.in_features)


def _patch_embedding(walk: _Walk, at: str, stage: Any) -> None:
    width = stage.conv.out_channels
    walk.add(f"{at}.conv.weight", 0, "output", width)
    walk.add(f"{at}.conv.bias", 0, "elementwise", width)
    walk.add(f"{at}.position", 2, "elementwise", width)
    walk.seen(at, width)


def _transformer_block(walk: _Walk, at: str, stage: Any) -> None:
    width, hidden = stage.norm1.normalized_shape[0], stage.expand.out_features
    walk.scaled(f"{at}.norm1", _LAYER_NORM, width)
    walk.scaled(f"{at}.norm2", _LAYER_NORM, width)
    for name in ("query", "key", "value", "expand"):
        walk.add(f"{at}.{name}.weight", 1, "input", width)
    for name in ("project", "contract"):
        walk.add(f"{at}.{name}.weight", 0, "output", width)
        walk.add(f"{at}.{name}.bias", 0, "elementwise", width)
    walk.seen(at, width)
    walk.inner(
        f"{at}.hidden", hidden, [(f"{at}.expand.weight", 0)], [f"{at}.expand.bias"],
        [(f"{at}.contract.weight", 1)], f"{at}.expand",
    )  # fmt: skip
    parts = ("query", "key", "value")
    walk.inner(
        f"{at}.heads", stage.heads, [(f"{at}.{p}.weight", 0) for p in parts], [f"{at}.{p}.bias" for p in parts],
        [(f"{at}.project.weight", 1)], f"{at}.value", stage.head_size,
    )  # fmt: skip


def _token_reduction(walk: _Walk, at: str, stage: Any) -> None:
    walk.scaled(f"{at}.norm", _LAYER_NORM, stage.in_width)
    walk.add(f"{at}.conv.weight", 1, "input", stage.in_width)
    walk.add(f"{at}.conv.weight", 0, "output", stage.width)
    walk.add(f"{at}.conv.bias", 0, "elementwise", stage.width)
    walk.add(f"{at}.position", 2, "elementwise", stage.width)
    walk.seen(at, stage.width)


def _token_head(walk: _Walk, at: str, stage: Any) -> None:
    walk.scaled(f"{at}.norm", _LAYER_NORM, stage.linear.in_features)
    _linear_head(walk, at, stage)


def _cell(walk: _Walk, at: str, stage: Any) -> None:
    for edge, conv in stage.convs.items():
        width = conv[1].out_channels
        walk.add(f"{at}.convs.{edge}.1.weight", 1, "input", width)
        walk.add(f"{at}.convs.{edge}.1.weight", 0, "output", width)
        walk.scaled(f"{at}.convs.{edge}.2", _NORM, width)
    walk.seen(at, stage.arguments["channels"])


def _cell_reduction(walk: _Walk, at: str, stage: Any) -> None:
    before, width = stage.conv1.in_channels, stage.conv2.out_channels
    walk.add(f"{at}.conv1.weight", 1, "input", before)
    walk.add(f"{at}.shortcut.weight", 1, "input", before)
    norm = [f"{at}.norm1.{name}" for name in _NORM]
    walk.inner(
        f"{at}.inner",
        stage.conv1.out_channels,
        [(f"{at}.conv1.weight", 0)],
        norm,
        [(f"{at}.conv2.weight", 1)],
        f"{at}.norm1",
    )
    walk.new_stream()
    walk.add(f"{at}.conv2.weight", 0, "output", width)
    walk.add(f"{at}.shortcut.weight", 0, "output", width)
    walk.scaled(f"{at}.norm2", _NORM, width)
    walk.seen(at, width)


def _cell_head(walk: _Walk, at: str, stage: Any) -> None:
    walk.scaled(f"{at}.norm", _NORM, stage.linear.in_features)
    _linear_head(walk, at, stage)


_HANDLERS: Mapping[type, Callable[[_Walk, str, Any], None]] = {
    plain.Stem: _stem,
    plain.ResidualBlock: _residual_block,
    plain.PoolingHead: _linear_head,
    plain.PatchEmbedding: _patch_embedding,
    plain.TransformerBlock: _transformer_block,
    plain.TokenReduction: _token_reduction,
    plain.TokenHead: _token_head,
    plain.CellStem: _stem,
    plain.Cell: _cell,
    plain.CellReduction: _cell_reduction,
    plain.CellHead: _cell_head,
}


def units_of(tensor: Tensor, member: Member, size: int) -> Tensor:
    """(size, everything else of a unit) entries of a member's tensor, as a view or copy."""
    part = tensor.narrow(member.axis, member.offset, size * member.repeat).movedim(member.axis, 0)
    return part.reshape(size, -1)


def permute(net: nn.Sequential, permutations: Mapping[str, NDArray[np.intp]]) -> nn.Sequential:
    """A copy of a network whose unit k of a group is the original's unit permutations[group][k].

    Args:
        net: not changed.
        permutations: group name -> (size,) permutation; groups left out stay.

    Raises:
        InvalidInput: a permutation does not fit its group, or there is no such group.
    """
    groups = {group.name: group for group in unit_groups(net)}
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for name, order in permutations.items():
        if name not in groups or sorted(np.asarray(order).tolist()) != list(range(groups[name].size)):
            raise InvalidInput(f"{name!r} is no group of this network, or the permutation does not fit it.")
        apply_permutation(state, groups[name], np.asarray(order))
    made = copy.deepcopy(net)
    made.load_state_dict(state)
    return made


def apply_permutation(state: dict[str, Tensor], group: UnitGroup, order: NDArray[np.intp]) -> None:
    """Permute the units of one group in a state_dict, in place."""
    for member in group.members:
        tensor = state[member.tensor]
        index = torch.arange(tensor.shape[member.axis])
        units = np.asarray(order)[:, None] * member.repeat + np.arange(member.repeat)
        span = slice(member.offset, member.offset + group.size * member.repeat)
        index[span] = torch.from_numpy(units.ravel().astype(np.int64)) + member.offset
        state[member.tensor] = tensor.index_select(member.axis, index)
