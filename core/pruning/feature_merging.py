"""Iterative Feature Merging: join units that do nearly the same; how many are left says how complex a layer is.

No data and no training. A unit is described by its incoming and outgoing weights; in every round each group
joins its closest pair, as long as that pair is close compared with the most different one. The joined unit
emits the sum, and whoever reads it uses the mean of both columns, so exact twins under a ReLU are joined
without changing the function. BatchNorm is folded into the convolutions first.

Source: Chen et al., "Going beyond neural network feature similarity: the network feature complexity and its
interpretation using category theory", ICLR 2024, rewritten from the description of its algorithm. It judges
by distances between weights, so scaling a unit up and its reader down changes what is joined.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.blocks.base import known_kind
from core.networks.chain import declared
from core.networks.cut import compact
from core.networks.groups import Member, UnitGroup, batch_norm
from core.networks.units import unit_groups, units_of


@dataclass(frozen=True, eq=False)
class Merged:
    """A network after merging.

    Attributes:
        net: compact, of plain blocks.
        widths: group -> units left.
        sizes: group -> units there were.
    """

    net: nn.Sequential
    widths: dict[str, int]
    sizes: dict[str, int]

    @property
    def share(self) -> float:
        """Units left, as a share of all that could be joined."""
        return sum(self.widths.values()) / max(1, sum(self.sizes.values()))


def merge_features(net: nn.Sequential, beta: float, *, most: float = 0.9) -> Merged:
    """Join similar units until the closest pair of every group is too different.

    Args:
        net: of plain blocks; not changed.
        beta: a group stops when its smallest squared distance exceeds this share of its largest; at least 0.
        most: at most this share of a group's units is joined away.

    Raises:
        InvalidInput: beta or most is out of bounds, or the network has no units that can be joined.
    """
    if not beta >= 0 or not 0 <= most < 1:
        raise InvalidInput("beta is at least 0, and the share joined away lies between 0 and less than 1.")
    folded = fold(net)
    groups = mergeable_groups(folded)
    if not groups:
        raise InvalidInput(
            "No units of this network can be joined: that needs a ReLU right behind a convolution with its BatchNorm."
        )
    work = [_Group(group, folded.state_dict()) for group in groups]
    waiting = list(work)
    while waiting:
        waiting = [group for group in waiting if group.join_closest(beta, most)]
    made = compact(folded, {g.group.name: g.alive for g in work})
    return Merged(
        made, {g.group.name: len(g.alive) for g in work}, {g.group.name: g.group.size for g in work}
    )


def mergeable_groups(net: nn.Sequential) -> list[UnitGroup]:
    """Groups whose units pass a ReLU with nothing between it and the weights that make them.

    Not attention (GELU and LayerNorm do not scale) and not streams that end in a BatchNorm of their own.
    """
    folded = declared(net, lambda kind: [name for _, norm in kind.foldable for name in batch_norm(norm)])
    found = []
    for group in unit_groups(net):
        elementwise = {m.tensor for m in group.members if m.role == "elementwise"}
        if group.removable and group.size > 1 and elementwise and elementwise <= folded:
            found.append(group)
    return found


def fold(net: nn.Sequential) -> nn.Sequential:
    """A copy that computes the same, with BatchNorm's scale moved into the convolution before it.

    The norm stays, as an offset alone, so that the network is still made of the same blocks.
    """
    made = copy.deepcopy(net)
    with torch.no_grad():
        for block in made:
            kind = known_kind(block)
            for conv_name, norm_name in kind.foldable if kind else ():
                conv, norm = getattr(block, conv_name), getattr(block, norm_name)
                deviation = (norm.running_var + norm.eps).sqrt()
                conv.weight.mul_((norm.weight / deviation).reshape(-1, *[1] * (conv.weight.ndim - 1)))
                if conv.bias is not None:
                    conv.bias.mul_(norm.weight / deviation)
                norm.bias.sub_(norm.running_mean * norm.weight / deviation)
                norm.weight.fill_(1.0)
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0 - norm.eps)
    return made


class _Group:
    """One group while its units are joined; entries are changed in the shared state."""

    def __init__(self, group: UnitGroup, state: dict[str, Tensor]) -> None:
        self.group, self.state = group, state
        self.counts = np.ones(group.size)
        self.alive: NDArray[np.intp] = np.arange(group.size)

    def join_closest(self, beta: float, most: float) -> bool:
        """Join one pair; returns whether there may be another."""
        allowed = self.group.size - max(1, int(np.ceil(self.group.size * (1 - most))))
        if len(self.alive) < 2 or self.group.size - len(self.alive) >= allowed:
            return False
        vectors = self._vectors()
        squares = np.square(vectors).sum(1)
        distances = np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T, 0.0)
        upper = np.triu_indices(len(self.alive), 1)
        closest = int(distances[upper].argmin())
        # Distances below rounding are twins: they must join even where beta is 0.
        rounding = 1e-12 * max(float(squares.max()), 1e-300)
        if distances[upper][closest] > max(beta * distances[upper].max(), rounding):
            return False
        self._join(int(self.alive[upper[0][closest]]), int(self.alive[upper[1][closest]]))
        self.alive = np.delete(self.alive, upper[1][closest])
        return True

    def _vectors(self) -> NDArray[np.float64]:
        """(alive, entries) incoming and outgoing weights; offsets do not take part."""
        parts = [
            units_of(self.state[m.tensor].double(), m, self.group.size)
            for m in self.group.members
            if m.role != "elementwise"
        ]
        return torch.cat(parts, dim=1).numpy()[self.alive]

    def _join(self, stays: int, goes: int) -> None:
        share = self.counts[goes] / (self.counts[stays] + self.counts[goes])
        for member in self.group.members:
            if member.tensor.endswith(("running_mean", "running_var")) or self._is_scale(member):
                continue
            tensor = self.state[member.tensor]
            first, second = (tensor.select(member.axis, member.offset + unit) for unit in (stays, goes))
            if member.role == "input":
                first.copy_((1 - share) * first + share * second)
            else:
                first.add_(second)
        self.counts[stays] += self.counts[goes]

    def _is_scale(self, member: Member) -> bool:
        return member.role == "elementwise" and member.tensor.endswith("weight")
