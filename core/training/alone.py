"""Training one architecture alone, from scratch: what it learns when it shares its weights with nobody.

The same data, augmentation, optimizer, schedule and number of epochs as the supernet had, one plain
network, labels as the only teacher. Three things differ, and belong beside any comparison: the weights
start from torch's own initialization (no block starts as the identity, as the supernet's do), one
cosine runs over all epochs whatever phases the supernet's strategy had, and each step trains this
network only. BatchNorm statistics are measured at the end on the calibration samples, with the biased
variance, exactly as a subnet's are.

All chance of a network is a function of its seed, under names of its own: equal seeds of a supernet and
of a network trained alone share neither weights nor the order of the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

from core.datasets.base import Dataset
from core.device import chosen_device
from core.errors import CoreError
from core.networks.answers import accuracy
from core.networks.calibration import recalibrate
from core.records import Metrics, Progress
from core.seeding import torch_seed
from core.tasks.base import Batch, task_of
from core.training import checkpoint
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.epochs import Run
from core.training.optimizing import diverged
from core.training.plain import PlainStep
from core.training.session import WEIGHTS
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger

_MOST_VALIDATION = 1000


def train_alone(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    ledger: Ledger,
    *,
    teacher: nn.Module | None = None,
    what: str = "Network",
) -> Iterator[Progress]:
    """Train a network in place; goes on after the ledger's checkpoint.

    At its end its BatchNorm statistics are recalibrated and it is in eval mode.

    Args:
        net: as `core.networks.chain.fresh_like` returns it for `config.seed`, or one that is to be tuned.
        dataset: trained on its training samples, shown on its validation samples.
        config: strategy and its settings are not used.
        ledger: of this training; gets the numbers of every epoch, then the whole state.
        teacher: that it also learns from; see `PlainStep`.
        what: is trained, for the messages.

    Raises:
        CoreError: the loss is no longer a number; the last good checkpoint is kept.
    """
    run = _Run(net, dataset, config, ledger, teacher=teacher, what=what)
    try:
        yield Progress(run.fraction(0), f"{run.what}: {'starting' if run.epoch == 0 else 'going on'}")
        yield from run.go()
        recalibrate(net, _calibration(dataset))
        net.requires_grad_(False)
    finally:
        run.device.leave(net)


def _calibration(dataset: Dataset) -> Any:
    """Inputs of the calibration samples, of any kind of data."""
    return task_of(dataset).batch(dataset, dataset.calibration).inputs


class _Run(Run):
    """The moving parts of the training of one network."""

    def __init__(
        self,
        net: nn.Sequential,
        dataset: Dataset,
        config: TrainingConfig,
        ledger: Ledger,
        *,
        teacher: nn.Module | None,
        what: str,
    ) -> None:
        order_seed = torch_seed(config.seed, "alone", "order")
        super().__init__(net, dataset, config, ledger, order_seed=order_seed)
        self.what = f"{what}, seed {config.seed}"
        self.calibration = _calibration(dataset)
        self.device = chosen_device()
        teacher = None if teacher is None else self.device.net(teacher)
        net = self.device.move(net.requires_grad_(True))
        self.plain_step = PlainStep(net, dataset, config, teacher=teacher)
        kept = ledger.latest_checkpoint()
        if kept is not None:
            restored = checkpoint.restore(kept, net, {WEIGHTS: self.plain_step.optimizer})
            if self.plain_step.average is not None:
                self.plain_step.average.load_state_dict(restored.average)
            self.epoch = int(restored.about["epoch"])

    def take_step(self, step: int, batch: Batch, rate: float) -> float:
        return self.plain_step(step, batch, rate)

    def average(self) -> Average | None:
        return self.plain_step.average

    def doing(self) -> str:
        return f"{self.what}, epoch {self.epoch + 1} of {self.config.epochs}"

    def failed(self, what: str) -> CoreError:
        return CoreError(f"Seed {self.config.seed}: {diverged(what, self.epoch)}")

    def measure(self) -> Metrics:
        # Training normalizes by the batch itself, so the statistics written here change nothing of it.
        recalibrate(self.net, self.calibration)
        return {
            "seed": self.config.seed,
            "accuracy": accuracy(self.net, self.dataset, "validation", _MOST_VALIDATION),
        }

    def state(self) -> bytes:
        about = {"epoch": self.epoch}
        average = self.plain_step.average
        return checkpoint.dump(
            self.net,
            {WEIGHTS: self.plain_step.optimizer},
            about,
            average=average.state_dict() if average is not None else None,
        )

    def sentence(self, metrics: Metrics) -> str:
        return (
            f"{self.what}, epoch {self.epoch} of {self.config.epochs}: "
            f"validation accuracy {format_share(float(metrics['accuracy']), 1)}"
        )
