"""Cut units out of a network: the masked network and the compact one that computes the same.

Masking sets everything a unit makes to zero and leaves the shapes; surgery removes the unit and everything
that belongs to it, and rebuilds the same plain blocks in smaller sizes, so the result is exported like any
other network. In eval mode both compute the same. A unit's own BatchNorm scale and offset belong to it: with
the convolution alone at zero, a channel still emits its offset.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.blocks.base import kind_of
from core.networks.groups import Member, UnitGroup
from core.networks.masks import applied
from core.networks.units import unit_groups

Kept = Mapping[str, NDArray[np.intp]]
"""Group name -> sorted numbers of the units that stay; groups left out stay whole."""


def removable_groups(net: nn.Sequential, *, streams: bool = True) -> list[UnitGroup]:
    """Groups whose units can be cut out.

    Args:
        net: a network of plain blocks.
        streams: also units of residual streams, which many blocks share.

    Raises:
        InvalidInput: the network has an unknown stage.
    """
    return [g for g in unit_groups(net) if g.removable and (streams or g.free)]


def masked(net: nn.Sequential, kept: Kept) -> nn.Sequential:
    """A copy of equal shape in which the units that go are zero.

    Raises:
        InvalidInput: a group does not exist, cannot be cut, or would lose all its units.
    """
    return applied(net, unit_masks(net, kept))


def unit_masks(net: nn.Sequential, kept: Kept) -> dict[str, Tensor]:
    """Masks of every parameter that holds entries of units that go: all that makes, scales or shifts them.

    Raises:
        InvalidInput: as `masked`.
    """
    parameters = dict(net.named_parameters())
    found: dict[str, Tensor] = {}
    for group, gone in _gone(net, kept):
        for member in group.members:
            if member.role != "input" and member.tensor in parameters:
                mask = found.setdefault(
                    member.tensor, torch.ones(parameters[member.tensor].shape, dtype=torch.bool)
                )
                mask.index_fill_(member.axis, _entries(member, gone), False)
    return found


def compact(net: nn.Sequential, kept: Kept) -> nn.Sequential:
    """A smaller network without the units that go; computes what `masked` does, in eval mode.

    Raises:
        InvalidInput: as `masked`.
    """
    state: dict[str, Tensor] = dict(net.state_dict())
    # Two groups may cut one axis (bands of a stream), so entries are gathered first and cut once.
    cuts: dict[tuple[str, int], list[Tensor]] = {}
    for group, gone in _gone(net, kept):
        for member in group.members:
            cuts.setdefault((member.tensor, member.axis), []).append(_entries(member, gone))
    for (name, axis), entries in cuts.items():
        keep = torch.ones(state[name].shape[axis], dtype=torch.bool)
        keep[torch.cat(entries)] = False
        state[name] = state[name].index_select(axis, keep.nonzero().flatten())
    stages = []
    for index, stage in enumerate(net):
        prefix = f"{index}."
        own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        stages.append(_rebuilt(stage, own))
    return nn.Sequential(*stages).eval().requires_grad_(False)


def _gone(net: nn.Sequential, kept: Kept) -> list[tuple[UnitGroup, NDArray[np.intp]]]:
    groups = {g.name: g for g in unit_groups(net)}
    found = []
    for name, units in kept.items():
        group = groups.get(name)
        if group is None or not group.removable:
            raise InvalidInput(f"{name!r} is no group of units that can be cut out of this network.")
        stay = np.unique(np.asarray(units, dtype=np.intp))
        if not len(stay) or stay[0] < 0 or stay[-1] >= group.size:
            raise InvalidInput(f"At least one unit of {name!r} must stay, and only units it has.")
        gone = np.setdiff1d(np.arange(group.size), stay)
        if len(gone):
            found.append((group, gone))
    return found


def _entries(member: Member, units: NDArray[np.intp]) -> Tensor:
    """Positions along the member's axis that belong to some units."""
    entries = units[:, None] * member.repeat + np.arange(member.repeat) + member.offset
    return torch.from_numpy(entries.ravel().astype(np.int64))


def _rebuilt(block: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """The same block in the sizes of its tensors."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    made = type(block)(**kind_of(block).fitting(block, shapes))
    made.load_state_dict(state)
    return made
