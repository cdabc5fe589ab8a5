"""OTOv2: train once from scratch, while the units that shall go are driven to exact zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from core.config import BaseConfig
from core.errors import InvalidInput
from core.networks.chain import fresh_like
from core.networks.cut import removable_groups, unit_masks
from core.networks.groups import UnitGroup
from core.pruning.dhspg import DHSPG, Pull
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask
from core.pruning.retraining import train_masked
from core.pruning.unit_allocation import UnitWeights, keep_units
from core.records import Progress
from core.tasks.base import steps_per_epoch
from core.training.config import TrainingConfig
from core.training.optimizing import learning_rate
from core.words import format_share


@PRUNERS.register("otov2")
class OTOv2(Pruner):
    """Trains once from scratch and drives redundant units to exact zero on the way; no fine-tuning."""

    label = "OTOv2 (DHSPG)"
    source = "Chen et al., 'OTOv2: automatic, generic, user-friendly', ICLR 2023 (the pull follows the steps left, ours)"
    removes = "units"

    class Config(BaseConfig):
        """How units are driven to zero; 0 for strengths that fit the optimizer."""

        epochs: int = Field(30, ge=1, le=2000, description="Passes over the training images.")
        start: float = Field(
            0.2, ge=0, lt=1, description="Share of the steps before redundant units are marked."
        )
        tolerance: float = Field(
            0.0,
            ge=0,
            le=0.5,
            description="Share of the weights marked beyond those that must go (the paper: 0.05).",
        )
        lmbda: float = Field(
            0.0, ge=0, le=1e6, description="Strength of the pull to zero (0: by the steps that are left)."
        )
        amp: float = Field(
            0.0, ge=0, le=1e6, description="Pull against a push outwards (0: 2 with SGD, 20 with AdamW)."
        )
        coef: float = Field(
            0.0, ge=0, le=1e6, description="Most that the pull may grow (0: 10 with SGD, 1000 with AdamW)."
        )
        eps: float = Field(
            0.0,
            ge=0,
            lt=1,
            description="A unit becomes zero when a step leaves less of it than this share (0: nothing).",
        )

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        groups = removable_groups(task.parent)
        if not groups:
            raise InvalidInput("This network has no units that can be cut out.")
        for sparsity in sparsities:
            net = fresh_like(task.parent, task.seed)
            config = task.training.model_copy(update={"epochs": self.config.epochs, "seed": task.seed})
            around = self._around(net, groups, task, config, sparsity)
            for share in train_masked(
                net, task.dataset, config, {}, before_step=around.before_step, after_step=around.after_step
            ):
                yield Progress(share, f"training while {format_share(sparsity)} of the weights go")
            kept = around.kept()
            # Only what training has made zero is cut; what it has not stays.
            yield Pruned(
                sparsity,
                net,
                unit_masks(net, kept),
                kept,
                trained=True,
                note=_note(net, groups, around, sparsity),
            )

    def _around(
        self,
        net: nn.Sequential,
        groups: Sequence[UnitGroup],
        task: PruningTask,
        config: TrainingConfig,
        sparsity: float,
    ) -> DHSPG:
        weights = UnitWeights(net, groups)
        per_epoch = steps_per_epoch(len(task.dataset.train), config.batch_size)
        steps = config.epochs * per_epoch
        rates = [learning_rate(config, step, steps, per_epoch) for step in range(steps)]
        marked = min(sparsity + self.config.tolerance, (1 + sparsity) / 2) if sparsity else 0.0

        def choose(scores: Mapping[str, Tensor]) -> Mapping[str, NDArray[np.intp]]:
            return keep_units(net, groups, scores, marked)

        def enough(gone: Mapping[str, int]) -> bool:
            return weights.left(gone) <= (1 - sparsity) * weights.total

        slow = config.optimizer == "sgd"
        pull = Pull(
            self.config.amp or (2.0 if slow else 20.0),
            self.config.coef or (10.0 if slow else 1000.0),
            self.config.eps,
        )
        start = int(self.config.start * steps)
        return DHSPG(
            net=net,
            groups=groups,
            rates=rates,
            start=start,
            choose=choose,
            enough=enough,
            pull=pull,
            lmbda=self.config.lmbda,
        )


def _note(net: nn.Sequential, groups: Sequence[UnitGroup], around: DHSPG, sparsity: float) -> str:
    weights = UnitWeights(net, groups)
    gone = 1 - weights.left(around.zero_counts()) / weights.total
    if gone >= sparsity:
        return ""
    left = int((around.marked & ~around.zero).sum())
    if left:
        return f"{left} of {int(around.marked.sum())} marked units did not reach zero, so only {format_share(gone, 1)} went."
    return f"Some units of each layer must stay, so only {format_share(gone, 1)} went."
