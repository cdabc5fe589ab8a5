"""Lottery tickets by iterative magnitude pruning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from core.config import BaseConfig
from core.networks.chain import fresh_like
from core.pruning.pruners.base import PRUNERS, Pruned, Pruner, PruningTask
from core.pruning.tickets import Ticket, find_tickets, levels
from core.records import Progress


@PRUNERS.register("lottery_ticket")
class LotteryTicket(Pruner):
    """Trains from fresh weights, removes the smallest, sets the others back to an early point, trains again."""

    label = "Lottery ticket"
    source = "Frankle & Carbin, ICLR 2019; rewinding: Frankle et al., ICML 2020"
    removes = "weights"

    class Config(BaseConfig):
        """How long each level trains and how much it removes."""

        epochs: int = Field(15, ge=1, le=2000, description="Passes over the training images per level.")
        share: float = Field(
            0.2, ge=0.05, le=0.9, description="Most that one level removes, as a share of what is left."
        )
        rewind_epochs: int = Field(
            1,
            ge=0,
            le=100,
            description="Epochs after which the weights are taken to go back to; 0: untrained.",
        )

    def prune(self, task: PruningTask, sparsities: Sequence[float]) -> Iterator[Progress | Pruned]:
        config = task.training.model_copy(update={"epochs": self.config.epochs, "seed": task.seed})
        path = levels(sparsities, self.config.share)
        net = fresh_like(task.parent, task.seed)
        level = 0
        for step in find_tickets(net, task.dataset, config, path, self.config.rewind_epochs):
            if isinstance(step, Ticket):
                level += 1
                if step.sparsity in sparsities:
                    yield Pruned(step.sparsity, step.net, step.masks, trained=True)
            else:
                what = f"training level {level} of {len(path)}" if level else "training the dense network"
                yield Progress(step, what)
