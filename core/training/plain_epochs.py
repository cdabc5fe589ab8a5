"""One epoch of a plain network on labels: what training alone, fine-tuning and tickets share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

from core.datasets.base import Dataset
from core.tasks.base import task_of
from core.training.config import TrainingConfig
from core.training.loop import apply_gradients, learning_rate
from core.training.strategies import Phase

_PHASE = Phase("plain")


def train_epoch(
    net: nn.Module,
    dataset: Dataset,
    config: TrainingConfig,
    optimizer: torch.optim.Optimizer,
    *,
    epoch: int,
    order_seed: int,
    after_step: Callable[[], None] | None = None,
    before_step: Callable[[], None] | None = None,
) -> Iterator[float]:
    """Train one of `config.epochs` epochs in place; yields the loss after each step.

    A loss that is no number is yielded before its step is taken, so that whoever asked can stop.

    Args:
        net: in any mode; left in training mode.
        dataset: its training images are used.
        config: strategy and its settings are not used.
        optimizer: of the network's parameters.
        epoch: which one, from 0; decides learning rate, order and augmentation.
        order_seed: of order and augmentation.
        after_step: called after each step (to hold a mask, say).
        before_step: called between the gradients and the step.
    """
    task = task_of(dataset)
    steps = task.steps(dataset, config.batch_size)
    batches = task.epoch(
        dataset, batch_size=config.batch_size, seed=order_seed, epoch=epoch, augmentation=config.augmentation
    )
    net.train()
    for step, batch in enumerate(batches):
        rate = learning_rate(config, _PHASE, epoch * steps + step, config.epochs * steps, steps)
        optimizer.zero_grad()
        outputs = batch.counted(net(batch.inputs))
        loss = task.losses(outputs, batch.targets, smoothing=config.label_smoothing).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            yield value
            return
        loss.backward()  # type: ignore[no-untyped-call]
        if before_step is not None:
            before_step()
        apply_gradients(net, optimizer, config.clip, rate)
        if after_step is not None:
            after_step()
        yield value
