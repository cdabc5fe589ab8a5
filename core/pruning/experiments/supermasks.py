"""One network of random weights, many tasks: each task is only a mask, so no task can spoil another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from core.config import JsonObject
from core.datasets.base import Dataset, Split
from core.networks.answers import accuracy
from core.networks.masks import Masks, applied
from core.pruning.experiments.base import EXPERIMENTS, Experiment, Row, Settings, seed_of
from core.pruning.experiments.comparing import NOTHING, at, claim, compared, difference
from core.pruning.experiments.small_nets import fit, mlp, plain_config, prepared
from core.pruning.pruners.base import PruningTask
from core.pruning.supermasks import Supermask, random_weights
from core.records import Progress
from core.seeding import stream, torch_seed
from core.words import format_share

KNOWN, INFERRED, DENSE = "supermasks, task known", "supermasks, task inferred", "one dense network"
AFRESH = "one dense network, just after the task"


@EXPERIMENTS.register("supermasks")
class Supermasks(Experiment):
    """Learns a mask per task over one random network; a dense network trained on one task after the other forgets.

    The tasks are the task's data set with its pixels in other orders. Accuracies are of each task at the end.
    """

    label = "Supermasks in superposition"
    source = "Wortsman et al., 'Supermasks in superposition', NeurIPS 2020"
    question = "Can one network learn many tasks without forgetting if its weights never change?"
    x_label = "task, in the order learned"
    y_label = "validation accuracy after all tasks"

    class Config(Settings):
        """How many tasks, and how they are learned."""

        tasks: int = Field(5, ge=2, le=20, description="Orders of the pixels, learned one after another.")
        width: int = Field(256, ge=16, le=2048, description="Units in each of the two hidden layers.")
        density: float = Field(0.3, gt=0, le=0.9, description="Share of each layer that a mask uses.")
        epochs: int = Field(10, ge=1, le=200, description="Passes over the training images per task.")
        images: int = Field(2000, ge=50, le=60000, description="Images used of each split, at most.")
        batch: int = Field(64, ge=1, le=1000, description="Images of one task by which the task is inferred.")

    def run_part(self, task: PruningTask, part: JsonObject) -> Iterator[Progress | Row]:
        seed = seed_of(task, part)
        learner = SupSup(self._widths(task.dataset), self.config.density, seed)
        dense = mlp(self._widths(task.dataset), torch_seed(seed, "supermasks", "dense"))
        variants = [self._variant(task.dataset, seed, index) for index in range(self.config.tasks)]
        for index, variant in enumerate(variants):
            yield Progress(
                index / len(variants), f"seed {seed}: learning task {index + 1} of {len(variants)}"
            )
            learner.learn(variant, self.config.epochs)
            config = plain_config(self.config.epochs, 0.05, seed)
            fit(dense, variant, config, torch_seed(seed, "supermasks", "dense", index))
            yield Row(AFRESH, seed, float(index + 1), accuracy(dense, variant, "validation"))
        for index, variant in enumerate(variants):
            x = float(index + 1)
            yield Row(KNOWN, seed, x, accuracy(learner.net_of(index), variant, "validation"))
            yield Row(INFERRED, seed, x, learner.inferred_accuracy(variant.validation, self.config.batch))
            yield Row(DENSE, seed, x, accuracy(dense, variant, "validation"))
        yield Progress(1.0, f"seed {seed}: done")

    def _widths(self, dataset: Dataset) -> list[int]:
        return [int(np.prod(dataset.input_shape)), self.config.width, self.config.width, len(dataset.classes)]

    def _variant(self, dataset: Dataset, seed: int, index: int) -> Dataset:
        pixels = int(np.prod(dataset.input_shape))
        order = stream(seed, "supermasks", "pixels", index).permutation(pixels)
        return prepared(dataset, self.config.images, order if index else None)

    def verdict(self, rows: Sequence[Row]) -> list[str]:
        known, inferred, dense = (at(rows, name) for name in (KNOWN, INFERRED, DENSE))
        said = []
        kept = difference(known, dense)
        if kept is not None:
            said += [
                compared(
                    kept, "the network of masks, told the task,", "the dense network", where="after all tasks"
                ),
                claim("masks remember better than a dense network trained on", [kept]),
            ]
        last = max((row.x for row in rows if row.condition == DENSE), default=0.0)
        forgot = difference(at(rows, AFRESH, 1.0), at(rows, DENSE, 1.0))
        if forgot is not None and last > 1:
            said.append(
                f"The dense network falls on its first task from {format_share(forgot.first, 1)} to {format_share(forgot.second, 1)}."
            )
        told = difference(known, inferred)
        if told is not None:
            said.append(compared(told, "the network of masks, told the task,", "the one that infers it"))
        return said or [NOTHING]


class SupSup:
    """Frozen random weights and one learned mask per task.

    Args:
        widths: of the network, see `mlp`.
        density: share of each layer that a mask uses.
        seed: of all chance.
    """

    def __init__(self, widths: Sequence[int], density: float, seed: int) -> None:
        self.net = mlp(widths, 0)
        random_weights(self.net, "signed_constant", density, torch_seed(seed, "supermasks", "weights"))
        self.density, self.seed = density, seed
        self.masks: list[Masks] = []

    def learn(self, dataset: Dataset, epochs: int) -> None:
        """Learn one more task: its scores are trained, its mask is kept."""
        index = len(self.masks)
        supermask = Supermask(self.net, self.density, torch_seed(self.seed, "supermasks", "scores", index))
        config = plain_config(epochs, 2.0, self.seed)
        fit(supermask, dataset, config, torch_seed(self.seed, "supermasks", "order", index))
        self.masks.append(supermask.masks())

    def net_of(self, index: int) -> nn.Sequential:
        """The network of one task: a copy with the mask's weights, the others zero."""
        return applied(self.net, self.masks[index])

    def infer(self, images: Tensor) -> int:
        """Which task a batch is of: the one whose larger share would lower the entropy of the answers most.

        All masks are mixed evenly; one gradient of the entropy says which of them to follow.
        """
        share = torch.full((len(self.masks),), 1 / len(self.masks), requires_grad=True)
        weights = {
            name: parameter
            * torch.einsum("t,t...->...", share, torch.stack([m[name] for m in self.masks]).float())
            for name, parameter in self.net.named_parameters()
            if name in self.masks[0]
        }
        logs = functional_call(self.net, weights, (images,)).log_softmax(1)
        entropy = -(logs.exp() * logs).sum(1).mean()
        (slope,) = torch.autograd.grad(entropy, share)
        return int(slope.argmin())

    def inferred_accuracy(self, split: Split, batch: int) -> float:
        """Share of right answers where each batch of images of one task chooses its mask itself."""
        right = 0
        for first in range(0, len(split), batch):
            x, y = (torch.from_numpy(v[first : first + batch]) for v in (split.x, split.y))
            right += int((self.net_of(self.infer(x))(x).argmax(1) == y).sum())
        return right / len(split)
