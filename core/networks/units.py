"""The groups of units of a whole network, and putting their units into another order."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.blocks.base import known_kind
from core.networks.groups import Member, UnitGroup, UnitWalk


def unit_groups(net: nn.Sequential) -> list[UnitGroup]:
    """Every group of units of a network of plain blocks, inner groups first.

    Raises:
        InvalidInput: the network has a stage that is no plain block.
    """
    walk = UnitWalk()
    for at, block in net.named_children():
        kind = known_kind(block)
        if kind is None:
            raise InvalidInput(
                f"This network contains a {type(block).__name__}; which of its units belong together is not known."
            )
        walk.enter(at)
        kind.units(block, walk)
    return walk.groups()


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
        state[member.tensor] = tensor.index_select(member.axis, index.to(tensor.device))
