"""Series: numbers over time, a sound or several features, with a class each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from core.config import BaseConfig, JsonObject
from core.datasets.base import Dataset, Split
from core.datasets.series import SILENCE
from core.datasets.waves import RATES
from core.networks.limits import MOST_BANDS, MOST_CLASSES, MOST_LENGTH
from core.seeding import stream
from core.tasks.base import Batch, EvaluationData, InputConfig, Task, batch_rows, stacked
from core.tasks.registry import TASKS


class SeriesConfig(InputConfig):
    """What every family for series needs to know of its data; filled in from the data set.

    Attributes:
        input_shape: channels, length; a sound has one channel.
        rate: samples per second; 0 where time has no unit.
    """

    input_shape: tuple[int, int] = (1, 2048)
    rate: int = 2000

    @model_validator(mode="after")
    def _possible(self) -> SeriesConfig:
        # Also read from strangers' files: what passes here must build and run in bounded memory.
        channels, length = self.input_shape
        if not (1 <= channels <= MOST_BANDS and 1 <= length <= MOST_LENGTH):
            raise ValueError(f"series have 1 to {MOST_BANDS} channels and a length from 1 to {MOST_LENGTH:,}")
        if not 0 <= self.rate <= RATES[1]:
            raise ValueError(f"a series has at most {RATES[1]:,} samples per second")
        if not 1 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"there are 1 to {MOST_CLASSES:,} classes")
        return self


@TASKS.register("series")
class SeriesTask(Task):
    """Sounds or features over time (n, channels, length), float32, each with one class."""

    label = "Series"
    sample = "clip"
    samples = "clips"
    passes = "one clip"
    Inputs = SeriesConfig
    fixed = ("classes", "input_shape", "rate")
    inputs = ("series",)
    usage = (
        "python predict.py test.npz        # arrays x and y; prints one JSON line: accuracy, correct, n",
        "python predict.py sound.wav       # PCM, any rate: the classes with their probabilities",
        "python predict.py folder > t.csv  # every .wav file in it: file, class, probabilities",
    )
    mixes = True
    views = True
    takes = (
        "Samples go in as they are, a sound from -1 to 1 at the rate of the training data, silence as zeros."
    )

    class Augmentation(BaseConfig):
        """What may be done to training clips."""

        shift: float = Field(
            0.1,
            ge=0,
            le=0.5,
            description="Move a clip in time by up to this share of its length; silence fills the gap.",
        )
        gain: float = Field(
            6.0, ge=0, le=40, description="Make a clip louder or softer by up to this many dB."
        )
        noise: float = Field(
            0.0, ge=0, le=1, description="Add noise of up to this share of the clip's own deviation."
        )
        mask: float = Field(
            0.0, ge=0, le=0.5, description="Silence one stretch of up to this share of the length."
        )

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
        how = self.augmentation(augmentation)
        rng = stream(seed, "augmentation", epoch)
        for picked in batch_rows(dataset.train, batch_size, seed, epoch, order):
            x = dataset.train.x[picked]
            if how.shift:
                x = shifted(x, rng.uniform(-how.shift, how.shift, len(x)))
            if how.gain:
                decibels = rng.uniform(-how.gain, how.gain, (len(x), 1, 1))
                x = x * (10 ** (decibels / 20)).astype(np.float32)
            if how.noise:
                level = rng.uniform(0, how.noise, (len(x), 1, 1)) * x.std((1, 2), keepdims=True)
                x = x + (level * rng.standard_normal(x.shape)).astype(np.float32)
            if how.mask:
                x = masked(x, how.mask, rng)
            yield Batch(
                torch.from_numpy(x),
                torch.from_numpy(dataset.train.y[picked]),
                torch.from_numpy(dataset.train.ids[picked]),
            )

    def view(self, inputs: Tensor, rng: np.random.Generator) -> Tensor:
        """Moved in time, louder or softer, by what training does by default."""
        usual = self.Augmentation()
        x = shifted(inputs.cpu().numpy(), rng.uniform(-usual.shift, usual.shift, len(inputs)))
        decibels = rng.uniform(-usual.gain, usual.gain, (len(x), 1, 1))
        louder = torch.from_numpy(x * (10 ** (decibels / 20)).astype(np.float32))
        return louder.to(inputs.device)

    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        return stacked(dataset.calibration, parts)

    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Tensor:
        assert isinstance(config, SeriesConfig)
        return random_series(config.input_shape, n, generator)

    def describe_input(self, shape: tuple[int, ...]) -> str:
        return f"({shape[0]}, {shape[1]}), channels and samples over time"


def random_series(shape: tuple[int, ...], n: int, generator: torch.Generator) -> Tensor:
    """n random clips (n, channels, length) from -1 to 1: noise of different loudness."""
    loudness = 0.1 + 0.9 * torch.rand((n, 1, 1), generator=generator)
    return loudness * (2 * torch.rand((n, *shape), generator=generator) - 1)


def shifted(x: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Clips (n, c, length) moved in time, each by its own share of the length; later if positive."""
    length = x.shape[2]
    made = np.full_like(x, SILENCE)
    for row, steps in enumerate(np.round(shares * length).astype(int)):
        if steps >= 0:
            made[row, :, steps:] = x[row, :, : length - steps]
        else:
            made[row, :, :steps] = x[row, :, -steps:]
    return made


def masked(x: NDArray[np.float32], most: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Clips (n, c, length) with one stretch of each silenced, up to the share `most` of the length."""
    length = x.shape[2]
    sizes = np.round(rng.uniform(0, most, len(x)) * length).astype(int)
    starts = (rng.random(len(x)) * (length - sizes + 1)).astype(int)
    at = np.arange(length)
    gone = (at >= starts[:, None]) & (at < (starts + sizes)[:, None])
    return np.where(gone[:, None], np.float32(SILENCE), x)
