"""Pictures from strangers: a zip of class folders, decoded one by one within a pixel budget.

Pillow is only offered four formats, only after the header's size has been judged, and whatever it
dislikes about a file, a bomb warning included, is a refusal.
"""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.datasets.archives import ZipLimits, open_zip, read_member, shown
from core.datasets.base import OnProgress, RawImages
from core.datasets.npz import check_size, checked_classes
from core.errors import InvalidInput

LIMITS = ZipLimits(member_bytes=16 * 2**20)
MAX_PIXELS = 16_000_000
"""Of one picture; a phone's camera makes 12 million."""
MAX_TOTAL_PIXELS = 1_000_000_000
"""Of all pictures together: decoding takes seconds for every hundred million."""
MAX_SCANS = 100
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    struct.error,
    MemoryError,
    RuntimeError,
    Warning,
)


@dataclass(frozen=True)
class Contents:
    """What an archive of pictures holds, before a single one is decoded.

    Attributes:
        archive: the open archive.
        members: (class index, entry) of every picture, classes and files in alphabetical order.
        classes: the folders' names.
        smallest, largest: (width, height) of the pictures with the fewest and the most pixels.
        grey: whether all of them are grey.
        skipped: entries left out because the desktop added them.
    """

    archive: zipfile.ZipFile
    members: list[tuple[int, zipfile.ZipInfo]]
    classes: tuple[str, ...]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    grey: bool
    skipped: int


def inspect_zip(data: bytes) -> Contents:
    """Look at an archive's directory and at every picture's header.

    Raises:
        InvalidInput: one sentence says which file is refused and why.
    """
    archive, infos = open_zip(data, LIMITS)
    by_class = _sort_into_classes(infos)
    members = [(index, info) for index, infos in enumerate(by_class.values()) for info in infos]
    counts = np.bincount([index for index, _ in members], minlength=len(by_class))
    classes = checked_classes(tuple(by_class), counts)
    headers = [_read_header(read_member(archive, info), info.filename) for _, info in members]
    sizes = sorted({size for size, _ in headers}, key=lambda size: size[0] * size[1])
    if sum(width * height for (width, height), _ in headers) > MAX_TOTAL_PIXELS:
        raise InvalidInput("The pictures have too many pixels together; shrink them before uploading.")
    return Contents(
        archive,
        members,
        classes,
        smallest=sizes[0],
        largest=sizes[-1],
        grey=all(grey for _, grey in headers),
        skipped=len(infos) - len(members),
    )


def images_from_zip(
    data: bytes | Contents, *, size: int, channels: int, on_progress: OnProgress
) -> RawImages:
    """Pictures sorted into one folder per class, as square uint8 images.

    A picture is cropped to its central square and resized; transparency becomes white.

    Args:
        data: the archive, or what `inspect_zip` found in it.
        size: side in pixels.
        channels: 1 (grey) or 3 (RGB).
        on_progress: called while decoding.

    Returns:
        (n, channels, size, size) uint8 in the order of the file names.

    Raises:
        InvalidInput: one sentence says which file is refused and why.
    """
    contents = inspect_zip(data) if isinstance(data, bytes) else data
    members = contents.members
    check_size(len(members), channels, size, size)
    x = np.empty((len(members), channels, size, size), dtype=np.uint8)
    for row, (_, info) in enumerate(members):
        if row % 64 == 0:
            on_progress(row / len(members), f"Reading picture {row + 1:,} of {len(members):,}.")
        x[row], _ = decode_picture(
            read_member(contents.archive, info), info.filename, size=size, channels=channels
        )
    y = np.array([index for index, _ in members], dtype=np.int64)
    return RawImages(x=x, y=y, classes=contents.classes)


def _read_header(data: bytes, name: str) -> tuple[tuple[int, int], bool]:
    """(width, height) of a picture and whether it is grey, from its first bytes.

    Raises:
        InvalidInput: as for `decode_picture`.
    """
    # Every scan of a progressive JPEG costs as much as a picture; honest ones have about ten. Inside the
    # coded data the marker cannot occur.
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MAX_SCANS:
        raise InvalidInput(f"{shown(name)} is a JPEG of more than {MAX_SCANS} scans; save it again.")
    with _refusing(name), Image.open(io.BytesIO(data), formats=FORMATS) as probe:
        if probe.width * probe.height > MAX_PIXELS:
            raise InvalidInput(f"{shown(name)} has too many pixels ({probe.width}x{probe.height}).")
        return probe.size, probe.mode in ("1", "L", "LA", "I", "I;16")


