"""A training of a supernet that also writes down what a comparison of trainings asks for; it trains the same bits.

After every epoch, besides what every training says: the accuracy of three subnets that are the same in all trainings.
At five points of the training: the cosine of their gradients, stage by stage.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.evaluator import evaluate_table
from core.records import Metrics, Progress
from core.spaces import Arch
from core.training.gradient_conflict import common_batch, conflict
from core.training.loop import SupernetRun
from core.training.watch_rows import CONFLICT, SIZES, SUBNET, conflict_epochs

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.supernets.base import Supernet
    from core.training.config import TrainingConfig


def train_watched(
    supernet: Supernet, dataset: Dataset, config: TrainingConfig, ledger: Ledger, sizes: tuple[Arch, ...]
) -> Generator[Progress, None, Supernet]:
    """As `core.training.loop.train`, to the last bit; the numbers of every epoch are more (core.training.watch_rows).

    Args:
        supernet, dataset, config, ledger: as there.
        sizes: three subnets that are watched, one for each of `SIZES`.
    """
    supernet.task.require_fit(supernet.config, dataset)
    supernet.task.augmentation(config.augmentation)
    run = WatchedRun(supernet, dataset, config, ledger, sizes)
    try:
        yield Progress(run.fraction(0), "starting" if run.epoch == 0 else f"going on after epoch {run.epoch}")
        yield from run.go()
    finally:
        for net in (supernet, run.supernet):
            run.session.device.leave(net)
    return run.supernet


class WatchedRun(SupernetRun):
    """See the module."""

    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset,
        config: TrainingConfig,
        ledger: Ledger,
        sizes: tuple[Arch, ...],
    ) -> None:
        super().__init__(supernet, dataset, config, ledger)
        self._three, self._batch = sizes, common_batch(supernet, dataset)

    def measure(self) -> Metrics:
        return super().measure() | self._accuracies() | self._conflict(self.epoch + 1)

    def _accuracies(self) -> Metrics:
        rows = np.array(self._three, np.uint8)
        different = np.unique(rows, axis=0)
        accuracies = evaluate_table(self.supernet, different, ("accuracy",), self._validation)["accuracy"]
        known = dict(zip(map(tuple, different.tolist()), accuracies.tolist(), strict=True))
        return {f"{SUBNET}{name}": known[arch] for name, arch in zip(SIZES, self._three, strict=True)}

    def _conflict(self, epoch: int) -> Metrics:
        if epoch not in conflict_epochs(self.config.epochs):
            return {}
        found = conflict(self.supernet, self._batch, self._three)
        return {
            f"{CONFLICT}{pair}_{stage}": value
            for pair, of_stages in enumerate(found)
            for stage, value in enumerate(of_stages)
            if math.isfinite(value)
        }
