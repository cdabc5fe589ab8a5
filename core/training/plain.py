"""Training a plain network on its labels: what training alone, fine-tuning, tickets and masks share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from core.datasets.base import Dataset
from core.device import beside, chosen_device
from core.errors import CoreError
from core.supernets.statistics import exact
from core.tasks.base import Batch, task_of
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.epochs import train_epoch
from core.training.losses.distilling import soft_cross_entropy
from core.training.optimizing import apply_gradients, make_optimizer


class PlainStep:
    """Steps of one network, in training mode, toward its labels.

    Args:
        net: in any mode; batches go where its weights are.
        dataset: its task knows the loss.
        config: strategy and its settings are not used.
        teacher: in eval mode, where the network is; half of the loss is then the cross-entropy against what it answers (Hinton et al., Distilling
            the Knowledge in a Neural Network, 2015, at temperature 1).
        before_step: called between the gradients and the step of the optimizer.
        after_step: called after each step (to hold a mask, say).

    Raises:
        InvalidInput: samples are to be mixed that cannot be.
    """

    def __init__(
        self,
        net: nn.Module,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        teacher: nn.Module | None = None,
        before_step: Callable[[], None] | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> None:
        self.net, self.task, self.config, self.teacher = net, task_of(dataset), config, teacher
        self._device = chosen_device()
        self.optimizer = make_optimizer(net, config)
        self.average = Average(net, config.ema) if config.ema else None
        self._before, self._after = before_step, after_step
        if config.mixup:
            self.task.require_mixing()

    def __call__(self, step: int, batch: Batch, rate: float) -> float:
        """The loss; weights stay as they are where it is no number."""
        if not self.net.training:
            self.net.train()
        batch = beside(self.net, batch)
        self.optimizer.zero_grad()
        with self._device.computing():
            outputs = exact(batch.counted(self.net(batch.inputs)))
        smoothing = self.config.label_smoothing
        loss = self.task.mixed_losses(outputs, batch.targets, batch.mixed, smoothing=smoothing).mean()
        if self.teacher is not None:
            with torch.no_grad(), self._device.computing():
                wanted = exact(batch.counted(self.teacher(batch.inputs)))
            loss = (loss + soft_cross_entropy(outputs, wanted)) / 2
        value = float(loss.detach())
        if not math.isfinite(value):
            return value
        loss.backward()  # type: ignore[no-untyped-call]
        if self._before is not None:
            self._before()
        apply_gradients(self.net, self.optimizer, self.config.clip, rate, norm=self.config.clip_norm)
        if self._after is not None:
            self._after()
        if self.average is not None:
            self.average.update()
        return value


@dataclass(frozen=True)
class Fitted:
    """One step of a fit.

    Attributes:
        epoch: from 0.
        loss: of the step.
        share: of all steps that are done.
        last: whether it ends its epoch.
    """

    epoch: int
    loss: float
    share: float
    last: bool


def fit(
    take_step: PlainStep,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    order_seed: int,
    first_epoch: int = 0,
    what: str = "a network",
) -> Iterator[Fitted]:
    """Train to the end of `config.epochs`, without checkpoints; yields after every step.

    Where weights are averaged, the network has the average once the generator is exhausted.

    Args:
        take_step: of the network.
        dataset: trained on its training samples.
        config: equal seeds see equal batches in equal epochs.
        order_seed: of order and augmentation.
        first_epoch: where training starts, in learning rate and order too.
        what: is trained, for the message.

    Raises:
        CoreError: the loss is no longer a number.
    """
    per_epoch = task_of(dataset).steps(dataset, config.batch_size)
    epochs = config.epochs - first_epoch
    for epoch in range(first_epoch, config.epochs):
        losses = train_epoch(take_step, dataset, config, epoch=epoch, order_seed=order_seed)
        for step, loss in enumerate(losses, 1):
            if not math.isfinite(loss):
                raise CoreError(
                    f"Training {what} diverged in epoch {epoch + 1}; choose a smaller learning rate."
                )
            share = (epoch - first_epoch + step / per_epoch) / epochs
            yield Fitted(epoch, loss, share, step == per_epoch)
    if take_step.average is not None:
        take_step.average.put()
