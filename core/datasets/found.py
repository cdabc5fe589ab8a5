"""What was found in an upload or a data set: for a person to judge before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.datasets.base import Dataset
from core.words import count_of, format_share

PLURAL = {"image": "images", "tokens": "texts", "graph": "nodes", "series": "clips", "language": "windows"}
"""What the samples of a task are called here."""

_FEW_STEPS, _FEW_PER_CLASS = 200, 10
_UNEQUAL = 5.0
_USUAL_ACCURACY = 0.9
_EXAMPLES = 3


class Record(BaseModel):
    """Something found, that goes from one process to another as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Skipped(Record):
    """Files of an upload that were left out for one reason."""

    reason: str = Field(description='Goes on after "3 files left out: ..."')
    count: int
    examples: tuple[str, ...] = Field(description="Some of their names, with harmless characters only.")


class Proposal(Record):
    """Settings of the data set "images" that fit what was found."""

    size: int = Field(description="Side in pixels; 0: as they are.")
    channels: Literal[0, 1, 3] = Field(description="1: gray, 3: RGB; 0: as they are.")


class Summary(Record):
    """What was found in an archive of images, and what it became."""

    kind: Literal["pictures", "arrays"] = Field(description="A zip of picture files, or a .npz.")
    counts: dict[str, int] = Field(description="Images of each class, by its name.")
    n_test: int = Field(description="Images that came as a test set of their own.")
    smallest: tuple[int, int] = Field(description="(width, height) as they came, fewest pixels.")
    largest: tuple[int, int] = Field(description="(width, height) as they came, most pixels.")
    n_sizes: int = Field(description="How many different sizes there are.")
    gray: int = Field(description="Images without color, whatever they are stored as.")
    stored_gray: int = Field(description="Images that are stored with one channel.")
    shape: tuple[int, int, int] = Field(description="(channels, height, width) that networks get.")
    skipped: tuple[Skipped, ...] = Field(description="What was left out, and why.")
    proposed: Proposal = Field(description="Size and channels that fit them.")
    repeated: int = Field(description="Images equal to an earlier one, to the last pixel that networks get.")

    @property
    def n_images(self) -> int:
        return sum(self.counts.values())


class ClassFound(Record):
    """One class: how many samples it has, and how many go where."""

    name: str
    samples: int
    train: int
    validation: int
    test: int


class Found(Record):
    """What data hold once they are divided.

    Attributes:
        samples: what a sample is called, in the plural.
        classes: in the order of their numbers.
        facts: sentences about what came and what networks get.
        skipped: what was left out.
        across: samples of validation and test that are equal to one of training; None if not looked for.
        positions: of each sample that are scored, where there are several.
    """

    samples: str
    classes: tuple[ClassFound, ...]
    facts: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    across: int | None = None
    positions: int = 1

    def total(self, split: Literal["samples", "train", "validation", "test"]) -> int:
        """Samples of all classes, or those of one split."""
        return sum(getattr(each, split) for each in self.classes)

    def warnings(self) -> list[str]:
        """What makes numbers measured on these data less honest than they look, a sentence each."""
        if self.positions > 1:
            return self._few_windows()
        return [*self._few(), *self._unequal(), *self._across()]

    def _few_windows(self) -> list[str]:
        n = self.total("validation")
        if n >= _FEW_STEPS:
            return []
        return [
            f"Few {self.samples} for validation: {n:,}. That {self.positions:,} positions of each are scored makes them "
            f"{n * self.positions:,} answers, but those of one are not independent: small differences between subnets may mean "
            "nothing."
        ]

    def _few(self) -> list[str]:
        n, least = self.total("validation"), min(each.validation for each in self.classes)
        if n >= _FEW_STEPS and least >= _FEW_PER_CLASS:
            return []
        width = 1.96 * math.sqrt(_USUAL_ACCURACY * (1 - _USUAL_ACCURACY) / n)
        smallest = min(self.classes, key=lambda each: each.validation)
        of_class = f", of class {smallest.name} only {least:,}" if least < _FEW_PER_CLASS else ""
        return [
            f"Few {self.samples} for validation: {n:,}{of_class}. One of them is {100 / n:.1f} points of accuracy, and an "
            f"accuracy of 90 % is known to ±{100 * width:.0f} points: small differences between subnets mean nothing."
        ]

    def _unequal(self) -> list[str]:
        most = max(self.classes, key=lambda each: each.samples)
        least = min(self.classes, key=lambda each: each.samples)
        if most.samples < _UNEQUAL * max(least.samples, 1):
            return []
        share = most.samples / self.total("samples")
        return [
            f"The classes are very unequal: {most.name} has {most.samples:,} {self.samples}, {least.name} {least.samples:,}. "
            f"Always answering {most.name} would be right for {format_share(share)}."
        ]

    def _across(self) -> list[str]:
        if not self.across:
            return []
        return [
            f"{self.across:,} {self.samples} of validation and test are equal to one of training: accuracy will look better "
            "than it is. Remove the copies."
        ]


