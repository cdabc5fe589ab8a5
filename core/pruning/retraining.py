"""Training with removed weights held at zero: fine-tuning, tickets, small networks from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from core.datasets.base import Dataset
from core.errors import CoreError
from core.networks.calibration import recalibrate
from core.networks.masks import Masks, hold
from core.seeding import torch_seed
from core.tasks.base import steps_per_epoch
from core.training.config import TrainingConfig
from core.training.loop import make_optimizer
from core.training.plain_epochs import train_epoch

_YIELD_STEPS = 8


def train_masked(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    masks: Masks,
    *,
    first_epoch: int = 0,
    keep: dict[int, dict[str, Tensor]] | None = None,
    before_step: Callable[[], None] | None = None,
    after_step: Callable[[], None] | None = None,
) -> Iterator[float]:
    """Train in place to the end of `config.epochs`; removed weights are exactly zero after every step.

    BatchNorm statistics are measured at the end on the calibration images; the network is then in eval
    mode, without gradients.

    Args:
        net: a plain network, as it was after `first_epoch` epochs.
        dataset: trained on its training images.
        config: strategy and its settings are not used; equal seeds see equal batches in equal epochs.
        masks: weights that stay; parameters left out are trained whole.
        first_epoch: where training starts, in learning rate and order too; momentum starts at zero.
        keep: epochs done -> filled with a copy of the state then; only keys already there.
        before_step, after_step: called around each step of the optimizer, the latter after masks were held.

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
    epochs = config.epochs - first_epoch
    per_epoch = steps_per_epoch(len(dataset.train), config.batch_size)

    def held() -> None:
        hold(net, masks)
        if after_step is not None:
            after_step()

    _keep_state(net, keep, first_epoch)
    for epoch in range(first_epoch, config.epochs):
        steps = train_epoch(
            net,
            dataset,
            config,
            optimizer,
            epoch=epoch,
            order_seed=order,
            before_step=before_step,
            after_step=held,
        )
        for step, loss in enumerate(steps, 1):
            if not math.isfinite(loss):
                raise CoreError(
                    f"Training a pruned network diverged in epoch {epoch + 1}; choose a smaller learning rate."
                )
            if step % _YIELD_STEPS == 0:
                yield (epoch - first_epoch + step / per_epoch) / epochs
        _keep_state(net, keep, epoch + 1)
    settle(net, dataset)
    yield 1.0


def _keep_state(net: nn.Module, keep: dict[int, dict[str, Tensor]] | None, epoch: int) -> None:
    if keep is not None and epoch in keep:
        keep[epoch] = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def settle(net: nn.Sequential, dataset: Dataset) -> None:
    """Measure BatchNorm statistics on the calibration images; eval mode, no gradients."""
    recalibrate(net, torch.from_numpy(dataset.calibration.x))
    net.requires_grad_(False)
