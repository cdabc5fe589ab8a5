"""The task contract: what a sample is, how batches are taken, and what an output means.

Everything that depends on the kind of data (images, tokens, a graph) is asked here: the training loop asks
for batches, the evaluator for rows in its order, objectives for what was right, exporters for a random
input and a script that reads a person's files. A family says which task it is for (`Supernet.task`), a
data set which kind of samples it holds (`Dataset.task`); the two must agree. A task holds no state, so one
instance serves every thread.

Inputs are trees (core.networks.trees): a tensor, or tensors in tuples and dictionaries. Each leaf has one row
per sample, with one exception that a task may make for itself: a graph travels whole, its samples are
nodes, and those that count come first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config import BaseConfig, Plugin
from core.datasets.base import Dataset, Split
from core.errors import InvalidInput
from core.networks.trees import as_tensors, map_leaves
from core.tasks.registry import TASKS


@dataclass(frozen=True)
class Batch:
    """Samples that go through a network together.

    Attributes:
        inputs: what the network takes; its first k rows are the samples that count, a graph's other nodes follow.
        targets: (k,) int64 classes of the samples that count.
        ids: (k,) int64 positions of those samples in their source.
    """

    inputs: Any
    targets: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def counted(self, outputs: Any) -> Any:
        """The rows of a network's outputs that belong to `targets`."""
        return map_leaves(lambda leaf: leaf[: len(self)], outputs)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        inputs = map_leaves(lambda leaf: leaf.to(device), self.inputs)
        return Batch(inputs, self.targets.to(device), self.ids.to(device))


@dataclass(frozen=True)
class EvaluationData:
    """The samples a walk through the trie carries, calibration rows first.

    Attributes:
        inputs: what the first stage takes.
        targets: (n,) int64 classes.
        calibration_rows: how many leading rows BatchNorm statistics come from.
        spans: split name -> rows of that split.
    """

    inputs: Any
    targets: Tensor
    calibration_rows: int
    spans: dict[str, slice]


class InputConfig(BaseConfig):
    """What every family needs to know of its data, filled in from the data set; tasks add theirs.

    Attributes:
        classes: number of classes.
    """

    classes: int = 10


class Task(Plugin, ABC):
    """One kind of data.

    Attributes:
        Inputs: base of the Config of every family for this task.
        fixed: fields of it that must be equal for a data set to fit a supernet.
    """

    Inputs: ClassVar[type[InputConfig]]
    fixed: ClassVar[tuple[str, ...]] = ("classes",)

    def settings_from(self, dataset: Dataset) -> dict[str, Any]:
        """The fields of `Inputs` that the data decide."""
        return {"classes": len(dataset.classes), **dataset.inputs}

    def require_fit(self, config: InputConfig, dataset: Dataset) -> None:
        """A supernet of this configuration takes the samples of this data set.

        Raises:
            InvalidInput: it does not.
        """
        if dataset.task != self.name:
            raise InvalidInput(
                f"{dataset.title} holds {dataset.task} data; this supernet takes {self.name} data."
            )
        found, wanted = self.settings_from(dataset), config.model_dump()
        for field in self.fixed:
            if _plain(found[field]) != _plain(wanted[field]):
                raise InvalidInput(
                    f"{dataset.title} does not fit this supernet: {field.replace('_', ' ')} is {_plain(found[field])}, "
                    f"the supernet was made for {_plain(wanted[field])}."
                )

    # --- batches --------------------------------------------------------------------------------

    @abstractmethod
    def epoch(
        self, dataset: Dataset, *, batch_size: int, seed: int, epoch: int, augmentation: Mapping[str, Any]
    ) -> Iterator[Batch]:
        """Shuffled, augmented training batches of one epoch, as functions of (seed, epoch) alone."""

    def steps(self, dataset: Dataset, batch_size: int) -> int:
        """Batches that `epoch` yields."""
        return steps_per_epoch(len(dataset.train), batch_size)

    def batch(self, dataset: Dataset, part: Split) -> Batch:
        """The samples of a split (or of a part of one) as they are, in one batch."""
        return Batch(as_tensors(part.x), torch.from_numpy(part.y), torch.from_numpy(part.ids))

    @abstractmethod
    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        """The calibration split, then the given parts, in this order, as one batch for the evaluator."""

    # --- what outputs mean ----------------------------------------------------------------------

    def losses(self, outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """(n,) losses in nats of (n, k) outputs: cross-entropy with label smoothing."""
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)

    def predictions(self, outputs: Tensor) -> Tensor:
        """(n,) predicted classes of (..., n, k) outputs."""
        return outputs.argmax(-1)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) booleans: which samples are predicted right."""
        return self.predictions(outputs) == targets

    # --- files ----------------------------------------------------------------------------------

    @abstractmethod
    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Any:
        """n random samples that a network takes, to compare two forms of it on."""


def evaluation_data(dataset: Dataset, splits: Sequence[str] = ("validation", "test")) -> EvaluationData:
    """The calibration split and the given splits of a data set, in this order.

    Raises:
        InvalidInput: there is no such split.
    """
    return task_of(dataset).evaluation(dataset, {name: dataset.split(name) for name in splits})


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Full batches of n samples, at least one."""
    return max(1, n // min(batch_size, n))


def task_of(dataset: Dataset) -> Task:
    """The task of a data set.

    Raises:
        NotFound: there is none of that name.
    """
    found: Task = TASKS.create(dataset.task)
    return found


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value
