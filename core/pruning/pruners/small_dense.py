"""The other control: a dense network with as many weights as are left, trained alone from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.networks.chain import fresh_like
from core.networks.cut import compact, removable_groups
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask
from core.pruning.retraining import train_masked
from core.pruning.unit_allocation import keep_units
from core.records import Progress
from core.words import format_share


@PRUNERS.register("small_dense")
class SmallDense(Pruner):
    """A dense network of the same depth, evenly narrower, with as many weights as stay, trained from scratch."""

    label = "Small dense network"
    source = "control of Liu et al., 'Rethinking the value of network pruning', ICLR 2019"
    removes = "units"

    class Config(BaseConfig):
        """How the small network is trained."""

        epochs: int = Field(30, ge=1, le=2000, description="Passes over the training images.")

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        groups = removable_groups(task.parent)
        if not groups:
            raise InvalidInput(
                "This network has no units that can be cut out, so there is no smaller one like it."
            )
        even = {g.name: torch.arange(g.size, 0, -1, dtype=torch.float64) for g in groups}
        config = task.training.model_copy(update={"epochs": self.config.epochs, "seed": task.seed})
        for sparsity in sparsities:
            kept = keep_units(task.parent, groups, even, sparsity, "layer")
            net = fresh_like(compact(task.parent, kept), task.seed)
            for share in train_masked(net, task.dataset, config, {}):
                yield Progress(
                    share, f"training the dense network of {format_share(1 - sparsity)} of the weights"
                )
            yield Pruned(sparsity, net, trained=True)
