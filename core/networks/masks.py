"""Masks over single weights: how many stay in each layer, and keeping the others at zero while training.

An allocator turns scores and a sparsity into masks of exact size. Ties are broken by position, so that the
same scores always give the same mask and the density is exact to one weight.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from core.errors import InvalidInput

Masks = Mapping[str, Tensor]
"""Parameter name -> boolean tensor of its shape, True where the weight stays."""
Allocation = Literal["global", "layer"]


def allocate(
    scores: Mapping[str, Tensor], sparsity: float, allocation: Allocation = "global"
) -> dict[str, Tensor]:
    """Masks that remove the share `sparsity` of the weights with the lowest scores.

    Args:
        scores: parameter name -> scores.
        sparsity: share that goes, 0 to less than 1.
        allocation: "global" compares all weights with each other, "layer" removes the same share everywhere.

    Raises:
        InvalidInput: the sparsity is out of bounds, there are no scores, or some are not finite.
    """
    if not 0 <= sparsity < 1:
        raise InvalidInput("A sparsity lies between 0 and less than 1.")
    if not scores or not all(torch.isfinite(s).all() for s in scores.values()):
        raise InvalidInput("There are no scores to prune by, or some of them are not finite.")
    if allocation == "layer":
        return {name: _keep(s.flatten(), sparsity).reshape(s.shape) for name, s in scores.items()}
    flat = torch.cat([s.flatten() for s in scores.values()])
    parts = _keep(flat, sparsity).split([s.numel() for s in scores.values()])
    return {name: part.reshape(s.shape) for (name, s), part in zip(scores.items(), parts, strict=True)}


def _keep(scores: Tensor, sparsity: float) -> Tensor:
    gone = round(sparsity * len(scores))
    mask = torch.ones(len(scores), dtype=torch.bool)
    mask[scores.argsort(stable=True)[:gone]] = False
    return mask


def like_layers(masks: Masks, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Masks with exactly the layer densities of others, chosen by other scores: the fair random control."""
    found = {}
    for name, mask in masks.items():
        gone = int((~mask).sum())
        chosen = torch.ones(mask.numel(), dtype=torch.bool)
        chosen[scores[name].flatten().argsort(stable=True)[:gone]] = False
        found[name] = chosen.reshape(mask.shape)
    return found


def density(masks: Masks) -> float:
    """Share of the weights that stays."""
    return sum(int(m.sum()) for m in masks.values()) / max(1, sum(m.numel() for m in masks.values()))


def applied(net: nn.Sequential, masks: Masks) -> nn.Sequential:
    """A copy of the network whose removed weights are zero.

    Raises:
        InvalidInput: a mask fits no parameter.
    """
    made = copy.deepcopy(net)
    hold(made, masks)
    return made


@torch.no_grad()
def hold(net: nn.Module, masks: Masks) -> None:
    """Set removed weights to zero, in place. After every optimizer step: momentum would revive them.

    Raises:
        InvalidInput: a mask fits no parameter.
    """
    parameters = dict(net.named_parameters())
    for name, mask in masks.items():
        if name not in parameters or parameters[name].shape != mask.shape:
            raise InvalidInput(f"A mask for {name!r} does not fit this network.")
        parameters[name].mul_(mask)


def exponential_schedule(sparsity: float, rounds: int) -> list[float]:
    """Sparsity after each round when every round keeps the same share: density rho^(k/n).

    Raises:
        InvalidInput: no rounds, or the sparsity is out of bounds.

    Source:
        Tanaka et al., SynFlow, 2020; the same as removing a fixed share of what is left (lottery tickets).
    """
    if rounds < 1 or not 0 <= sparsity < 1:
        raise InvalidInput("There is at least one round, and a sparsity lies between 0 and less than 1.")
    return [1 - (1 - sparsity) ** (k / rounds) for k in range(1, rounds + 1)]


def iterative(
    net: nn.Sequential,
    score: Callable[[nn.Sequential], Mapping[str, Tensor]],
    sparsity: float,
    rounds: int,
    allocation: Allocation = "global",
) -> Iterator[dict[str, Tensor]]:
    """Prune a little, score again, prune more; yields the masks after each round, each inside the one before.

    Args:
        net: not changed.
        score: scores of a network whose removed weights are zero.
        sparsity: after the last round.
        rounds: how many.
        allocation: see `allocate`.
    """
    masks: dict[str, Tensor] = {}
    for level in exponential_schedule(sparsity, rounds):
        current = applied(net, masks) if masks else net
        scores = dict(score(current))
        for name, mask in masks.items():
            # What is gone stays gone, whatever its score has become.
            scores[name] = torch.where(mask, scores[name], scores[name].new_tensor(-torch.inf))
        finite = {n: torch.where(s.isinf(), s.new_tensor(-1e300), s) for n, s in scores.items()}
        masks = allocate(finite, level, allocation)
        yield masks
