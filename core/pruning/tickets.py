"""Lottery tickets: prune a trained network a little, set what is left back to an early point, train again.

Source:
    Frankle & Carbin, 'The lottery ticket hypothesis', ICLR 2019; rewinding: Frankle et al., 'Linear mode
    connectivity and the lottery ticket hypothesis', ICML 2020.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.datasets.base import Dataset
from core.errors import InvalidInput
from core.networks.masks import Masks, allocate
from core.pruning.criteria.base import prunable_weights
from core.pruning.retraining import train_masked
from core.training.config import TrainingConfig


@dataclass(frozen=True, eq=False)
class Ticket:
    """One level of iterative pruning.

    Attributes:
        sparsity: share of the prunable weights that is gone, as asked for.
        masks: what is left; inside the masks of every level before.
        start: the state all tickets are set back to, of the dense network after the rewinding epochs.
        net: trained from there with the masks held; eval mode.
    """

    sparsity: float
    masks: Masks
    start: Mapping[str, Tensor]
    net: nn.Sequential


def levels(sparsities: Sequence[float], share: float) -> list[float]:
    """Sparsities to go through: every one asked for, and between them enough that none removes too much.

    Between two that are asked for, each level keeps the same share of what is left.

    Args:
        sparsities: ascending, each less than 1; a 0 needs no level.
        share: most that a level may remove of what is left.

    Raises:
        InvalidInput: the sparsities do not ascend or are out of bounds, or the share is.
    """
    if not 0 < share < 1:
        raise InvalidInput("A level removes more than none and less than all of what is left.")
    found: list[float] = []
    density = 1.0
    for sparsity in sparsities:
        left = 1 - sparsity
        if not 0 < left <= density:
            raise InvalidInput("Sparsities ascend, from 0 to less than 1.")
        # The small slack keeps 0.2 of 1 from becoming two levels by rounding.
        steps = max(1, math.ceil(math.log(left / density) / math.log(1 - share) - 1e-9))
        if sparsity > 0:
            found += [1 - density * (left / density) ** (k / steps) for k in range(1, steps)]
            found.append(sparsity)
        density = left
    return found


def smallest_go(net: nn.Sequential, sparsity: float, masks: Masks) -> dict[str, Tensor]:
    """Masks of a sparsity by global magnitude, inside masks from before.

    Raises:
        InvalidInput: the sparsity is out of bounds, or weights are not finite.
    """
    parameters = dict(net.named_parameters())
    scores = {name: parameters[name].detach().abs().double() for name in prunable_weights(net)}
    for name, mask in masks.items():
        # Below every magnitude: what is gone stays gone, even where a weight that is left is zero.
        scores[name] = torch.where(mask, scores[name], -1.0)
    return allocate(scores, sparsity)


def find_tickets(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    sparsities: Sequence[float],
    rewind_epochs: int = 1,
) -> Iterator[float | Ticket]:
    """Train dense, then prune, rewind and train again at every sparsity.

    Args:
        net: untrained; left as the trained dense network.
        dataset: trained on its training images.
        config: `epochs` is the length of every training, the rewound epochs included.
        sparsities: ascending; see `levels`.
        rewind_epochs: weights go back to where they were after so many epochs; 0 is the initialization.

    Yields:
        The share of all epochs done, and a `Ticket` of sparsity 0, then one per sparsity.

    Raises:
        InvalidInput: nothing would be left to train after rewinding.
        CoreError: training diverged.
    """
    if not 0 <= rewind_epochs < config.epochs:
        raise InvalidInput("Weights are rewound to before the end of the training.")
    keep: dict[int, dict[str, Tensor]] = {rewind_epochs: {}}
    again = config.epochs - rewind_epochs
    total = config.epochs + len(sparsities) * again
    for share in train_masked(net, dataset, config, {}, keep=keep):
        yield share * config.epochs / total
    start, masks = keep[rewind_epochs], {n: torch.ones_like(p, dtype=torch.bool) for n, p in _prunable(net)}
    yield Ticket(0.0, masks, start, net)
    trained = net
    for level, sparsity in enumerate(sparsities):
        masks = smallest_go(trained, sparsity, masks)
        trained = copy.deepcopy(net)
        trained.load_state_dict(start)
        for share in train_masked(trained, dataset, config, masks, first_epoch=rewind_epochs):
            yield (config.epochs + (level + share) * again) / total
        yield Ticket(sparsity, masks, start, trained)


def _prunable(net: nn.Sequential) -> list[tuple[str, nn.Parameter]]:
    names = set(prunable_weights(net))
    return [(name, parameter) for name, parameter in net.named_parameters() if name in names]
