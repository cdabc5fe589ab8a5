"""Find the order of one network's units that brings it closest to another's: by weights or by activations.

Two networks that compute the same with units in another order look far apart in weight space. Both
functions return permutations for `core.networks.units.permute`; the networks are not changed.

Source: Ainsworth, Hayase, Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", ICLR
2023, algorithm 1 (weight matching) and section 3.1 (activation matching; by correlation, as Li et al. 2016).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.capture import Captured, as_rows, batches
from core.networks.groups import UnitGroup
from core.networks.units import apply_permutation, unit_groups, units_of
from core.seeding import stream

Permutations = dict[str, NDArray[np.intp]]
_MOST_SWEEPS = 100
_PROGRESS = 1e-12


def require_same_shape(a: nn.Sequential, b: nn.Sequential) -> None:
    """Refuse two networks whose weights cannot be mixed.

    Raises:
        InvalidInput: their stages or the shapes of their tensors differ.
    """
    shapes = [{name: tuple(t.shape) for name, t in net.state_dict().items()} for net in (a, b)]
    if shapes[0] != shapes[1] or [type(s) for s in a] != [type(s) for s in b]:
        raise InvalidInput(
            "Weights can only be mixed between networks of the same shape. Choose one architecture trained alone "
            "with two seeds, or a subnet and the same architecture trained alone."
        )


def match_weights(a: nn.Sequential, b: nn.Sequential, *, seed: int = 0) -> Permutations:
    """Permutations of b's units that bring its weights closest to a's.

    Groups are visited in random order; each visit solves a linear assignment with all other groups fixed,
    until a whole sweep brings nothing.

    Raises:
        InvalidInput: the networks have different shapes or unknown stages.
    """
    require_same_shape(a, b)
    groups = unit_groups(a)
    names = [name for name, _ in a.named_parameters()]
    target = {n: t.detach().double() for n, t in a.state_dict().items() if n in names}
    current = {n: t.detach().double().clone() for n, t in b.state_dict().items() if n in names}
    found = {group.name: np.arange(group.size) for group in groups}
    score = _agreement(target, current)
    for sweep in range(_MOST_SWEEPS):
        before = score
        for index in stream(seed, "match weights", sweep).permutation(len(groups)):
            group = _parameters_only(groups[index], current)
            order = _assign(_products(target, current, group))
            tried = dict(current)
            apply_permutation(tried, group, order)
            # A tensor that a group touches on two axes makes the assignment an approximation: check.
            if (reached := _agreement(target, tried)) > score + _PROGRESS * max(1.0, abs(score)):
                current, score = tried, reached
                found[group.name] = found[group.name][order]
        if score <= before + _PROGRESS * max(1.0, abs(before)):
            break
    return found


def match_activations(a: nn.Sequential, b: nn.Sequential, images: NDArray[np.float32]) -> Permutations:
    """Permutations of b's units that correlate best, unit by unit, with a's on some images (n, c, h, w).

    Raises:
        InvalidInput: the networks have different shapes or unknown stages.
    """
    require_same_shape(a, b)
    groups = unit_groups(a)
    modules = sorted({module for group in groups for module, _, _ in group.reads})
    moments = {
        (group.name, module): _Correlation(group.size) for group in groups for module, _, _ in group.reads
    }
    both = zip(batches(a, images, modules), batches(b, images, modules), strict=True)
    for left, right in both:
        for group in groups:
            for module, offset, repeat in group.reads:
                x, y = (_units(out[module], offset, repeat, group.size) for out in (left, right))
                moments[group.name, module].update(x, y)
    found = {}
    for group in groups:
        total = sum(moments[group.name, module].values() for module, _, _ in group.reads)
        found[group.name] = _assign(np.asarray(total)) if group.reads else np.arange(group.size)
    return found


class _Correlation:
    """Correlations between the units of two nets, over rows that arrive in batches; float64 moments."""

    def __init__(self, size: int) -> None:
        self._n = 0
        self._sums = np.zeros((2, size))
        self._squares = np.zeros((2, size))
        self._products = np.zeros((size, size))

    def update(self, x: Tensor, y: Tensor) -> None:
        a, b = (z.double().numpy() for z in (x, y))
        self._n += len(a)
        self._sums += a.sum(0), b.sum(0)
        self._squares += np.square(a).sum(0), np.square(b).sum(0)
        self._products += a.T @ b

    def values(self) -> NDArray[np.float64]:
        means = self._sums / self._n
        spreads = np.sqrt(np.maximum(self._squares / self._n - np.square(means), 0.0))
        covariance = self._products / self._n - np.outer(means[0], means[1])
        scale = np.outer(spreads[0], spreads[1])
        # A dead unit goes wherever there is room.
        return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 1e-12)


def _units(layer: Captured, offset: int, repeat: int, size: int) -> Tensor:
    """(rows, size) activations of a group's units from a module's raw output: maps, tokens or vectors."""
    channels_last = as_rows(layer, "positions")
    part = channels_last[..., offset : offset + size * repeat]
    return part.reshape(-1, size, repeat).transpose(1, 2).reshape(-1, size)


def _parameters_only(group: UnitGroup, state: dict[str, Tensor]) -> UnitGroup:
    members = tuple(member for member in group.members if member.tensor in state)
    return replace(group, members=members)


def _products(target: dict[str, Tensor], current: dict[str, Tensor], group: UnitGroup) -> NDArray[np.float64]:
    total = torch.zeros(group.size, group.size, dtype=torch.float64)
    for member in group.members:
        left, right = (units_of(state[member.tensor], member, group.size) for state in (target, current))
        total += left @ right.T
    return np.asarray(total.numpy())


def _agreement(target: dict[str, Tensor], current: dict[str, Tensor]) -> float:
    return float(sum((target[name] * current[name]).sum() for name in target))


def _assign(similarity: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each unit of a, the unit of b that takes its place."""
    return np.asarray(linear_sum_assignment(similarity, maximize=True)[1])
