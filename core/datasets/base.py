"""The data contract: what a data set is, and what a plug-in has to say to become one.

A plug-in only *reads* samples and labels (`read`); how they are divided, ordered, limited and
fingerprinted is decided once, in `splitting` and `loading`, so every data set keeps the same promises:
training, validation and test samples are disjoint, each split is stratified, the calibration samples are
a part of the training samples, and the same seed gives the same split on every machine. What samples look
like (images, tokens, a graph) is the business of `Raw`, which says how some of them become a `Split`.

Everything is NumPy; torch is not imported, so a page can describe a data set at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
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
        x: what the samples are: an array, or arrays in a tuple, with one row per sample; for images
            (n, c, h, w) float32 pixels in [0, 1].
        y: (n,) int64 class indices; of language (n, p), one for each scored position.
        ids: (n,) int64 positions in the source; equal ids are the same sample.
    """

    x: Any
    y: NDArray[np.int64]
    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    @property
    def answers(self) -> int:
        """How many answers are judged: one per sample, or one per position that is scored."""
        return self.y.size

    def first(self, n: int) -> Split:
        """The first n samples: a fair smaller split, since splits are in stratified order."""
        return self.rows(slice(n))

    def rows(self, index: slice | NDArray[np.int64]) -> Split:
        """Some of the samples, by position."""
        return Split(_rows(self.x, index), self.y[index], self.ids[index])

    def arrays(self) -> list[NDArray[Any]]:
        """Every array of `x`, in order."""
        return list(self.x) if isinstance(self.x, tuple) else [self.x]


