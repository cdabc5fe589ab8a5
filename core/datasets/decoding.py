"""What an archive of images becomes: arrays, and a summary of what was found in it.

Runs in a confined process (`decode_worker`) for uploads, and directly for a file that a person names on
the command line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.datasets.base import OnProgress, RawImages
from core.datasets.npz import as_planes, images_from_npz, npz_shapes
from core.datasets.pictures import images_from_zip, inspect_zip, resize_images
from core.errors import InvalidInput

PICTURE_SIDE = 32
"""Side of pictures if none is chosen; a picture can be any size, a network cannot."""


class Summary(BaseModel):
    """What was found in an archive, and what it became."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pictures", "arrays"] = Field(description="A zip of picture files, or a .npz.")
    counts: dict[str, int] = Field(description="Images of each class, by its name.")
    n_test: int = Field(description="Images that came as a test set of their own.")
    smallest: tuple[int, int] = Field(description="(width, height) as they came, fewest pixels.")
    largest: tuple[int, int] = Field(description="(width, height) as they came, most pixels.")
    grey: bool = Field(description="Whether all images came in grey.")
    shape: tuple[int, int, int] = Field(description="(channels, height, width) that networks get.")
    skipped: int = Field(description="Files left out because a desktop had added them.")

    @property
    def n_images(self) -> int:
        return sum(self.counts.values())


def decode(
    data: bytes, *, size: int, channels: int, on_progress: OnProgress | None = None
) -> tuple[RawImages, Summary]:
    """The images in an archive's bytes; what it is, the bytes themselves say.

    Args:
        data: a .zip of class folders, or a .npz of arrays.
        size: side in pixels (0: as they are in a .npz, 32 for pictures).
        channels: 1 (grey) or 3 (RGB); 0: as they are in a .npz, RGB for pictures.
        on_progress: called while decoding.

    Raises:
        InvalidInput: one sentence says what is refused and why.
    """
    if 0 < size < 4:
        raise InvalidInput("Images need at least 4 pixels a side.")
    if looks_like_npz(data):
        came = images_from_npz(data, size=size, channels=channels)
        raw = resize_images(came, size=size, channels=channels)
        shapes = npz_shapes(data)
        _, planes, height, width = as_planes(shapes.get("x", shapes.get("x_train", (0, 0, 0))))
        return raw, _summary(raw, "arrays", ((width, height), (width, height)), planes == 1, 0)
    contents = inspect_zip(data)
    raw = images_from_zip(
        contents,
        size=size or PICTURE_SIDE,
        channels=channels or 3,
        on_progress=on_progress or (lambda fraction, message: None),
    )
    sizes = (contents.smallest, contents.largest)
    return raw, _summary(raw, "pictures", sizes, contents.grey, contents.skipped)


def _summary(
    raw: RawImages,
    kind: Literal["pictures", "arrays"],
    sizes: tuple[tuple[int, int], tuple[int, int]],
    grey: bool,
    skipped: int,
) -> Summary:
    counts = np.bincount(raw.y, minlength=len(raw.classes))
    return Summary(
        kind=kind,
        counts=dict(zip(raw.classes, counts.tolist(), strict=True)),
        n_test=raw.n_test,
        smallest=sizes[0],
        largest=sizes[1],
        grey=grey,
        shape=raw.x.shape[1:],
        skipped=skipped,
    )


def looks_like_npz(data: bytes) -> bool:
    """Whether a zip's first member is called .npy (a .npz is a zip of those)."""
    return data[:4] == b"PK\x03\x04" and data[30 : 30 + int.from_bytes(data[26:28], "little")].endswith(
        b".npy"
    )


def write_decoded(path: Path, raw: RawImages, summary: Summary) -> None:
    """Write images and summary as one .npz, not packed."""
    about = json.dumps({"summary": summary.model_dump(mode="json"), "scale": raw.scale})
    with path.open("wb") as file:
        np.savez(file, x=raw.x, y=raw.y, classes=np.array(raw.classes), about=np.array(about))


def read_decoded(path: Path) -> tuple[RawImages, Summary]:
    """What `write_decoded` wrote.

    Raises:
        InvalidInput: the file is damaged or of another version.
        FileNotFoundError: there is none.
    """
    return _read_decoded(path, with_images=True)


def read_labels(path: Path) -> tuple[RawImages, Summary]:
    """As `read_decoded`, but `x` has no images in it: enough to count and to divide.

    Raises:
        InvalidInput: the file is damaged or of another version.
        FileNotFoundError: there is none.
    """
    return _read_decoded(path, with_images=False)


def _read_decoded(path: Path, *, with_images: bool) -> tuple[RawImages, Summary]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            summary = Summary.model_validate(about["summary"])
            x = arrays["x"] if with_images else np.empty((0, *summary.shape), np.uint8)
            raw = RawImages(
                x=x,
                y=arrays["y"],
                classes=tuple(map(str, arrays["classes"])),
                n_test=summary.n_test,
                scale=float(about["scale"]),
            )
    except FileNotFoundError:
        raise
    except Exception as error:  # our own file, damaged: zipfile, zlib and numpy have many words for it
        raise InvalidInput("The decoded images were damaged on the disk.") from error
    return raw, summary