def of_images(
    summary: Summary, y: NDArray[np.int64], ids: Mapping[str, NDArray[np.int64]], same: NDArray[np.int64]
) -> Found:
    """What images hold, divided.

    Args:
        summary: what was found in the archive.
        y: (n,) classes.
        ids: positions of the samples of each split.
        same: (n,) position of the first image equal to each.
    """
    held_out = np.concatenate([ids["validation"], ids["test"]])
    across = int(np.isin(same[held_out], same[ids["train"]]).sum())
    return Found(
        samples=PLURAL["image"],
        classes=classes_found(tuple(summary.counts), {name: y[at] for name, at in ids.items()}, y),
        facts=tuple(_image_facts(summary)),
        skipped=summary.skipped,
        across=across,
    )


def of_dataset(dataset: Dataset) -> Found:
    """What a data set holds, whatever its kind."""
    parts = {name: dataset.split(name).y for name in ("train", "validation", "test")}
    names, positions = dataset.classes, 1
    if dataset.train.y.ndim > 1:
        # A position's class is a token; nobody wants to read how often each of a vocabulary stands where.
        names, positions = ("all texts",), dataset.train.y.shape[1]
        parts = {name: np.zeros(len(each), np.int64) for name, each in parts.items()}
    y = np.concatenate(list(parts.values()))
    shape = "x".join(map(str, dataset.input_shape))
    others = {n: v for n, v in dataset.inputs.items() if isinstance(v, int)}
    facts = [f"{dataset.title}: a sample has the shape {shape}."]
    facts += [f"{name.replace('_', ' ').capitalize()}: {value:,}." for name, value in others.items()]
    return Found(
        samples=PLURAL.get(dataset.task, "samples"),
        classes=classes_found(names, parts, y),
        facts=tuple(facts),
        positions=positions,
    )


def classes_found(
    names: Sequence[str], parts: Mapping[str, NDArray[np.int64]], every: NDArray[np.int64]
) -> tuple[ClassFound, ...]:
    """How many samples of each class there are, in all and in each part."""
    counts = {name: np.bincount(y, minlength=len(names)) for name, y in (*parts.items(), ("samples", every))}
    wanted = ("samples", "train", "validation", "test")
    return tuple(
        ClassFound(name=name, **{key: int(counts[key][at]) for key in wanted})
        for at, name in enumerate(names)
    )


def _image_facts(summary: Summary) -> list[str]:
    sizes = " to ".join(dict.fromkeys(f"{w}x{h}" for w, h in (summary.smallest, summary.largest)))
    many = f" ({summary.n_sizes:,} different sizes)" if summary.n_sizes > 1 else ""
    n, gray = summary.n_images, summary.gray
    if gray == n:
        stored = summary.stored_gray < n
        color = "All are gray" + (", though stored in color" if stored else "")
    else:
        color = "All are in color" if not gray else f"{n - gray:,} are in color, {gray:,} gray"
    facts = [f"They came with {sizes} pixels{many}. {color}."]
    channels, height, width = summary.shape
    facts.append(f"Networks get {'gray' if channels == 1 else 'RGB'} images of {width}x{height} pixels.")
    if summary.n_test:
        facts.append(f"{summary.n_test:,} came as a test set and stay one.")
    if summary.repeated:
        facts.append(f"{summary.repeated:,} are copies of another image.")
    return facts


class Leavings:
    """Collects what is left out of an upload, by reason."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """One file; the name is one that may be shown."""
        self._names.setdefault(reason, []).append(name)

    def records(self) -> tuple[Skipped, ...]:
        """A record per reason, in the order they came up."""
        return tuple(
            Skipped(reason=reason, count=len(names), examples=tuple(names[:_EXAMPLES]))
            for reason, names in self._names.items()
        )


def skipped_sentence(skipped: Skipped) -> str:
    """`3 files left out: in no class folder (a.png, b.png, ...).`"""
    names = ", ".join(skipped.examples) + (", …" if skipped.count > len(skipped.examples) else "")
    files = count_of(skipped.count, "file")
    return f"{files} left out: {skipped.reason} ({names})."


def equal_rows(x: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) position of the first row equal to each of (n, ...)."""
    import hashlib

    first: dict[bytes, int] = {}
    rows = (hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest() for row in x)
    return np.fromiter((first.setdefault(key, at) for at, key in enumerate(rows)), np.int64, len(x))
