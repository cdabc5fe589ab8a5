"""A training of a supernet that also writes down what a comparison of trainings asks for; it trains the same bits.

After every epoch: how often subnets of each class of cost were drawn and what they lost, the passes taken, and the
accuracy of three subnets. At five points of the training: the cosine of their gradients, stage by stage.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.evaluator import evaluate_table
from core.records import Metrics, Progress
from core.spaces import Arch
from core.training.gradient_conflict import common_batch, conflict
from core.training.loop import SupernetRun
from core.training.watch_rows import CONFLICT, DRAWN, LOST, PASSES, SIZES, SUBNET, conflict_epochs

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.supernets.base import Supernet
    from core.training.config import TrainingConfig
    from core.training.cost_classes import CostClasses


@dataclass(frozen=True)
class Watched:
    """What is watched.

    Attributes:
        classes: of cost.
        sizes: three subnets, one for each of `SIZES`.
    """

    classes: CostClasses
    sizes: tuple[Arch, ...]


def train_watched(
    supernet: Supernet, dataset: Dataset, config: TrainingConfig, ledger: Ledger, watched: Watched
) -> Generator[Progress, None, Supernet]:
    """As `core.training.loop.train`, to the last bit; the numbers of every epoch are more (core.training.watch_rows)."""
    supernet.task.require_fit(supernet.config, dataset)
    supernet.task.augmentation(config.augmentation)
    run = WatchedRun(supernet, dataset, config, ledger, watched)
    yield Progress(run.fraction(0), "starting" if run.epoch == 0 else f"going on after epoch {run.epoch}")
    yield from run.go()
    return run.supernet


class WatchedRun(SupernetRun):
    """See the module."""

    def __init__(
        self, supernet: Supernet, dataset: Dataset, config: TrainingConfig, ledger: Ledger, watched: Watched
    ) -> None:
        super().__init__(supernet, dataset, config, ledger)
        self._watched, self._batch = watched, common_batch(supernet, dataset)
        self._passes = 0.0

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._passes = self.session.passes

    def measure(self) -> Metrics:
        found = super().measure()
        return found | self._drawn() | self._accuracies() | self._conflict(self.epoch + 1)

    def _drawn(self) -> Metrics:
        drawn, n = self.session.drawn, self._watched.classes.n
        of = self._watched.classes.of(self.session.macs([each.arch for each in drawn]) if drawn else [])
        losses = np.array([each.loss for each in drawn])
        found: Metrics = {PASSES: (self.session.passes - self._passes) / self.steps}
        for index in range(n):
            inside = losses[of == index]
            found[f"{DRAWN}{index}"] = len(inside)
            if len(inside):
                found[f"{LOST}{index}"] = float(inside.mean())
        return found

    def _accuracies(self) -> Metrics:
        rows = np.array(self._watched.sizes, np.uint8)
        different = np.unique(rows, axis=0)
        accuracies = evaluate_table(self.supernet, different, ("accuracy",), self._validation)["accuracy"]
        known = dict(zip(map(tuple, different.tolist()), accuracies.tolist(), strict=True))
        return {f"{SUBNET}{name}": known[arch] for name, arch in zip(SIZES, self._watched.sizes, strict=True)}

    def _conflict(self, epoch: int) -> Metrics:
        if epoch not in conflict_epochs(self.config.epochs):
            return {}
        found = conflict(self.supernet, self._batch, self._watched.sizes)
        return {
            f"{CONFLICT}{pair}_{stage}": value
            for pair, of_stages in enumerate(found)
            for stage, value in enumerate(of_stages)
            if math.isfinite(value)
        }
