"""The one epoch, and the one run of epochs with a checkpoint after each, that every training shares.

A run is a generator: it yields often, and whoever drives it may stop at any yield. After every epoch the
whole state goes to the ledger before the epoch is reported. Nothing reads a global generator, so a run that
was killed and resumed ends with the weights of an uninterrupted one (same machine, same torch, one thread).
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.datasets.base import Dataset
from core.errors import CoreError
from core.records import Metrics, Progress
from core.seeding import stream
from core.tasks.base import Batch, task_of
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.optimizing import diverged, learning_rate

if TYPE_CHECKING:
    from core.ledger import Ledger

_YIELD_SECONDS = 0.2

TakeStep = Callable[[int, Batch, float], float]
"""(number of the step within its epoch, its batch, its learning rate) -> loss. A loss that is no number is
returned before the weights were touched."""


Stop = Callable[[int], bool]
"""(number of whole epochs) -> whether the training should end with them. Asked several times a second."""


def never(epochs: int) -> bool:
    """Train to the end."""
    return False


@dataclass(frozen=True)
class Stretch:
    """Where an epoch lies in the stretch of training that one learning-rate curve covers.

    Attributes:
        done: epochs of the stretch before this one.
        length: epochs of the stretch.
        factor: on the configured learning rate.
    """

    done: int
    length: int
    factor: float = 1.0


def train_epoch(
    take_step: TakeStep,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    epoch: int,
    order_seed: int,
    stretch: Stretch | None = None,
    order: NDArray[np.int64] | None = None,
) -> Iterator[float]:
    """Take the steps of one epoch; yields the loss of each, and ends after one that is no number.

    Args:
        take_step: trains on one batch.
        dataset: its training samples are used.
        config: batches, augmentation and the learning-rate curve; the strategy is not used.
        epoch: which one of the training, from 0; decides order and augmentation.
        order_seed: of order and augmentation.
        stretch: None for one curve over all epochs.
        order: rows of the training samples; the task's own shuffle if left out.
    """
    task, place = task_of(dataset), stretch or Stretch(epoch, config.epochs)
    steps = task.steps(dataset, config.batch_size)
    batches = task.epoch(
        dataset,
        batch_size=config.batch_size,
        seed=order_seed,
        epoch=epoch,
        augmentation=config.augmentation,
        order=order,
    )
    mixing = stream(order_seed, "mixup", epoch)
    for step, batch in enumerate(batches):
        rate = learning_rate(
            config, place.done * steps + step, place.length * steps, steps, factor=place.factor
        )
        if config.mixup:
            share = float(mixing.beta(config.mixup, config.mixup))
            batch = task.mixed(batch, share, mixing.permutation(len(batch)))
        loss = take_step(step, batch, rate)
        yield loss
        if not math.isfinite(loss):
            return


class Run(ABC):
    """Epochs with a checkpoint after each.

    A subclass says what a step, a measurement and the state are.

    Args:
        net: what is trained, in place.
        dataset: what it is trained on.
        config: how.
        ledger: gets the numbers of every epoch, then the whole state.
        order_seed: of order and augmentation.
        stop: a training that should end early ends with its last whole epoch; with its first where there is none.

    Raises:
        InvalidInput: samples are to be mixed that cannot be.
    """

    def __init__(
        self,
        net: nn.Module,
        dataset: Dataset,
        config: TrainingConfig,
        ledger: Ledger,
        *,
        order_seed: int,
        stop: Stop = never,
    ) -> None:
        self.net, self.dataset, self.config, self.ledger = net, dataset, config, ledger
        self.order_seed, self._stop = order_seed, stop
        self.steps = task_of(dataset).steps(dataset, config.batch_size)
        self.epoch = 0
        if config.mixup:
            task_of(dataset).require_mixing()

    @abstractmethod
    def take_step(self, step: int, batch: Batch, rate: float) -> float:
        """Train on one batch; a loss that is no number is returned before the weights were touched."""

    @abstractmethod
    def measure(self) -> Metrics:
        """What is known of the network after an epoch, besides its number, loss and seconds."""

    @abstractmethod
    def state(self) -> bytes:
        """The checkpoint after `self.epoch` epochs."""

    @abstractmethod
    def sentence(self, metrics: Metrics) -> str:
        """What a person reads after an epoch."""

    def doing(self) -> str:
        """What a person reads within an epoch."""
        return f"Epoch {self.epoch + 1} of {self.config.epochs}"

    def stretch(self) -> Stretch:
        """Where the current epoch lies; by default one curve covers all."""
        return Stretch(self.epoch, self.config.epochs)

    def back(self) -> None:
        """Take up the state after the last whole epoch again, where there is one.

        Only a run that may be stopped within an epoch needs it.
        """
        raise TypeError(f"{type(self).__name__} must define back")

    def stopping(self) -> bool:
        """Whether a whole epoch is there and nothing is to follow it."""
        return self.epoch > 0 and self._stop(self.epoch)

    def ending(self, due: bool) -> bool:
        """Whether to leave the epoch after a step; `due` says that it is time to look."""
        return due and self.stopping()

    def begin_epoch(self) -> None:  # noqa: B027 - most runs have nothing to do here
        """Called before the first step of an epoch."""

    def order(self) -> NDArray[np.int64] | None:
        """Rows of the training samples as the current epoch takes them; None for the task's own shuffle."""
        return None

    def trained(self) -> nn.Module:
        """What is being trained, now."""
        return self.net

    def average(self) -> Average | None:
        """The average of its weights, where they are averaged."""
        return None

    def fraction(self, step: int) -> float:
        """Share of the work that is done after so many steps of the current epoch."""
        return (self.epoch + step / self.steps) / self.config.epochs

    def failed(self, what: str) -> CoreError:
        """The failure to raise where something is no longer a number."""
        return diverged(what, self.epoch)

    def go(self) -> Iterator[Progress]:
        """Train what is left of the epochs; where weights are averaged, the network then has the average.

        Raises:
            CoreError: a loss or a weight is no longer a number; the last good checkpoint is kept.
        """
        while self.epoch < self.config.epochs and not self.stopping():
            started = shown = time.monotonic()
            losses = []
            self.begin_epoch()
            epoch = train_epoch(
                self.take_step,
                self.dataset,
                self.config,
                epoch=self.epoch,
                order_seed=self.order_seed,
                stretch=self.stretch(),
                order=self.order(),
            )
            for step, loss in enumerate(epoch, 1):
                if not math.isfinite(loss):
                    raise self.failed("the loss")
                losses.append(loss)
                due = time.monotonic() - shown > _YIELD_SECONDS
                if due:
                    shown = time.monotonic()
                    yield Progress(self.fraction(step), self.doing())
                if self.ending(due):
                    self.back()
                    break
            else:
                metrics = self._finish(float(np.mean(losses)), started)
                yield Progress(self.fraction(0), self.sentence(metrics), metrics)
        average = self.average()
        if average is not None:
            average.put()

    def _finish(self, loss: float, started: float) -> Metrics:
        """Measure, then save; the epoch counts only once this has returned.

        Raises:
            CoreError: the last step left weights that are not numbers; they are not saved.
        """
        if not all(bool(torch.isfinite(p).all()) for p in self.trained().parameters()):
            raise self.failed("a weight")
        average = self.average()
        with nullcontext() if average is None else average.instead():
            measured = self.measure()
        metrics = {"epoch": self.epoch + 1, "loss": loss} | measured | {"seconds": time.monotonic() - started}
        self.epoch += 1
        self.ledger.log_metrics(self.epoch, metrics)
        self.ledger.checkpoint(self.state(), fraction=self.fraction(0))
        return metrics