def _rows(tree: Any, index: slice | NDArray[np.int64]) -> Any:
    return tuple(_rows(part, index) for part in tree) if isinstance(tree, tuple) else tree[index]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with labels, divided once and for all.

    Every split is in *stratified order*: the first k samples of a split hold the classes in nearly
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
        arrays: what the arrays of a split's `x` are called in a file.
        tokenizer: what split texts, as the bytes of a tokenizer.json; empty where the samples are none, or no tokenizer
            is known.
        target_bytes: bytes of text that the targets of a sample stand for, by its id; empty where they stand for none.
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
    arrays: tuple[str, ...] = ("x",)
    tokenizer: bytes = b""
    target_bytes: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: (channels, height, width) of images, (length,) of tokens, (features,) of a node."""
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


class Raw(ABC):
    """What a plug-in reads, before anything is divided or converted; one subclass per kind of samples.

    Attributes:
        arrays: what the arrays of a sample are called in a file.
        y: (n,) class indices.
        classes: class names.
        n_test: the last `n_test` samples are the official test set; 0 if there is none.
    """

    arrays: ClassVar[tuple[str, ...]] = ("x",)
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    n_test: int

    @abstractmethod
    def take(self, ids: NDArray[np.int64]) -> Split:
        """The samples at (k,) positions, as networks take them."""

    @abstractmethod
    def inputs(self, train: Split) -> dict[str, Any]:
        """What a supernet has to know of the samples, by field of the task's Config."""

    def fixed(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
        """Positions of the training, validation and test samples where others have decided it; else None."""
        return None

    def groups(self) -> NDArray[np.int64] | None:
        """(n,) numbers of groups that go to one split whole (neighbors, near copies); None where each goes alone."""
        return None

    def told(self) -> tuple[bytes, NDArray[np.int64]]:
        """`Dataset.tokenizer` and `Dataset.target_bytes`; both empty where there are none."""
        return b"", np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class RawImages(Raw):
    """Images as a plug-in reads them.

    Attributes:
        x: (n, c, h, w); uint8 from 0 to `scale`, or float32 already in [0, 1] (then `scale` is 1).
            Kept small on purpose: only the images that a limit leaves are converted to float32.
        y, classes, n_test: see `Raw`.
        scale: the value that means white.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    n_test: int = 0
    scale: float = 255.0

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The images at (k,) positions, as float32 in [0, 1]."""
        x = np.ascontiguousarray(self.x[ids], dtype=np.float32)
        if self.scale != 1.0:
            x /= np.float32(self.scale)
        return Split(x=x, y=np.ascontiguousarray(self.y[ids], dtype=np.int64), ids=ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        mean, std = channel_statistics(train.x)
        return {"input_shape": tuple(self.x.shape[1:]), "pixel_mean": mean, "pixel_std": std}


def channel_statistics(x: NDArray[np.float32]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of (n, c, h, w) images.

    A channel that never varies gets a deviation of 1, so that normalizing it divides by something.
    """
    mean = x.mean(axis=(0, 2, 3), dtype=np.float64)
    # E[x^2] - E[x]^2 in float64: x.std() would make a second array as large as the images.
    square = np.array([np.einsum("nhw,nhw->", x[:, c], x[:, c], dtype=np.float64) for c in range(x.shape[1])])
    variance = np.maximum(square / (x.size / x.shape[1]) - mean**2, 0.0)
    std = np.sqrt(variance)
    std[std < 1e-6] = 1.0
    return tuple(float(m) for m in mean), tuple(float(s) for s in std)


class SplitConfig(BaseConfig):
    """What every data set lets a person choose."""

    calibration: int = Field(
        512, ge=8, le=4096, description="Training samples used to recalibrate BatchNorm."
    )
    limit_train: int = Field(0, ge=0, description="Use at most this many training samples (0: all).")
    limit_validation: int = Field(0, ge=0, description="Use at most this many validation samples (0: all).")
    limit_test: int = Field(0, ge=0, description="Use at most this many test samples (0: all).")


class FractionConfig(SplitConfig):
    """For data without an official test set: shares of all samples."""

    validation_fraction: float = Field(
        0.2, ge=0.05, le=0.4, description="Share of all samples kept for validation."
    )
    test_fraction: float = Field(0.2, ge=0.05, le=0.4, description="Share of all samples kept for the test.")


def upload_field() -> Any:
    """The setting that names a kept upload by its SHA-256; a file from elsewhere may name it, too."""
    return Field(
        "",
        pattern=r"^([0-9a-f]{64})?$",
        description="Id of a kept upload.",
        json_schema_extra={"form": False, "by_content": True},
    )


class DataSource(Plugin, ABC):
    """One data set as a plug-in: reads samples and labels, says how many to hold out.

    `load_dataset` builds it with a validated `Config` and calls `read` once, in whatever thread asked
    first; the result is kept. `read` may take minutes and should report progress; it changes nothing
    on disk except the cache under `settings().home / "datasets"`.

    Attributes:
        licence: of the data.
        task: registry name of the kind of samples.
        for_training: whether it is offered where a supernet is trained.
        reading: what a download must know to read a person's file as these data were read.
    """

    licence: ClassVar[str]
    task: ClassVar[str] = "image"
    reading: ClassVar[Mapping[str, str]] = MappingProxyType({})
    for_training: ClassVar[bool] = True
    Config: ClassVar[type[BaseConfig]] = SplitConfig

    @abstractmethod
    def read(self, on_progress: OnProgress) -> Raw:
        """Read every sample.

        Raises:
            DataUnavailable: the data are neither on this machine nor reachable.
            InvalidInput: a file does not hold what its name says.
        """

    def is_here(self) -> bool:
        """Whether `read` needs no network."""
        return True

    def state(self) -> str:
        """What else than the `Config` decides what `read` returns (a file's age); part of the memory's key."""
        return ""

    @abstractmethod
    def held_out(self, raw: Raw) -> tuple[int, int]:
        """How many samples go to (validation, test) where there is no official test set.

        With an official test set (`raw.n_test > 0`) the second number is not used, with `raw.fixed` neither.
        """


class FractionSource(DataSource):
    """A data source without an official test set: holds out shares of all samples."""

    def held_out(self, raw: Raw) -> tuple[int, int]:
        n = len(raw.y)
        return round(n * self.config.validation_fraction), round(n * self.config.test_fraction)
