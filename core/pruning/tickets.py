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
from core.errors import CoreError, InvalidInput
from core.pruning.criteria.base import prunable_weights
from core.pruning.masks import Masks, allocate, hold
from core.pruning.retraining import settle
from core.seeding import torch_seed
from core.training.config import TrainingConfig
from core.training.loop import make_optimizer
from core.training.plain_epochs import train_epoch


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


def train_from(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    masks: Masks,
    first_epoch: int = 0,
    keep: dict[int, dict[str, Tensor]] | None = None,
) -> Iterator[int]:
    """Train in place from one epoch to the end of the schedule; removed weights are exactly zero all along.

    As `train_masked`, which always starts at epoch 0. Momentum starts at zero. Afterwards BatchNorm is
    measured on the calibration images and the network is in eval mode, without gradients.

    Args:
        net: a plain network, as it was after `first_epoch` epochs.
        dataset: trained on its training images.
        config: equal seeds see equal batches in equal epochs.
        masks: weights that stay.
        first_epoch: decides learning rate and order of the first epoch here.
        keep: epochs done -> filled with a copy of the state then; only keys already there.

    Yields:
        Epochs done in this call.

    Raises:
        CoreError: the loss is no longer a number.
        InvalidInput: a mask does not fit.
    """
    hold(net, masks)
    net.requires_grad_(True)
    optimizer = make_optimizer(net, config)
    order = torch_seed(config.seed, "pruning", "order")
    _keep_state(net, keep, first_epoch)
    for epoch in range(first_epoch, config.epochs):
        for loss in train_epoch(
            net,
            dataset,
            config,
            optimizer,
            epoch=epoch,
            order_seed=order,
            after_step=lambda: hold(net, masks),
        ):
            if not math.isfinite(loss):
                raise CoreError(
                    f"Training a ticket diverged in epoch {epoch + 1}; choose a smaller learning rate."
                )
        _keep_state(net, keep, epoch + 1)
        yield epoch + 1 - first_epoch
    settle(net, dataset)


def _keep_state(net: nn.Module, keep: dict[int, dict[str, Tensor]] | None, epoch: int) -> None:
    if keep is not None and epoch in keep:
        keep[epoch] = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


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
    total = config.epochs + len(sparsities) * (config.epochs - rewind_epochs)
    done = 0
    for done in train_from(net, dataset, config, {}, keep=keep):
        yield done / total
    start, masks = keep[rewind_epochs], {n: torch.ones_like(p, dtype=torch.bool) for n, p in _prunable(net)}
    yield Ticket(0.0, masks, start, net)
    trained = net
    for sparsity in sparsities:
        masks = smallest_go(trained, sparsity, masks)
        trained = copy.deepcopy(net)
        trained.load_state_dict(start)
        for _ in train_from(trained, dataset, config, masks, rewind_epochs):
            done += 1
            yield done / total
        yield Ticket(sparsity, masks, start, trained)


def _prunable(net: nn.Sequential) -> list[tuple[str, nn.Parameter]]:
    names = set(prunable_weights(net))
    return [(name, parameter) for name, parameter in net.named_parameters() if name in names]
