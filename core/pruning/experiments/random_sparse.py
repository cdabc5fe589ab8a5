"""Is it worth choosing among random sparse networks before training? The null that a tool must be able to show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from core.config import JsonObject
from core.datasets.base import Dataset
from core.networks.answers import accuracy
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row, Settings, seed_of
from core.pruning.experiments.comparing import NOTHING, at, claim, compared, difference
from core.pruning.experiments.small_nets import fit, loss_on, mlp, plain_config, prepared
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from core.seeding import stream, torch_seed
from core.words import format_share

CHOSEN, DRAWN, DENSE = "best of many draws", "one draw", "dense"


@EXPERIMENTS.register("random_sparse")
class RandomSparse(Experiment):
    """Draws random sets of units, trains the one that starts with the lowest loss and one that nobody chose.

    Uses the task's data set; the network is a dense one with two hidden layers.
    """

    label = "Choosing among random sparse networks"
    source = "random search as the baseline of sparse networks (Li & Talwalkar, UAI 2019, for the protocol)"
    question = "Does the best of many random sparse networks at the start also end up the best?"
    x_label = "share of units removed"
    y_label = "validation accuracy"

    class Config(Settings):
        """How many draws, and how sparse."""

        seeds: int = Field(5, ge=1, le=10, description="Repetitions, each with chance of its own.")
        draws: int = Field(50, ge=2, le=1000, description="Random networks to choose from.")
        sparsities: tuple[float, ...] = Field(
            (0.5, 0.8, 0.9, 0.95),
            min_length=1,
            max_length=8,
            description="Shares of the units that are removed.",
        )
        width: int = Field(256, ge=16, le=2048, description="Units in each of the two hidden layers.")
        epochs: int = Field(10, ge=1, le=200, description="Passes over the training images.")
        images: int = Field(2000, ge=50, le=60000, description="Images used of each split, at most.")

    def run_part(self, task: PruningTask, part: JsonObject) -> Iterator[Progress | Row]:
        seed = seed_of(task, part)
        data = prepared(task.dataset, self.config.images)
        widths = [int(np.prod(data.input_shape)), self.config.width, self.config.width, len(data.classes)]
        parent = mlp(widths, torch_seed(seed, "random sparse", "weights"))
        for index, sparsity in enumerate(self.config.sparsities):
            yield Progress(
                index / (len(self.config.sparsities) + 1),
                f"seed {seed}: {format_share(sparsity)} of the units gone",
            )
            drawn = [
                with_units(parent, units_of(widths, sparsity, seed, k)) for k in range(self.config.draws)
            ]
            # One more draw, which nobody has looked at.
            other = with_units(parent, units_of(widths, sparsity, seed, self.config.draws))
            for name, net in ((CHOSEN, best_start(drawn, data)), (DRAWN, other)):
                yield Row(name, seed, sparsity, self._trained(net, data, seed))
        yield Row(DENSE, seed, 0.0, self._trained(parent, data, seed))
        yield Progress(1.0, f"seed {seed}: done")

    def _trained(self, net: nn.Sequential, data: Dataset, seed: int) -> float:
        fit(
            net,
            data,
            plain_config(self.config.epochs, 0.05, seed),
            torch_seed(seed, "random sparse", "order"),
        )
        return accuracy(net, data, "validation")

    def verdict(self, rows: Sequence[Row]) -> list[str]:
        said, shows = [], []
        for x in sorted({row.x for row in rows if row.condition == CHOSEN}):
            found = difference(at(rows, CHOSEN, x), at(rows, DRAWN, x))
            if found is not None:
                where = f"with {100 * x:g} % of the units removed"
                said.append(
                    compared(found, "the network with the best start", "one drawn blindly", where=where)
                )
                shows.append(found)
        if shows:
            said.append(claim("choosing by the first loss gives a better trained network", shows))
        return said or [NOTHING]


def units_of(widths: Sequence[int], sparsity: float, seed: int, draw: int) -> list[Tensor]:
    """Units that stay in each hidden layer, drawn at random; at least one."""
    rng = stream(seed, "random sparse", "units", str(sparsity), draw)
    return [
        torch.from_numpy(np.sort(rng.permutation(width)[: max(1, width - round(sparsity * width))]))
        for width in widths[1:-1]
    ]


@torch.no_grad()
def with_units(parent: nn.Sequential, kept: Sequence[Tensor]) -> nn.Sequential:
    """The small network of the units that stay, with the parent's weights between them.

    The same function as the parent's with all other units at zero, only faster.
    """
    layers = [m for m in parent if isinstance(m, nn.Linear)]
    outputs = [*kept, torch.arange(layers[-1].out_features)]
    inputs = [torch.arange(layers[0].in_features), *kept]
    made = mlp([len(inputs[0]), *(len(k) for k in kept), len(outputs[-1])], 0)
    small = [m for m in made if isinstance(m, nn.Linear)]
    for new, old, rows, columns in zip(small, layers, outputs, inputs, strict=True):
        new.weight.copy_(old.weight[rows][:, columns])
        new.bias.copy_(old.bias[rows])
    return made


def best_start(nets: Sequence[nn.Sequential], data: Dataset) -> nn.Sequential:
    """The untrained network with the lowest loss on the training images."""
    return min(nets, key=lambda net: loss_on(net, data.train))
