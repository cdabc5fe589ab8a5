"""What an archive of images becomes: arrays, and a summary of what was found in it.

Runs in a confined process (`decode_worker`) for uploads, and directly for a file that a person names on
the command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import OnProgress, RawImages
from core.datasets.found import Proposal, Skipped, Summary, equal_rows
from core.datasets.npz import images_from_npz
from core.datasets.pictures import images_from_zip, inspect_zip, resize_images
from core.errors import InvalidInput

_LEAST = 4
PICTURE_SIDE = 32
"""Side of pictures if none is chosen; a picture can be any size, a network cannot."""


_MOST_PROPOSED = 32
_MOST_CLASSES, _PER_CLASS, _SHEET_SIDE = 12, 8, 48


def decode(
    data: bytes,
    *,
    size: int | None = None,
    channels: int | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[RawImages, Summary]:
    """The images in an archive's bytes; what it is, the bytes themselves say.

    Args:
        data: a .zip of class folders, or a .npz of arrays.
        size: side in pixels (0: as they are in a .npz, 32 for pictures); None: what fits them.
        channels: 1 (gray) or 3 (RGB); 0: as they are in a .npz, RGB for pictures; None: what fits them.
        on_progress: called while decoding.

    Raises:
        InvalidInput: one sentence says what is refused and why.
    """
    if size is not None and 0 < size < _LEAST:
        raise InvalidInput(f"Images need at least {_LEAST} pixels a side.")
    report = on_progress or (lambda fraction, message: None)
    return (_arrays if looks_like_npz(data) else _pictures)(data, size, channels, report)


def _arrays(
    data: bytes, size: int | None, channels: int | None, on_progress: OnProgress
) -> tuple[RawImages, Summary]:
    came = images_from_npz(data, size=size or 0, channels=channels or 0)
    n, stored, height, width = came.x.shape
    gray = sum(map(_gray, came.x)) if stored == 3 else n
    proposed = Proposal(
        size=width if width == height else 0, channels=1 if stored == 3 and gray == n else stored
    )
    raw = resize_images(
        came,
        size=proposed.size if size is None else size,
        channels=proposed.channels if channels is None else channels,
    )
    sizes = [(width, height)]
    stored_gray = n if stored == 1 else 0
    return raw, _summary(
        raw, "arrays", sizes, gray=gray, stored_gray=stored_gray, skipped=(), proposed=proposed
    )


def _gray(image: NDArray[Any]) -> bool:
    spread = image.max(axis=0).astype(np.float32) - image.min(axis=0)
    return float(spread.max()) <= (4 if image.dtype == np.uint8 else 4 / 255)


def _pictures(
    data: bytes, size: int | None, channels: int | None, on_progress: OnProgress
) -> tuple[RawImages, Summary]:
    contents = inspect_zip(data)
    # Small networks see enough in 32 pixels, and quickly; smaller pictures stay as they are.
    fits = max(_LEAST, min(contents.usual_side, _MOST_PROPOSED))
    side = fits if size is None else size or PICTURE_SIDE
    wanted = 0 if channels is None else channels or 3
    decoded = images_from_zip(contents, size=side, channels=wanted, on_progress=on_progress)
    raw = decoded.raw
    proposed = Proposal(size=fits, channels=1 if decoded.gray == len(raw.y) else 3)
    return raw, _summary(
        raw,
        "pictures",
        decoded.sizes,
        gray=decoded.gray,
        stored_gray=decoded.stored_gray,
        skipped=contents.leavings.records(),
        proposed=proposed,
    )


def _summary(
    raw: RawImages,
    kind: Literal["pictures", "arrays"],
    sizes: Sequence[tuple[int, int]],
    *,
    gray: int,
    stored_gray: int,
    skipped: tuple[Skipped, ...],
    proposed: Proposal,
) -> Summary:
    counts = np.bincount(raw.y, minlength=len(raw.classes))
    same = equal_rows(raw.x)
    return Summary(
        kind=kind,
        counts=dict(zip(raw.classes, counts.tolist(), strict=True)),
        n_test=raw.n_test,
        smallest=sizes[0],
        largest=sizes[-1],
        n_sizes=len(sizes),
        gray=gray,
        stored_gray=stored_gray,
        shape=raw.x.shape[1:],
        skipped=skipped,
        proposed=proposed,
        repeated=int((same != np.arange(len(same))).sum()),
    )


@dataclass(frozen=True, eq=False)
class Sheet:
    """Some images of each class, small.

    Attributes:
        images: (k, c, h, w) float32 in [0, 1].
        labels: class name of each.
    """

    images: NDArray[np.float32]
    labels: tuple[str, ...]


def _sheet_rows(raw: RawImages) -> NDArray[np.int64]:
    """Positions of a few images of each of the first classes, spread over the class."""
    rows = []
    for label in range(min(len(raw.classes), _MOST_CLASSES)):
        members = np.flatnonzero(raw.y == label)
        rows.append(members[np.linspace(0, len(members) - 1, min(len(members), _PER_CLASS)).astype(int)])
    return np.concatenate(rows)


def looks_like_npz(data: bytes) -> bool:
    """Whether a zip's first member is called .npy (a .npz is a zip of those)."""
    return data[:4] == b"PK\x03\x04" and data[30 : 30 + int.from_bytes(data[26:28], "little")].endswith(
        b".npy"
    )


def write_decoded(path: Path, raw: RawImages, summary: Summary) -> None:
    """Write images and summary as one .npz, not packed; a contact sheet and who equals whom beside them."""
    about = json.dumps({"summary": summary.model_dump(mode="json"), "scale": raw.scale})
    rows = _sheet_rows(raw)
    step = max(1, -(-max(raw.x.shape[2:]) // _SHEET_SIDE))
    with path.open("wb") as file:
        np.savez(
            file,
            x=raw.x,
            y=raw.y,
            classes=np.array(raw.classes),
            about=np.array(about),
            same=equal_rows(raw.x),
            sheet=raw.x[rows][:, :, ::step, ::step],
            sheet_rows=rows,
        )


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


def read_beside(path: Path) -> tuple[NDArray[np.int64], Sheet]:
    """(n,) position of the first image equal to each, and the contact sheet.

    Raises:
        InvalidInput: the file is damaged or of another version.
        FileNotFoundError: there is none.
    """
    with own_arrays(path) as arrays:
        names = tuple(map(str, arrays["classes"]))
        scale = float(json.loads(str(arrays["about"]))["scale"])
        images = arrays["sheet"].astype(np.float32) / np.float32(scale)
        labels = tuple(names[label] for label in arrays["y"][arrays["sheet_rows"]])
        return arrays["same"], Sheet(images, labels)


def _read_decoded(path: Path, *, with_images: bool) -> tuple[RawImages, Summary]:
    with own_arrays(path) as arrays:
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
    return raw, summary


@contextmanager
def own_arrays(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a file of our own; whatever is wrong with it is one refusal."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged: zipfile, zlib and numpy have many words for it
        raise InvalidInput("The decoded copy of the upload was damaged on the disk.") from error
