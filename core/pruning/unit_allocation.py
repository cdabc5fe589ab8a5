"""How many units stay in each group, for a share of the weights that shall go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.groups import UnitGroup
from core.networks.masks import Allocation
from core.pruning.criteria.base import prunable_weights

LEAST = 0.05
"""Share of each group's units that always stays (one unit at least): an empty layer computes nothing."""


class UnitWeights:
    """Counts the weights that are left when units go, without building the network.

    Args:
        net: a network of plain blocks.
        groups: its removable groups.
    """

    def __init__(self, net: nn.Sequential, groups: Sequence[UnitGroup]) -> None:
        shapes = {n: tuple(p.shape) for n, p in net.named_parameters() if n in set(prunable_weights(net))}
        self._shapes = shapes
        self._cuts: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for group in groups:
            for member in group.members:
                if member.tensor in shapes:
                    self._cuts.setdefault((member.tensor, member.axis), []).append(
                        (group.name, member.repeat)
                    )
        self.total = self.left({})

    def left(self, gone: Mapping[str, int]) -> int:
        """Convolution and linear weights left when `gone[group]` units of each group go."""
        total = 0
        for name, shape in self._shapes.items():
            count = 1
            for axis, size in enumerate(shape):
                for group, repeat in self._cuts.get((name, axis), ()):
                    size -= gone.get(group, 0) * repeat
                count *= size
            total += count
        return total


def keep_units(
    net: nn.Sequential,
    groups: Sequence[UnitGroup],
    scores: Mapping[str, Tensor],
    sparsity: float,
    allocation: Allocation = "global",
) -> dict[str, NDArray[np.intp]]:
    """Units that stay when those of lowest score go until the share `sparsity` of the weights is gone.

    The number of units is the smallest that reaches the sparsity; where even the least that must stay in each
    group keeps more weights, that least.

    Args:
        net: a network of plain blocks.
        groups: its removable groups.
        scores: group name -> (size,) scores, comparable between groups.
        sparsity: share of the convolution and linear weights that goes, 0 to less than 1.
        allocation: "global" compares units of all groups, "layer" takes the same share of each.

    Raises:
        InvalidInput: the sparsity is out of bounds, or a score is not finite.
    """
    if not 0 <= sparsity < 1:
        raise InvalidInput("A sparsity lies between 0 and less than 1.")
    if not scores or not all(torch.isfinite(s).all() for s in scores.values()):
        raise InvalidInput("There are no scores to prune by, or some of them are not finite.")
    order = _order(groups, scores, allocation)
    weights = UnitWeights(net, groups)
    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        if weights.left(_counts(order[:middle])) <= (1 - sparsity) * weights.total:
            high = middle
        else:
            low = middle + 1
    gone: dict[str, set[int]] = {group.name: set() for group in groups}
    for name, unit in order[:low]:
        gone[name].add(unit)
    return {g.name: np.array([u for u in range(g.size) if u not in gone[g.name]], np.intp) for g in groups}


def _order(
    groups: Sequence[UnitGroup], scores: Mapping[str, Tensor], allocation: Allocation
) -> list[tuple[str, int]]:
    """(group, unit) in the order in which they go; the last of each group never go."""
    found = []
    for group in groups:
        values = scores[group.name].double()
        ranked = values.argsort(stable=True).tolist()
        for rank, unit in enumerate(ranked[: group.size - max(1, round(LEAST * group.size))]):
            key = float(values[unit]) if allocation == "global" else (rank + 1) / group.size
            found.append((key, group.name, unit))
    found.sort(key=lambda each: each[0])
    return [(name, unit) for _, name, unit in found]


def _counts(gone: Sequence[tuple[str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, _ in gone:
        counts[name] = counts.get(name, 0) + 1
    return counts
