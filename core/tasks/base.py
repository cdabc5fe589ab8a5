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
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from core.config import BaseConfig, JsonObject, Plugin, Settings
from core.datasets.base import Dataset, Split
from core.errors import InvalidInput, wrong_setting
from core.networks.trees import as_tensors, joined, map_leaves, n_rows, rows_of
from core.seeding import stream
from core.tasks.registry import TASKS


@dataclass(frozen=True)
class Mixed:
    """What the samples of a batch were mixed with (mixup).

    Attributes:
        targets: (k,) int64 classes of the partners.
        share: of each sample that is its own, 0 to 1; the rest is its partner's.
    """

    targets: Tensor
    share: float


@dataclass(frozen=True)
class Batch:
    """Samples that go through a network together.

    Attributes:
        inputs: what the network takes; its first k rows are the samples that count, a graph's other nodes follow.
        targets: (k,) int64 classes of the samples that count; (k, p) where each has several positions that are scored.
        ids: (k,) int64 positions of those samples in their source.
        mixed: their partners, where samples are mixed.
    """

    inputs: Any
    targets: Tensor
    ids: Tensor
    mixed: Mixed | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, index: int, of: int) -> Batch:
        """The index-th of several equal parts, in order; what is left over when the rows are divided is in none.

        Raises:
            InvalidInput: samples only go through a network together, or there are fewer than parts.
        """
        size = len(self) // of
        if not size or n_rows(self.inputs) != len(self):
            raise InvalidInput(
                f"{len(self)} samples cannot be divided into {of} parts; choose larger batches or another strategy."
            )
        return self.rows(slice(index * size, (index + 1) * size))

    def rows(self, rows: slice) -> Batch:
        """Some of the samples; not of those that only go through a network together."""
        mixed = None if self.mixed is None else Mixed(self.mixed.targets[rows], self.mixed.share)
        return Batch(rows_of(self.inputs, rows), self.targets[rows], self.ids[rows], mixed)

    def counted(self, outputs: Any) -> Any:
        """The rows of a network's outputs that belong to `targets`."""
        return map_leaves(lambda leaf: leaf[: len(self)], outputs)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        inputs = map_leaves(lambda leaf: leaf.to(device), self.inputs)
        mixed = None if self.mixed is None else Mixed(self.mixed.targets.to(device), self.mixed.share)
        return Batch(inputs, self.targets.to(device), self.ids.to(device), mixed)


@dataclass(frozen=True)
class EvaluationData:
    """The samples a walk through the trie carries, calibration rows first.

    Attributes:
        inputs: what the first stage takes.
        targets: (n,) int64 classes; (n, p) where each sample has several positions that are scored.
        calibration_rows: how many leading rows BatchNorm statistics come from.
        spans: split name -> rows of that split.
        target_bytes: split name -> mean bytes of text that a target stands for; a split that is not named has none.
    """

    inputs: Any
    targets: Tensor
    calibration_rows: int
    spans: dict[str, slice]
    target_bytes: Mapping[str, float] = field(default_factory=dict)

    def answers(self, split: str) -> int:
        """How many answers of a split are judged: one per sample, or one per position that is scored."""
        return self.targets[self.spans[split]].numel()


class InputConfig(BaseConfig):
    """What every family needs to know of its data, filled in from the data set; tasks add theirs.

    Attributes:
        input_shape: of one sample.
        classes: number of classes.
    """

    input_shape: tuple[int, ...]
    classes: int = 10


