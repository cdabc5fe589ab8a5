"""Is it the mask, the early weights, or only the layer ratios that make a lottery ticket win?"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from pydantic import Field, field_validator
from torch import nn

from core.config import JsonObject
from core.networks.answers import accuracy
from core.networks.chain import fresh_like
from core.networks.masks import like_layers
from core.pruning.criteria.base import CRITERIA
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row, Settings, seed_of
from core.pruning.experiments.comparing import NOTHING, Difference, at, claim, compared, difference
from core.pruning.pruners.base import PruningTask
from core.pruning.retraining import train_masked
from core.pruning.tickets import Ticket, find_tickets, levels
from core.records import Progress
from core.seeding import torch_seed
from core.training.config import TrainingConfig

TICKET, REDRAWN, RANDOM, DENSE = "ticket", "same mask, new weights", "random mask", "dense"
# Finding the tickets takes so much of a part; the rest is the controls.
_FINDING = 0.65


@EXPERIMENTS.register("lottery_tickets")
class LotteryTickets(Experiment):
    """The ticket against its mask on new weights, a random mask of its layer ratios, and the dense network.

    Uses the structure of the task's network, not its weights, and the data set. All see as many epochs in all.
    """

    label = "Lottery tickets"
    source = "Frankle & Carbin, ICLR 2019; control of layer ratios: Su et al., NeurIPS 2020"
    question = "Does a sparse network learn better from the weights it was found with than from new ones?"
    x_label = "sparsity"
    y_label = "validation accuracy"

    class Config(Settings):
        """How tickets are found, and how sparse."""

        epochs: int = Field(8, ge=2, le=500, description="Passes over the training images per training.")
        sparsities: tuple[float, ...] = Field(
            (0.8, 0.9, 0.95), min_length=1, max_length=8, description="Sparsities compared, ascending."
        )
        share: float = Field(0.2, ge=0.05, le=0.9, description="Most that a level removes of what is left.")
        rewind_epochs: int = Field(1, ge=0, le=20, description="Weights go back to after so many epochs.")

        @field_validator("sparsities")
        @classmethod
        def _ascend(cls, values: tuple[float, ...]) -> tuple[float, ...]:
            if list(values) != sorted(set(values)) or not all(0 < value < 1 for value in values):
                raise ValueError("sparsities ascend and lie between 0 and 1")
            return values

    def run_part(self, task: PruningTask, part: JsonObject) -> Iterator[Progress | Row]:
        seed = seed_of(task, part)
        config = task.training.model_copy(update={"epochs": self.config.epochs, "seed": seed})
        net = fresh_like(task.parent, seed)
        path = levels(self.config.sparsities, self.config.share)
        left = len(self.config.sparsities)
        for step in find_tickets(net, task.dataset, config, path, self.config.rewind_epochs):
            if not isinstance(step, Ticket):
                yield Progress(_FINDING * step, f"seed {seed}: finding tickets")
            elif step.sparsity == 0:
                yield Row(DENSE, seed, 0.0, accuracy(step.net, task.dataset, "validation"))
            elif step.sparsity in self.config.sparsities:
                yield Row(TICKET, seed, step.sparsity, accuracy(step.net, task.dataset, "validation"))
                yield from self._controls(task, step, config, seed)
                left -= 1
        yield Progress(1.0, f"seed {seed}: done")

    def _controls(
        self, task: PruningTask, ticket: Ticket, config: TrainingConfig, seed: int
    ) -> Iterator[Progress | Row]:
        redrawn = fresh_like(task.parent, torch_seed(seed, "lottery", "new weights"))
        chance = CRITERIA.create("random_weights")
        scores = chance.scores(ticket.net, list(ticket.masks), None, seed)  # type: ignore[attr-defined]
        same = copy.deepcopy(ticket.net)
        same.load_state_dict(ticket.start)
        plans: list[tuple[str, nn.Sequential, Mapping[str, torch.Tensor], int]] = [
            (REDRAWN, redrawn, ticket.masks, 0),
            (RANDOM, same, like_layers(ticket.masks, scores), self.config.rewind_epochs),
        ]
        for name, net, masks, first in plans:
            for _ in train_masked(net, task.dataset, config, masks, first_epoch=first):
                yield Progress(_FINDING, f"seed {seed}: training the control '{name}'")
            yield Row(name, seed, ticket.sparsity, accuracy(net, task.dataset, "validation"))

    def verdict(self, rows: Sequence[Row]) -> list[str]:
        said: list[str] = []
        names = {REDRAWN: "the same mask on new weights", RANDOM: "a random mask of the same layer ratios"}
        shows: dict[str, list[Difference]] = {control: [] for control in names}
        for x in sorted({row.x for row in rows if row.condition == TICKET}):
            ticket, where = at(rows, TICKET, x), f"at {100 * x:g} % sparsity"
            for control, name in names.items():
                found = difference(ticket, at(rows, control, x))
                if found is not None:
                    said.append(compared(found, "the ticket", name, where=where))
                    shows[control].append(found)
            found = difference(ticket, at(rows, DENSE))
            if found is not None:
                said.append(compared(found, "the ticket", "the dense network", where=where))
        said += [claim(f"the ticket beats {names[control]}", each) for control, each in shows.items() if each]
        return said or [NOTHING]