def decode_picture(data: bytes, name: str, *, size: int, channels: int) -> tuple[NDArray[np.uint8], int]:
    """One picture file as (channels, size, size) uint8, and the number of pixels it had.

    Raises:
        InvalidInput: not a PNG, JPEG, BMP or WebP, damaged, or of more than 16 million pixels.
    """
    (width, height), _ = _read_header(data, name)
    with _refusing(name):
        with Image.open(io.BytesIO(data), formats=FORMATS) as probe:
            probe.verify()
        # Pillow's verify leaves the image unusable; it has to be opened again.
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _square(image, size, channels), width * height


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Whatever Pillow dislikes about a picture is a refusal.

    No filter of warnings is set here: they belong to the whole process, and two uploads at once would
    leave every warning an error for everybody.
    """
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInput(f"{shown(name)} has too many pixels.") from error
    except _DECODE_ERRORS as error:
        raise InvalidInput(f"{shown(name)} is not a readable PNG, JPEG, BMP or WebP picture.") from error


def _square(image: Image.Image, size: int, channels: int) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion would clip instead of scaling.
        grey = np.asarray(image, dtype=np.float64) / 257.0
        image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    plain = image.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(ImageOps.fit(plain, (size, size), Image.Resampling.BILINEAR))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def resize_images(raw: RawImages, *, size: int, channels: int) -> RawImages:
    """Images read from arrays, brought to another size or number of channels (0: as they are)."""
    x = raw.x
    if channels and x.shape[1] != channels:
        if channels == 3:
            x = np.repeat(x, 3, axis=1)
        else:
            # The luma weights Pillow uses (ITU-R 601).
            grey = np.tensordot(x, np.array([0.299, 0.587, 0.114], dtype=np.float32), axes=(1, 0))[:, None]
            x = (
                np.rint(grey).astype(np.uint8)
                if x.dtype == np.uint8
                else np.clip(grey, 0, 1).astype(np.float32)
            )
    if size and x.shape[2:] != (size, size):
        check_size(len(x), x.shape[1], size, size)
        resized = np.empty((*x.shape[:2], size, size), dtype=x.dtype)
        for target, plane in zip(_planes(resized), _planes(x), strict=True):
            picture = ImageOps.fit(Image.fromarray(plane), (size, size), Image.Resampling.BILINEAR)
            target[:] = np.asarray(picture)
        x = resized
    return RawImages(x=x, y=raw.y, classes=raw.classes, n_test=raw.n_test, scale=raw.scale)


def _planes(x: NDArray[Any]) -> Iterable[NDArray[Any]]:
    return (x[row, channel] for row in range(x.shape[0]) for channel in range(x.shape[1]))


def _sort_into_classes(infos: list[zipfile.ZipInfo]) -> dict[str, list[zipfile.ZipInfo]]:
    """Entries by the name of the folder they lie in, folders and files in alphabetical order."""
    by_class: dict[str, list[zipfile.ZipInfo]] = {}
    for info in sorted(infos, key=lambda one: one.filename):
        parts = info.filename.split("/")
        # What Finder and Explorer add on their own is no picture.
        if parts[0] == "__MACOSX" or parts[-1] in ("Thumbs.db", "desktop.ini") or parts[-1].startswith("."):
            continue
        if not parts[-1].lower().endswith(ENDINGS):
            raise InvalidInput(f"{shown(info.filename)} is not a PNG, JPEG, BMP or WebP picture.")
        if len(parts) < 2:
            raise InvalidInput(f"{shown(info.filename)} lies in no class folder; give each class one folder.")
        by_class.setdefault(unicodedata.normalize("NFC", parts[-2]), []).append(info)
    if not by_class:
        raise InvalidInput("The archive holds no pictures; give each class one folder of PNG or JPEG files.")
    return dict(sorted(by_class.items()))