class Task(Plugin, ABC):
    """One kind of data.

    Attributes:
        sample, samples: what a person calls one sample, and several.
        judged: what accuracies count, where it is not samples.
        caveat: a sentence on why intervals of accuracies are wider in truth; empty where they are not.
        whole: whether samples only go through a network together (the nodes of one graph).
        passes: what goes through a network at once when it is asked about a sample; costs and latencies
            are those of one of it ("one image", "the whole graph").
        Inputs: base of the Config of every family for this task.
        Augmentation: what may be done to training samples, with its settings.
        fixed: fields of `Inputs` that must be equal for a data set to fit a supernet; what a supernet leaves empty fits.
        at_most: fields that must not be larger in the data set (a vocabulary of which not every number is used).
        inputs: what the tensors that a network takes are called in files, in order.
        usage: commands that run a download's predict.py, for its card.
        takes: one sentence for whoever loads a download in Python.
        mixes: whether a weighted sum of two samples is a sample.
        views: whether `view` knows another look at samples.
        calibrates: whether calibration rows go through a network ahead of the others, for BatchNorm's statistics.
        per_position: whether a sample has several positions that are scored, so that what is right is counted by position.
    """

    sample: ClassVar[str] = "sample"
    samples: ClassVar[str] = "samples"
    judged: ClassVar[str] = ""
    caveat: ClassVar[str] = ""
    whole: ClassVar[bool] = False
    passes: ClassVar[str] = "one sample"
    Inputs: ClassVar[type[InputConfig]]
    Augmentation: ClassVar[type[BaseConfig]] = BaseConfig
    fixed: ClassVar[tuple[str, ...]] = ("classes",)
    inputs: ClassVar[tuple[str, ...]]
    usage: ClassVar[tuple[str, ...]]
    takes: ClassVar[str]
    mixes: ClassVar[bool] = False
    views: ClassVar[bool] = False
    at_most: ClassVar[tuple[str, ...]] = ()
    calibrates: ClassVar[bool] = True
    per_position: ClassVar[bool] = False

    def settings_from(self, dataset: Dataset) -> Settings:
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
        for name in (*self.fixed, *self.at_most):
            has, takes = _plain(found.get(name, "")), _plain(wanted[name])
            fits = takes in ("", has) or (name in self.at_most and has <= takes)
            if not fits:
                raise InvalidInput(
                    f"{dataset.title} does not fit this supernet: {name.replace('_', ' ')} is {has}, "
                    f"the supernet was made for {takes}."
                )

    def augmentation(self, settings: JsonObject) -> Any:
        """The validated settings of what is done to training samples.

        Raises:
            InvalidInput: a setting is unknown to this kind of data, or out of bounds.
        """
        try:
            return self.Augmentation.model_validate(dict(settings))
        except ValidationError as error:
            raise wrong_setting(f"Augmentation of {self.samples}", error) from error

    # --- batches --------------------------------------------------------------------------------

    @abstractmethod
    def epoch(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        augmentation: JsonObject,
        order: NDArray[np.int64] | None = None,
    ) -> Iterator[Batch]:
        """Augmented training batches of one epoch, as functions of the arguments alone.

        Args:
            dataset: its training samples are taken.
            batch_size: samples of a batch.
            seed, epoch: decide order and augmentation.
            augmentation: what is done to samples.
            order: (m,) rows of the training split, as many as it has, repeats allowed; shuffled if left out.
        """

    def steps(self, dataset: Dataset, batch_size: int) -> int:
        """Batches that `epoch` yields."""
        return steps_per_epoch(len(dataset.train), batch_size)

    def batch(self, dataset: Dataset, part: Split) -> Batch:
        """The samples of a split (or of a part of one) as they are, in one batch."""
        return Batch(as_tensors(part.x), torch.from_numpy(part.y), torch.from_numpy(part.ids))

    @abstractmethod
    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        """The calibration split, then the given parts, in this order, as one batch for the evaluator."""

    def require_mixing(self) -> None:
        """Samples of this kind can be mixed.

        Raises:
            InvalidInput: they cannot.
        """
        if not self.mixes:
            raise InvalidInput(
                f"{self.samples.capitalize()} cannot be mixed: a sum of two is none. Set mixup to 0."
            )

    def mixed(self, batch: Batch, share: float, partners: NDArray[np.int64]) -> Batch:
        """The batch with each sample mixed with another.

        Args:
            batch: k samples.
            share: of each sample that stays.
            partners: (k,) row of each one's partner.

        Raises:
            InvalidInput: samples of this kind cannot be mixed.

        Source: Zhang et al., mixup, ICLR 2018.
        """
        self.require_mixing()
        picked = torch.from_numpy(partners).to(batch.targets.device)
        inputs = map_leaves(lambda leaf: share * leaf + (1 - share) * leaf[picked], batch.inputs)
        return Batch(inputs, batch.targets, batch.ids, Mixed(batch.targets[picked], share))

    def require_views(self) -> None:
        """There are other looks at samples of this kind.

        Raises:
            InvalidInput: there are none.
        """
        if not self.views:
            raise InvalidInput(
                f"This strategy learns from two views of the same sample, and {self.samples} have none here. Choose "
                "another strategy."
            )

    def view(self, inputs: Any, rng: np.random.Generator) -> Any:
        """Another look at the same samples, each changed by chance in a way that leaves what they show; no labels.

        Raises:
            InvalidInput: there is none of this kind of data.
        """
        self.require_views()
        raise TypeError(f"{type(self).__name__} must define view")

    # --- what outputs mean ----------------------------------------------------------------------

    def losses(self, outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """(n,) losses in nats of (n, k) outputs: cross-entropy with label smoothing."""
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)

    def mixed_losses(
        self, outputs: Tensor, targets: Tensor, mixed: Mixed | None, *, smoothing: float = 0.0
    ) -> Tensor:
        """(n,) losses of (n, k) outputs, against the labels of both where samples were mixed."""
        own = self.losses(outputs, targets, smoothing=smoothing)
        if mixed is None:
            return own
        partners = self.losses(outputs, mixed.targets, smoothing=smoothing)
        return mixed.share * own + (1 - mixed.share) * partners

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

    @abstractmethod
    def describe_input(self, shape: tuple[int, ...]) -> str:
        """What a network for samples of this shape takes, in words, for a card."""


def stacked(calibration: Split, parts: Mapping[str, Split]) -> EvaluationData:
    """Calibration rows, then the rows of each part, for tasks whose samples do not depend on each other."""
    every = [calibration, *parts.values()]
    start, spans = len(calibration), {}
    for name, part in parts.items():
        spans[name] = slice(start, start + len(part))
        start += len(part)
    inputs = as_tensors(joined([part.x for part in every]))
    targets = torch.from_numpy(np.concatenate([part.y for part in every]))
    return EvaluationData(inputs, targets, len(calibration), spans)


def batch_rows(
    split: Split, batch_size: int, seed: int, epoch: int, order: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.int64]]:
    """Rows of each batch of one epoch, in random order or the given one; the last incomplete batch is left out."""
    if order is None:
        order = stream(seed, "order", epoch).permutation(len(split))
    size = min(batch_size, len(split))
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]


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
