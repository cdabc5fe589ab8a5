"""The data contract: what a data set is, and what a plug-in has to say to become one.

A plug-in only *reads* images and labels (`read`); how they are divided, ordered, limited, scaled and
fingerprinted is decided once, in `splitting` and `loading`, so every data set keeps the same promises:
training, validation and test images are disjoint, each split is stratified, the calibration images are
a part of the training images, and the same seed gives the same split on every machine.

Everything is NumPy; torch is not imported, so a page can describe a data set at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig, Plugin
from core.errors import InvalidInput
from core.registry import Registry

DATASETS: Registry[DataSource] = Registry("dataset", "core.datasets", "DATASETS")

OnProgress = Callable[[float, str], None]
"""Called with how far reading is (0-1) and what is happening; may raise `Cancelled`."""

SPLITS = ("train", "calibration", "validation", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Some samples of a data set. Shared between callers: nobody writes into the arrays.

    Attributes:
        x: what the samples are, one row each; for images (n, c, h, w) float32 pixels in [0, 1].
        y: (n,) int64 class indices.
        ids: (n,) int64 positions in the source; equal ids are the same sample.
    """

    x: Any
    y: NDArray[np.int64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def first(self, n: int) -> Split:
        """The first n samples: a fair smaller split, since splits are in stratified order."""
        return self.rows(slice(n))

    def rows(self, index: slice | NDArray[np.int64]) -> Split:
        """Some of the samples, by position."""
        return Split(_rows(self.x, index), self.y[index], self.ids[index])


def _rows(tree: Any, index: slice | NDArray[np.int64]) -> Any:
    if isinstance(tree, dict):
        return {name: _rows(part, index) for name, part in tree.items()}
    return tuple(_rows(part, index) for part in tree) if isinstance(tree, tuple) else tree[index]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with labels, divided once and for all.

    Every split is in *stratified order*: the first k images of a split hold the classes in nearly
    the split's own proportions, so a prefix is a fair small sample.

    Attributes:
        name: registry name.
        title: what a person reads.
        classes: class names; `y` indexes them.
        train, validation, test: disjoint splits.
        calibration: the part of `train` used to recalibrate BatchNorm statistics.
        source: where the data come from.
        licence: under which terms.
        fingerprint: SHA-256 of every split's arrays; equal fingerprints are equal data and splits.
        task: registry name of the kind of samples.
        inputs: what a supernet has to know of the samples, by field of the task's Config.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    calibration: Split
    validation: Split
    test: Split
    source: str
    licence: str
    fingerprint: str
    task: str = "image"
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of images."""
        return tuple(self.inputs["input_shape"])

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel, of the training images."""
        return tuple(self.inputs["pixel_mean"])

    @property
    def std(self) -> tuple[float, ...]:
        """Per channel, of the training images."""
        return tuple(self.inputs["pixel_std"])

    def split(self, name: str) -> Split:
        """The split called "train", "calibration", "validation" or "test".

        Raises:
            InvalidInput: there is no such split.
        """
        if name not in SPLITS:
            raise InvalidInput(f"There is no split called {name!r}; there are {', '.join(SPLITS)}.")
        chosen: Split = getattr(self, name)
        return chosen


@dataclass(frozen=True, eq=False)
class RawImages:
    """What a plug-in reads, before anything is divided or converted.

    Attributes:
        x: (n, c, h, w); uint8 from 0 to `scale`, or float32 already in [0, 1] (then `scale` is 1).
            Kept small on purpose: only the images that a limit leaves are converted to float32.
        y: (n,) class indices.
        classes: class names.
        n_test: the last `n_test` images are the official test set; 0 if there is none.
        scale: the value that means white.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    n_test: int = 0
    scale: float = 255.0


class SplitConfig(BaseConfig):
    """What every data set lets a person choose."""

    calibration: int = Field(512, ge=8, le=4096, description="Training images used to recalibrate BatchNorm.")
    limit_train: int = Field(0, ge=0, description="Use at most this many training images (0: all).")
    limit_validation: int = Field(0, ge=0, description="Use at most this many validation images (0: all).")
    limit_test: int = Field(0, ge=0, description="Use at most this many test images (0: all).")


class FractionConfig(SplitConfig):
    """For data without an official test set: shares of all images."""

    validation_fraction: float = Field(
        0.2, ge=0.05, le=0.4, description="Share of all images kept for validation."
    )
    test_fraction: float = Field(0.2, ge=0.05, le=0.4, description="Share of all images kept for the test.")


class DataSource(Plugin, ABC):
    """One data set as a plug-in: reads images and labels, says how many to hold out.

    `load_dataset` builds it with a validated `Config` and calls `read` once, in whatever thread asked
    first; the result is kept. `read` may take minutes and should report progress; it changes nothing
    on disk except the cache under `settings().home / "datasets"`.
    """

    licence: ClassVar[str]
    Config: ClassVar[type[BaseConfig]] = SplitConfig

    @abstractmethod
    def read(self, on_progress: OnProgress) -> RawImages:
        """Read every image.

        Raises:
            DataUnavailable: the data are neither on this machine nor reachable.
            InvalidInput: a file does not hold what its name says.
        """

    def state(self) -> str:
        """What else than the `Config` decides what `read` returns (a file's age); part of the memory's key."""
        return ""

    @abstractmethod
    def held_out(self, raw: RawImages) -> tuple[int, int]:
        """How many images go to (validation, test) where there is no official test set.

        With an official test set (`raw.n_test > 0`) the second number is not used.
        """


class FractionSource(DataSource):
    """A data source without an official test set: holds out shares of all images."""

    def held_out(self, raw: RawImages) -> tuple[int, int]:
        n = len(raw.y)
        return round(n * self.config.validation_fraction), round(n * self.config.test_fraction)
