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
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.datasets.archives import ZipLimits, open_zip, read_member, shown
from core.datasets.base import OnProgress, RawImages
from core.datasets.found import Leavings
from core.datasets.npz import check_size, checked_classes
from core.errors import InvalidInput

LIMITS = ZipLimits(member_bytes=16 * 2**20)
MAX_PIXELS = 16_000_000
"""Of one picture; a phone's camera makes 12 million."""
MAX_JPEG_PIXELS = 64_000_000
"""Of one JPEG, which can be decoded smaller than it is: some cameras make 50 million."""
MAX_TOTAL_PIXELS = 1_000_000_000
"""Of all pictures together, as they are decoded: it takes seconds for every hundred million."""
_SMALLER = 16
"""A JPEG that is decoded smaller has about so many times fewer pixels."""
MAX_SCANS = 100
WHITE_BELOW = MappingProxyType({"background": "white"})
"""What is transparent counts as white; a download's predict.py must do the same."""
_ROUNDING = 4
"""Levels by which the channels of a gray JPEG may differ."""
_NO_PICTURE = "not readable as PNG, JPEG, BMP or WebP"
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


class Unreadable(InvalidInput):
    """A file that is no picture, or a damaged one: it can be left out of an upload."""


@dataclass(frozen=True)
class Contents:
    """What an archive of pictures holds, before a single one is decoded.

    Attributes:
        archive: the open archive.
        members: (class index, entry) of every picture, classes and files in alphabetical order.
        classes: the folders' names.
        sizes: (width, height) of every picture.
        stored_gray: whether it is stored with one channel, of every picture.
        smaller: whether its JPEGs are decoded smaller than they are, because together they are too large otherwise.
        leavings: what is left out.
    """

    archive: zipfile.ZipFile
    members: list[tuple[int, zipfile.ZipInfo]]
    classes: tuple[str, ...]
    sizes: list[tuple[int, int]]
    stored_gray: list[bool]
    smaller: bool
    leavings: Leavings

    @property
    def usual_side(self) -> int:
        """The median of the pictures' shorter sides."""
        return int(np.median([min(size) for size in self.sizes]))


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pictures as networks get them.

    Attributes:
        raw: the images.
        gray: how many have no color.
        stored_gray: how many are stored with one channel.
        sizes: their distinct (width, height) as they came, fewest pixels first.
    """

    raw: RawImages
    gray: int
    stored_gray: int
    sizes: list[tuple[int, int]]


@dataclass(frozen=True)
class _Header:
    """What the first bytes of a picture say: its size, whether it is stored gray, whether it is a JPEG."""

    size: tuple[int, int]
    gray: bool
    jpeg: bool

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    def decoded_pixels(self, smaller: bool) -> int:
        """How many are decoded."""
        return self.pixels // (_SMALLER if self.jpeg and (smaller or self.pixels > MAX_PIXELS) else 1)


def inspect_zip(data: bytes) -> Contents:
    """Look at an archive's directory and at every picture's header; what cannot be read is left out.

    Raises:
        InvalidInput: one sentence says which file is refused and why.
    """
    archive, infos = open_zip(data, LIMITS)
    leavings = Leavings()
    by_class = _sort_into_classes(infos, leavings)
    members: list[tuple[int, zipfile.ZipInfo]] = []
    headers: list[_Header] = []
    for index, entries in enumerate(by_class.values()):
        for info in entries:
            try:
                header = _read_header(read_member(archive, info), info.filename)
            except Unreadable:
                leavings.add(_NO_PICTURE, shown(info.filename))
                continue
            members.append((index, info))
            headers.append(header)
    counts = np.bincount([index for index, _ in members], minlength=len(by_class))
    classes = checked_classes(tuple(by_class), counts)
    # Only where it must be: what small archives held in earlier days decodes to what it did.
    smaller = sum(each.decoded_pixels(False) for each in headers) > MAX_TOTAL_PIXELS
    if smaller and sum(each.decoded_pixels(True) for each in headers) > MAX_TOTAL_PIXELS:
        raise InvalidInput("The pictures have too many pixels together; shrink them before uploading.")
    sizes, stored_gray = [each.size for each in headers], [each.gray for each in headers]
    return Contents(archive, members, classes, sizes, stored_gray, smaller, leavings)


def images_from_zip(contents: Contents, *, size: int, channels: int, on_progress: OnProgress) -> Decoded:
    """Pictures sorted into one folder per class, as square uint8 images.

    A picture is turned as its camera says, cropped to its central square and resized; transparency becomes white.

    Args:
        contents: what `inspect_zip` found.
        size: side in pixels.
        channels: 1 (gray), 3 (RGB) or 0: gray if none of them has color.
        on_progress: called while decoding.

    Returns:
        (n, channels, size, size) uint8 in the order of the file names.

    Raises:
        InvalidInput: one sentence says which file is refused and why.
    """
    members = contents.members
    check_size(len(members), channels or 3, size, size)
    # Where it is not yet known whether they are gray, both forms are made until one has color.
    forms = {
        c: np.empty((len(members), c, size, size), np.uint8) for c in ({channels} if channels else {1, 3})
    }
    gray, kept = 0, list[int]()
    for at, (_, info) in enumerate(members):
        if at % 64 == 0:
            on_progress(at / len(members), f"Reading picture {at + 1:,} of {len(members):,}.")
        data = read_member(contents.archive, info)
        try:
            found, is_gray, _ = _decode(data, info.filename, size, tuple(forms), contents.smaller)
        except Unreadable:
            contents.leavings.add(_NO_PICTURE, shown(info.filename))
            continue
        for c, pixels in found.items():
            forms[c][len(kept)] = pixels
        gray += is_gray
        kept.append(at)
        if not is_gray and len(forms) > 1:
            del forms[1]
    y = np.array([members[at][0] for at in kept], dtype=np.int64)
    classes = checked_classes(contents.classes, np.bincount(y, minlength=len(contents.classes)))
    x = forms[min(forms)][: len(kept)]
    sizes = sorted({contents.sizes[at] for at in kept}, key=lambda size: (size[0] * size[1], size))
    stored_gray = sum(contents.stored_gray[at] for at in kept)
    return Decoded(RawImages(x=x, y=y, classes=classes), gray, stored_gray, sizes)


def _read_header(data: bytes, name: str) -> _Header:
    """What the first bytes of a picture say of it.

    Raises:
        InvalidInput: as for `decode_picture`.
    """
    # Every scan of a progressive JPEG costs as much as a picture; honest ones have about ten. Inside the
    # coded data the marker cannot occur.
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MAX_SCANS:
        raise InvalidInput(f"{shown(name)} is a JPEG of more than {MAX_SCANS} scans; save it again.")
    with _refusing(name), Image.open(io.BytesIO(data), formats=FORMATS) as probe:
        jpeg = probe.format == "JPEG"
        if probe.width * probe.height > (MAX_JPEG_PIXELS if jpeg else MAX_PIXELS):
            raise InvalidInput(f"{shown(name)} has too many pixels ({probe.width}x{probe.height}).")
        return _Header(probe.size, probe.mode in ("1", "L", "LA", "I", "I;16"), jpeg)


def decode_picture(data: bytes, name: str, *, size: int, channels: int) -> tuple[NDArray[np.uint8], int]:
    """One picture file as (channels, size, size) uint8, and the number of pixels it had.

    Raises:
        Unreadable: not a PNG, JPEG, BMP or WebP, or damaged.
        InvalidInput: of more than 16 million pixels, as a JPEG 64 million.
    """
    found, _, pixels = _decode(data, name, size, (channels,))
    return found[channels], pixels


def _decode(
    data: bytes, name: str, size: int, wanted: tuple[int, ...], smaller: bool = False
) -> tuple[dict[int, NDArray[np.uint8]], bool, int]:
    """Forms of one picture by their channels, whether it has no color, and how many pixels it had."""
    header = _read_header(data, name)
    with _refusing(name):
        with Image.open(io.BytesIO(data), formats=FORMATS) as probe:
            probe.verify()
        # Pillow's verify leaves the image unusable; it has to be opened again.
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if header.decoded_pixels(smaller) < header.pixels:
                # Twice as large as wanted is enough: the resizing averages over the rest.
                image.draft(None, (2 * size, 2 * size))
            ImageOps.exif_transpose(image, in_place=True)
            plain = _opaque(image)
            if plain.mode in ("1", "L"):
                one = _square(plain.convert("L"), size)
                forms = {c: one if c == 1 else np.repeat(one, 3, axis=0) for c in wanted}
                return forms, True, header.pixels
            color = _square(plain.convert("RGB"), size)
            is_gray = _without_color(color)
            forms = {3: color} if 3 in wanted else {}
            if 1 in wanted and (is_gray or len(wanted) == 1):
                forms[1] = _square(plain.convert("L"), size)
            return forms, is_gray, header.pixels


def _without_color(pixels: NDArray[np.uint8]) -> bool:
    """Whether the channels of (3, h, w) differ by no more than what a codec's rounding does."""
    high = pixels.max(axis=0).astype(np.int16)
    return int((high - pixels.min(axis=0)).max()) <= _ROUNDING


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
        raise Unreadable(f"{shown(name)} is not a readable PNG, JPEG, BMP or WebP picture.") from error


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit gray: Pillow's own conversion would clip instead of scaling.
        gray = np.asarray(image, dtype=np.float64) / 257.0
        image = Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        image = opaque
    return image


