"""Training one architecture alone, from scratch: what it learns when it shares its weights with nobody.

The same data, augmentation, optimizer, schedule and number of epochs as the supernet had, one plain
network, labels as the only teacher. Three things differ, and belong beside any comparison: the weights
start from torch's own initialization (no block starts as the identity, as the supernet's do), one
cosine runs over all epochs whatever phases the supernet's strategy had, and each step trains this
network only. BatchNorm statistics are measured at the end on the calibration images, with the biased
variance, exactly as a subnet's are.

All chance of a network is a function of its seed, under names of its own: equal seeds of a supernet and
of a network trained alone share neither weights nor the order of the images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from core.datasets.base import Dataset
from core.errors import CoreError
from core.networks.answers import accuracy
from core.networks.calibration import recalibrate
from core.records import Progress
from core.seeding import torch_seed
from core.tasks.base import steps_per_epoch
from core.training import checkpoint
from core.training.config import TrainingConfig
from core.training.loop import diverged, make_optimizer
from core.training.plain_epochs import train_epoch

if TYPE_CHECKING:
    from core.store import Ledger

_YIELD_SECONDS = 0.2
_MOST_VALIDATION = 1000


def train_alone(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    ledger: Ledger,
    *,
    index: int = 0,
    of: int = 1,
) -> Iterator[Progress]:
    """Train a fresh network in place; goes on after the ledger's checkpoint if that is of this network.

    A run trains several networks one after another; at the end of each its BatchNorm statistics are
    recalibrated and it is in eval mode.

    Args:
        net: as `core.networks.chain.fresh_like` returns it for `config.seed`.
        dataset: trained on its training images, shown on its validation images.
        config: strategy and its settings are not used.
        ledger: gets the numbers of every epoch, then the whole state.
        index: which network of the run this is, from 0.
        of: how many networks the run trains.

    Raises:
        CoreError: the loss is no longer a number; the last good checkpoint is kept.
    """
    run = _Run(net, dataset, config, ledger, index, of)
    yield Progress(run.fraction(0), f"{run.what}: {'starting' if run.epoch == 0 else 'going on'}")
    while run.epoch < config.epochs:
        yield from run.train_epoch()
        metrics = run.finish_epoch()
        yield Progress(
            run.fraction(0),
            f"{run.what}, epoch {run.epoch} of {config.epochs}: validation accuracy {metrics['accuracy']:.1%}",
            metrics,
        )
    recalibrate(net, torch.from_numpy(dataset.calibration.x))
    net.requires_grad_(False)


class _Run:
    """The moving parts of the training of one network."""

    def __init__(
        self,
        net: nn.Sequential,
        dataset: Dataset,
        config: TrainingConfig,
        ledger: Ledger,
        index: int,
        of: int,
    ) -> None:
        self.net, self.dataset, self.config, self.ledger = net, dataset, config, ledger
        self.index, self.of = index, of
        self.what = f"Network {index + 1} of {of}, seed {config.seed}"
        self.steps = steps_per_epoch(len(dataset.train), config.batch_size)
        self.calibration = torch.from_numpy(dataset.calibration.x)
        self.optimizer = make_optimizer(net.requires_grad_(True), config)
        self.order_seed = torch_seed(config.seed, "alone", "order")
        self.epoch = 0
        kept = ledger.latest_checkpoint()
        if kept is not None and checkpoint.about(kept).get("net") == index:
            self.epoch = int(checkpoint.restore(kept, net, self.optimizer)[1]["epoch"])

    def fraction(self, step: int) -> float:
        return (self.index + (self.epoch + step / self.steps) / self.config.epochs) / self.of

    def train_epoch(self) -> Iterator[Progress]:
        config = self.config
        self.started = shown = time.monotonic()
        self.losses: list[float] = []
        epoch = train_epoch(
            self.net, self.dataset, config, self.optimizer, epoch=self.epoch, order_seed=self.order_seed
        )
        for step, loss in enumerate(epoch):
            if not math.isfinite(loss):
                raise self._diverged("the loss")
            self.losses.append(loss)
            if time.monotonic() - shown > _YIELD_SECONDS:
                shown = time.monotonic()
                yield Progress(self.fraction(step), f"{self.what}, epoch {self.epoch + 1} of {config.epochs}")

    def _diverged(self, what: str) -> CoreError:
        before = " The networks of the seeds before it are kept." if self.index else ""
        return CoreError(f"Seed {self.config.seed}: {diverged(what, self.epoch)}{before}")

    def finish_epoch(self) -> dict[str, Any]:
        """Measure, then save; the epoch counts only once this has returned.

        Raises:
            CoreError: the last step left weights that are not numbers; they are not saved.
        """
        if not all(bool(torch.isfinite(p).all()) for p in self.net.parameters()):
            raise self._diverged("a weight")
        # Training normalizes by the batch itself, so the statistics written here change nothing of it.
        recalibrate(self.net, self.calibration)
        metrics = {
            "net": self.index,
            "seed": self.config.seed,
            "epoch": self.epoch + 1,
            "loss": float(np.mean(self.losses)),
            "accuracy": accuracy(self.net, self.dataset.validation, _MOST_VALIDATION),
            "seconds": time.monotonic() - self.started,
        }
        self.epoch += 1
        self.ledger.log_metrics(self.index * self.config.epochs + self.epoch, metrics)
        about = {"net": self.index, "epoch": self.epoch}
        data = checkpoint.dump(self.net, self.optimizer, None, about)
        self.ledger.checkpoint(data, fraction=self.fraction(0))
        return metrics
