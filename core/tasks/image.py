"""Images: maps of pixels in [0, 1] with a class each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from core.config import BaseConfig, JsonObject
from core.datasets.base import Dataset, Split
from core.networks.limits import MOST_CHANNELS, MOST_CLASSES, MOST_SIDE
from core.seeding import stream
from core.tasks.base import Batch, EvaluationData, InputConfig, Task, batch_rows, stacked
from core.tasks.registry import TASKS


class ImageConfig(InputConfig):
    """What every family for images needs to know of its data; filled in from the data set.

    Attributes:
        input_shape: channels, height, width.
        classes: number of classes.
        pixel_mean, pixel_std: per channel, of training images in [0, 1]; the stem normalizes by them,
            so that a downloaded subnet takes plain pixels.
    """

    input_shape: tuple[int, int, int] = (1, 8, 8)
    classes: int = 10
    pixel_mean: tuple[float, ...] = (0.0,)
    pixel_std: tuple[float, ...] = (1.0,)

    @model_validator(mode="after")
    def _possible(self) -> ImageConfig:
        # Also read from strangers' files: what passes here must build and run in bounded memory.
        channels, height, width = self.input_shape
        if not 1 <= channels <= MOST_CHANNELS or not all(1 <= side <= MOST_SIDE for side in (height, width)):
            raise ValueError(f"images have 1 to {MOST_CHANNELS} channels and sides from 1 to {MOST_SIDE:,}")
        if not 1 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"there are 1 to {MOST_CLASSES:,} classes")
        for constants in (self.pixel_mean, self.pixel_std):
            if len(constants) not in (1, channels) or not all(
                math.isfinite(v) and abs(v) <= 1e6 for v in constants
            ):
                raise ValueError("pixel constants must be moderate numbers, one per channel")
        if min(self.pixel_std) < 1e-6:
            raise ValueError("pixel_std must be positive")
        return self


_VIEW_NOISE = 0.05


@TASKS.register("image")
class ImageTask(Task):
    """Pictures (n, c, h, w) of float pixels in [0, 1], each with one class."""

    label = "Images"
    sample = "image"
    samples = "images"
    passes = "one image"
    Inputs = ImageConfig
    fixed = ("classes", "input_shape")
    inputs = ("image",)
    usage = (
        "python predict.py test.npz        # arrays x and y; prints one JSON line: accuracy, correct, n",
        "python predict.py picture.png     # needs Pillow; --invert for dark strokes on bright paper",
        "python predict.py folder > t.csv  # every picture in it: file, class, probabilities",
    )
    mixes = True
    views = True
    takes = "Pixels go in as they are, in [0, 1]: the network normalizes them itself."

    class Augmentation(BaseConfig):
        """What may be done to training images."""

        shift: int = Field(1, ge=0, le=8, description="Shift training images by up to this many pixels.")
        shifted_share: float = Field(
            1.0,
            ge=0,
            le=1,
            title="Share shifted",
            description="Shift only this share of the images, drawn anew in each epoch: subnets of a few channels learn nothing from shifted ones.",
        )
        flip: bool = Field(False, description="Mirror training images at random (not for digits).")

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
        return epoch_batches(
            dataset.train,
            batch_size,
            seed,
            epoch,
            shift=how.shift,
            shifted_share=how.shifted_share,
            flip=how.flip,
            order=order,
        )

    def view(self, inputs: Tensor, rng: np.random.Generator) -> Tensor:
        """Shifted by up to a pixel, with a little noise."""
        moved = shifted(inputs, rng.integers(0, 3, (len(inputs), 2)), 1)
        noise = _VIEW_NOISE * rng.standard_normal(moved.shape, np.float32)
        return moved + torch.from_numpy(noise).to(moved.device)

    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        return stacked(dataset.calibration, parts)

    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Tensor:
        assert isinstance(config, ImageConfig)
        return torch.rand((n, *config.input_shape), generator=generator)

    def describe_input(self, shape: tuple[int, ...]) -> str:
        return f"({', '.join(map(str, shape))}), channels, height, width"


def epoch_batches(
    split: Split,
    batch_size: int,
    seed: int,
    epoch: int,
    *,
    shift: int,
    flip: bool,
    shifted_share: float = 1.0,
    order: NDArray[np.int64] | None = None,
) -> Iterator[Batch]:
    """Augmented batches of one epoch, shuffled or in the given order; the last incomplete batch is left out."""
    rng = stream(seed, "augmentation", epoch)
    for picked in batch_rows(split, batch_size, seed, epoch, order):
        images, size = torch.from_numpy(split.x[picked]), len(picked)
        if shift:
            offsets = rng.integers(0, 2 * shift + 1, (size, 2))
            if shifted_share < 1:
                offsets[rng.random(size) >= shifted_share] = shift
            images = shifted(images, offsets, shift)
        if flip:
            mirror = torch.from_numpy(rng.random(size) < 0.5)
            images = torch.where(mirror[:, None, None, None], images.flip(3), images)
        yield Batch(images, torch.from_numpy(split.y[picked]), torch.from_numpy(split.ids[picked]))


def shifted(images: Tensor, offsets: NDArray[np.int64], margin: int) -> Tensor:
    """Each image (c, h, w) cut from its zero-padded self at its own offset (0 to 2 * margin)."""
    # One index per axis, so that the result is laid out as (n, c, h, w): with channels last, oneDNN's
    # kernels for AVX2 machines write past the end of tensors with few channels (torch 2.13).
    n, channels, height, width = images.shape
    padded = F.pad(images, (margin,) * 4)
    place = images.device
    down, right = torch.from_numpy(offsets).to(place).split(1, dim=1)
    rows, columns = down + torch.arange(height, device=place), right + torch.arange(width, device=place)
    which = torch.arange(n, device=place)[:, None, None, None]
    channel = torch.arange(channels, device=place)[:, None, None]
    return padded[which, channel, rows[:, None, :, None], columns[:, None, None, :]]