def _square(plain: Image.Image, size: int) -> NDArray[np.uint8]:
    """(1 or 3, size, size) of a gray or an RGB picture: its central square."""
    pixels = np.asarray(ImageOps.fit(plain, (size, size), Image.Resampling.BILINEAR))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def resize_images(raw: RawImages, *, size: int, channels: int) -> RawImages:
    """Images read from arrays, brought to another size or number of channels (0: as they are)."""
    x = raw.x
    if channels and x.shape[1] != channels:
        if channels == 3:
            x = np.repeat(x, 3, axis=1)
        else:
            # The luma weights Pillow uses (ITU-R 601).
            gray = np.tensordot(x, np.array([0.299, 0.587, 0.114], dtype=np.float32), axes=(1, 0))[:, None]
            x = (
                np.rint(gray).astype(np.uint8)
                if x.dtype == np.uint8
                else np.clip(gray, 0, 1).astype(np.float32)
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


def _sort_into_classes(infos: list[zipfile.ZipInfo], leavings: Leavings) -> dict[str, list[zipfile.ZipInfo]]:
    """Entries by the name of the folder they lie in, folders and files in alphabetical order."""
    by_class: dict[str, list[zipfile.ZipInfo]] = {}
    for info in sorted(infos, key=lambda one: one.filename):
        parts = info.filename.split("/")
        # What Finder and Explorer add on their own is no picture.
        if parts[0] == "__MACOSX" or parts[-1] in ("Thumbs.db", "desktop.ini") or parts[-1].startswith("."):
            leavings.add("added by a desktop", shown(info.filename))
        elif not parts[-1].lower().endswith(ENDINGS):
            leavings.add("no PNG, JPEG, BMP or WebP by name", shown(info.filename))
        elif len(parts) < 2:
            leavings.add("in no class folder", shown(info.filename))
        else:
            by_class.setdefault(unicodedata.normalize("NFC", parts[-2]), []).append(info)
    if not by_class:
        raise InvalidInput("The archive holds no pictures; give each class one folder of PNG or JPEG files.")
    return dict(sorted(by_class.items()))
