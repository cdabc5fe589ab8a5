"""A person's own images in the classes of a supernet that came without data.

The folders may be some of the supernet's classes; images are brought to its input. A part calibrates BatchNorm, the
rest is measured, and no image is in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from core.config import Settings
from core.datasets import uploads
from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress, RawImages, upload_field
from core.datasets.found import Found, of_images
from core.datasets.imagenet_classes import class_names, match_folders
from core.datasets.pictures import WHITE_BELOW
from core.datasets.splitting import split_ids
from core.datasets.uploads import Upload
from core.errors import InvalidInput

NAME = "class_images"
MOST_SIDE = 224
MOST_PIXELS = 256 * 224 * 224
"""Pixels of a split that is measured: all its images pass a network at once, and maps are many times larger."""
_MOST_CLASSES = 10_000


@DATASETS.register("class_images")
class ClassImages(FractionSource):
    """Your own images, each folder as the class of a loaded supernet that it is called by."""

    label = "Your own images, in a supernet's classes"
    source = "Uploaded by you"
    licence = "Yours to know"
    for_training: ClassVar[bool] = False
    reading: ClassVar[Mapping[str, str]] = WHITE_BELOW

    class Config(FractionConfig):
        """Which images, at which size, as which classes."""

        calibration: int = Field(
            64, ge=8, le=4096, description="Training samples used to recalibrate BatchNorm."
        )
        validation_fraction: float = Field(
            0.4, ge=0.05, le=0.6, description="Share of all samples kept for validation."
        )
        upload: str = upload_field()
        size: int = Field(0, ge=0, le=MOST_SIDE, description="Side in pixels.")
        channels: int = Field(3, ge=1, le=3, description="1: gray, 3: RGB.")
        classes: int = Field(2, ge=1, le=_MOST_CLASSES, description="Classes of the supernet.")
        numbers: tuple[int, ...] = Field(
            (), max_length=_MOST_CLASSES, description="Class of each folder, in the folders' order."
        )

    def read(self, on_progress: OnProgress) -> RawImages:
        config = self.config
        if not config.upload:
            raise InvalidInput("Choose images first: upload a .zip with one folder per class.")
        raw = uploads.decoded_images(config.upload, size=config.size, channels=config.channels)
        if len(config.numbers) != len(raw.classes) or not all(
            0 <= n < config.classes for n in config.numbers
        ):
            raise InvalidInput(
                "The folders of these images were matched to other classes; upload them again."
            )
        y = np.array(config.numbers, dtype=np.int64)[raw.y]
        return RawImages(
            x=raw.x, y=y, classes=class_names(config.classes), n_test=raw.n_test, scale=raw.scale
        )


@dataclass(frozen=True)
class OwnImages:
    """Images that fit a supernet, for a person to judge before anything is measured.

    Attributes:
        upload: as they were kept.
        data: what a card says of them, see `core.supernets.cards.CardData`.
        sentences: how folders became classes and images became inputs, and which of them calibrate.
        found: what they hold, divided.
    """

    upload: Upload
    data: Settings
    sentences: tuple[str, ...]
    found: Found


def fitting_images(data: bytes, *, input_shape: Sequence[int], classes: int, **config: Any) -> OwnImages:
    """Keep a person's images at the input of a supernet, their folders matched to its classes.

    Args:
        data: a .zip of class folders, or a .npz.
        input_shape: (channels, height, width) that the supernet takes.
        classes: of the supernet.
        config: further fields of `ClassImages.Config`.

    Raises:
        InvalidInput: the images are refused, too few, or folders are no classes; the supernet takes no such images.
        Busy: many others are being decoded.
        StorageFailed: the disk refused them.
    """
    channels, height, width = input_shape
    if height != width or channels not in (1, 3) or height > MOST_SIDE:
        raise InvalidInput(
            f"This supernet takes inputs of {channels}x{height}x{width}; own images are gray or RGB squares of up to "
            f"{MOST_SIDE} pixels."
        )
    upload = uploads.keep(data, size=height, channels=channels)
    folders = tuple(upload.summary.counts)
    matched = match_folders(folders, classes)
    most = max(8, MOST_PIXELS // (height * width))
    settings: dict[str, Any] = {
        "limit_validation": most,
        "limit_test": most,
        **config,
        "upload": upload.upload_id,
        "size": height,
        "channels": channels,
        "classes": classes,
        "numbers": list(matched.numbers),
    }
    source = ClassImages(DATASETS.config(NAME, settings))
    raw = uploads.labels(upload.upload_id, size=height, channels=channels)
    ids = split_ids(raw, source.held_out(raw), source.config, seed=0, name=NAME)
    parts = {name: getattr(ids, name) for name in ("train", "validation", "test")}
    same, _ = uploads.beside(upload)
    resized = f"Every image is cropped to its central square and resized to {height}x{width}, {'RGB' if channels == 3 else 'gray'}."
    divided = (
        f"{len(ids.calibration):,} images calibrate BatchNorm; accuracy is measured on {len(ids.validation):,} others, and "
        f"{len(ids.test):,} more are the test. No image is in two of these."
    )
    return OwnImages(
        upload=upload,
        data={"name": NAME, "seed": 0, "config": settings},
        sentences=(matched.sentence, resized, divided),
        found=of_images(upload.summary, raw.y, parts, same),
    )
