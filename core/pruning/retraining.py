"""Training with removed weights held at zero: fine-tuning, tickets, small networks from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

from core.datasets.base import Dataset
from core.errors import CoreError
from core.pruning.masks import Masks, hold
from core.seeding import torch_seed
from core.training.alone import recalibrate
from core.training.config import TrainingConfig
from core.training.loop import make_optimizer
from core.training.plain_epochs import train_epoch


def train_masked(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    masks: Masks,
    *,
    after_epoch: Callable[[int], None] | None = None,
) -> Iterator[float]:
    """Train in place for `config.epochs`; removed weights are exactly zero after every step.

    BatchNorm statistics are measured at the end on the calibration images; the network is then in eval
    mode, without gradients.

    Args:
        net: a plain network.
        dataset: trained on its training images.
        config: strategy and its settings are not used; equal seeds see equal batches.
        masks: weights that stay; parameters left out are trained whole.
        after_epoch: told how many epochs are done, while the network is in training mode.

    Yields:
        The share of the steps done, a few times per epoch.

    Raises:
        CoreError: the loss is no longer a number.
        InvalidInput: a mask does not fit.
    """
    hold(net, masks)
    net.requires_grad_(True)
    optimizer = make_optimizer(net, config)
    order = torch_seed(config.seed, "pruning", "order")
    for epoch in range(config.epochs):
        steps = train_epoch(
            net,
            dataset,
            config,
            optimizer,
            epoch=epoch,
            order_seed=order,
            after_step=lambda: hold(net, masks),
        )
        for step, loss in enumerate(steps):
            if not math.isfinite(loss):
                raise CoreError(
                    f"Training a pruned network diverged in epoch {epoch + 1}; choose a smaller learning rate."
                )
            if step % 8 == 0:
                yield epoch / config.epochs
        if after_epoch is not None:
            after_epoch(epoch + 1)
    settle(net, dataset)
    yield 1.0


def settle(net: nn.Sequential, dataset: Dataset) -> None:
    """Measure BatchNorm statistics on the calibration images; eval mode, no gradients."""
    recalibrate(net, torch.from_numpy(dataset.calibration.x))
    net.requires_grad_(False)
