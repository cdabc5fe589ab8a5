"""A subnet cut out of its supernet, with everything its card says about it.

The accuracies are those of the extracted network, counted in the batches that `predict.py` takes: what the
card says is what the download prints, to the last sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.chance.intervals import wilson
from core.config import JsonObject, Settings
from core.datasets import DATASETS, Dataset
from core.export.naming import file_name
from core.export.predicting.predict_language import told_right
from core.networks.answers import BATCH, correct_on, outputs
from core.networks.chain import example_inputs, one_batch
from core.networks.costs import count_parameters
from core.records import Source
from core.seeding import torch_seed
from core.spaces.choice import Option
from core.supernets.base import Supernet
from core.tasks.registry import TASKS

MEASURED_SPLITS = ("test", "validation")


@dataclass(frozen=True)
class CardEntry:
    """One number on a card.

    Attributes:
        label: what a person reads.
        value: fractions stay fractions.
        how: how it was obtained.
        detail: one plain sentence: on what, with what.
        correct, n: for an accuracy, the counts it is made of.
        interval: of an accuracy: where it may lie (95 %, Wilson).
    """

    label: str
    value: float | int
    how: Source
    detail: str
    correct: int | None = None
    n: int | None = None
    interval: tuple[float, float] | None = None

    def to_json(self) -> JsonObject:
        counts: Settings = {} if self.n is None else {"correct": self.correct, "n": self.n}
        if self.interval is not None:
            counts["interval"] = list(self.interval)
        return {
            "label": self.label,
            "value": self.value,
            "how": str(self.how),
            "detail": self.detail,
        } | counts


@dataclass(frozen=True, eq=False)
class ExtractedSubnet:
    """What an exporter gets.

    Attributes:
        net: a plain `nn.Sequential` in eval mode that takes samples and returns one number per class.
        arch: choice -> option, without choices that do not matter.
        arch_id: the architecture as one short text.
        family: registry name of the supernet's family.
        supernet: title of the supernet.
        task: registry name of the kind of data.
        input_shape: of one sample.
        classes: class names, in the order of the outputs.
        card: numbers by objective name.
        data: title, source and licence of the data, its fingerprint, and the rate of sounds.
        variant: what distinguishes it from the subnet of this architecture, part of the file name; "" for nothing.
        history: sentences on what was done to it after it was cut out.
        tokenizer: what splits the texts it takes, as the bytes of a tokenizer.json; empty where it takes none.
    """

    net: nn.Sequential
    arch: Mapping[str, Option]
    arch_id: str
    family: str
    supernet: str
    task: str
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]
    card: Mapping[str, CardEntry]
    data: Mapping[str, str]
    variant: str = ""
    history: str = ""
    tokenizer: bytes = b""

    def file_name(self, suffix: str) -> str:
        name = f"{self.arch_id}-{self.variant}" if self.variant else self.arch_id
        return file_name(self.supernet, name, suffix)

    @property
    def input_names(self) -> tuple[str, ...]:
        """What the tensors that the network takes are called in a file, in order."""
        return TASKS.create(self.task).inputs

    def probe(self, n: int) -> Any:
        """n random samples, always the same, to compare two forms of the subnet on."""
        generator = torch.Generator().manual_seed(torch_seed(0, "export", "probe"))
        return example_inputs(self.net, self.input_shape, rows=n, generator=generator)

    def outputs(self, inputs: Any) -> Tensor:
        """What the network answers: (n, classes) for n samples."""
        answered: Tensor = outputs(self.net, inputs)
        return answered


def extract_subnet(
    supernet: Supernet,
    arch: Sequence[int] | Mapping[str, Option],
    dataset: Dataset,
    *,
    title: str = "",
    splits: Sequence[str] = MEASURED_SPLITS,
) -> ExtractedSubnet:
    """Calibrate on training samples, cut out, count, and measure what was cut out.

    Args:
        supernet: not changed.
        arch: option indices, or choice -> option.
        dataset: what the supernet was trained on.
        title: what the supernet is called; the family's label if empty.
        splits: measure the accuracy on these.

    Raises:
        InvalidInput: the architecture is not one of the space, or the data do not fit the supernet.
    """
    space = supernet.space
    chosen = space.from_dict(arch) if isinstance(arch, Mapping) else space.canonical(arch)
    supernet.task.require_fit(supernet.config, dataset)
    statistics = supernet.calibrate_on(chosen, dataset)
    net = supernet.extract(chosen, statistics)
    card = {
        "macs": macs_entry(sum(stage.macs for stage in supernet.costs(chosen)), supernet.task.passes),
        "params": params_entry(net),
    }
    for split in splits:
        entry = accuracy_entry(net, dataset, split)
        card["accuracy" if split == "validation" else f"{split}_accuracy"] = entry
        if len(dataset.target_bytes):
            card[f"{'' if split == 'validation' else 'test_'}bits_per_byte"] = bits_entry(net, dataset, split)
    return ExtractedSubnet(
        net=net,
        arch=space.to_dict(chosen),
        arch_id=space.arch_id(chosen),
        family=supernet.name,
        supernet=title or supernet.label,
        task=dataset.task,
        input_shape=dataset.input_shape,
        classes=dataset.classes,
        card=card,
        data=about_data(dataset),
        tokenizer=supernet.tokenizer or dataset.tokenizer,
    )


def about_data(dataset: Dataset) -> dict[str, str]:
    """What a download says of its data; also how a file is read as they were, such as the samples per second of sounds."""
    told = {
        "title": dataset.title,
        "source": dataset.source,
        "licence": dataset.licence,
        "fingerprint": dataset.fingerprint,
    }
    if "rate" in dataset.inputs:
        told["rate"] = str(dataset.inputs["rate"])
    if dataset.name in DATASETS.names():
        told |= DATASETS.get(dataset.name).reading
    return told


def macs_entry(total: int, passes: str) -> CardEntry:
    """Multiply-accumulates as a card shows them; `passes` says for what, in words."""
    detail = (
        f"Multiply-accumulates of convolutions, linear layers, attention products and messages for {passes}."
    )
    return CardEntry("MACs", total, Source.COUNTED, detail)


def params_entry(net: nn.Module) -> CardEntry:
    """Parameters as a card shows them."""
    return CardEntry(
        "Parameters",
        count_parameters(net),
        Source.COUNTED,
        "Trainable numbers, BatchNorm scale and offset included.",
    )


def bits_entry(net: nn.Module, dataset: Dataset, split: str) -> CardEntry:
    """Bits per byte of text on one split, as the download measures them; of data whose targets stand for text."""
    part = dataset.split(split)
    tokens, scored = (torch.from_numpy(each) for each in part.arrays())
    _, nats = told_right(net, tokens, scored, torch.from_numpy(part.y))
    n = int(dataset.target_bytes[part.ids].sum())
    detail = f"{part.answers:,} next tokens of {dataset.title}, which stand for {n:,} bytes, by predict.py."
    return CardEntry(f"{split.capitalize()} bits per byte", nats / math.log(2) / n, Source.MEASURED, detail)


def accuracy_entry(net: nn.Module, dataset: Dataset, split: str) -> CardEntry:
    """Accuracy on one split, counted as the download counts."""
    correct, n = correct_on(net, dataset, split)
    how = "" if one_batch(net) else f" in batches of {BATCH}"
    task = TASKS.create(dataset.task)
    samples = task.judged or task.samples
    low, high = (float(end[0]) for end in wilson([correct], n))
    detail = (
        f"{correct} of {n} {split} {samples} of {dataset.title}, by predict.py{how}; "
        f"95 % interval {low:.4f} to {high:.4f} (Wilson). {task.caveat}"
    ).rstrip()
    label = f"{split.capitalize()} accuracy"
    return CardEntry(label, correct / n, Source.MEASURED, detail, correct, n, (low, high))
