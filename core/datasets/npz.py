"""Arrays from strangers: a .npz whose every header is read before its data, and nothing unpickled.

NumPy's own reader trusts the header's size and parses it as Python; here the header has to have
exactly the form NumPy writes, of plain numbers or text, and its size has to be the member's size.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.archives import READ_ERRORS, ZipLimits, open_zip, read_member, shown
from core.datasets.base import RawImages
from core.errors import InvalidInput

LIMITS = ZipLimits(entries=16)
MAX_SIDE = 512
MIN_SIDE = 4
MAX_IMAGES = 200_000
MAX_CLASSES = 1000
MIN_PER_CLASS = 5
MAX_ARRAY_BYTES = 512 * 2**20
"""Of all images as float32, which is what training and evaluation hold."""

_HEADER = re.compile(
    r"\{'descr': '([<>|=])([uifbUS])(\d{1,4})', 'fortran_order': (False|True), 'shape': \(([\d, ]{0,100})\), \} *\n"
)
_PREFIX_BYTES = 4096


def check_size(n: int, channels: int, height: int, width: int) -> None:
    """Refuse images that would not fit once they are float32.

    Raises:
        InvalidInput: they take more than `MAX_ARRAY_BYTES`.
    """
    if n * channels * height * width * 4 > MAX_ARRAY_BYTES:
        raise InvalidInput(
            f"{n:,} images of {height}x{width} in {channels} channels take more than "
            f"{MAX_ARRAY_BYTES >> 20} MB; choose a smaller size or upload fewer."
        )


def npz_shapes(data: bytes, limits: ZipLimits = LIMITS) -> dict[str, tuple[int, ...]]:
    """The shape of each array of a .npz, by name without ".npy"; no array is read.

    Raises:
        InvalidInput: as for `read_npz`.
    """
    archive, infos = open_zip(data, limits)
    return {info.filename.removesuffix(".npy"): _parse_header(archive, info)[2] for info in infos}


def read_npz(data: bytes, limits: ZipLimits = LIMITS) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz, by name without ".npy".

    Raises:
        InvalidInput: damaged, too large, or holding anything but plain numbers and text.
    """
    archive, infos = open_zip(data, limits)
    sizes = [_parse_header(archive, info) for info in infos]
    arrays: dict[str, NDArray[Any]] = {}
    for info, (start, dtype, shape, fortran) in zip(infos, sizes, strict=True):
        flat = np.frombuffer(read_member(archive, info), dtype=dtype, offset=start)
        native = flat.astype(dtype.newbyteorder("="), copy=False)
        arrays[info.filename.removesuffix(".npy")] = native.reshape(shape, order="F" if fortran else "C")
    return arrays


def _parse_header(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[int, np.dtype[Any], tuple[int, ...], bool]:
    """Where the data of one .npy start, their type and shape, having read only its first bytes."""
    name = shown(info.filename)
    if not info.filename.endswith(".npy") or "/" in info.filename:
        raise InvalidInput(f"A .npz holds only .npy arrays; this one also holds {name}.")
    try:
        with archive.open(info) as stream:
            head = stream.read(_PREFIX_BYTES)
        if head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3):
            raise InvalidInput(f"{name} is not a NumPy array.")
        width, form = (2, "<H") if head[6] == 1 else (4, "<I")
        (length,) = struct.unpack_from(form, head, 8)
        start = 8 + width + length
        text = head[8 + width : start].decode("latin-1")
    except (*READ_ERRORS, IndexError) as error:
        raise InvalidInput(f"{name} is damaged.") from error
    match = _HEADER.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{name} holds something else than plain numbers or text, which is not accepted.")
    order, kind, width_text, fortran, shape_text = match.groups()
    try:
        dtype = np.dtype(f"{order}{kind}{width_text}")
        shape = tuple(int(part) for part in shape_text.split(",") if part.strip())
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} has a number type that is not accepted.") from error
    if len(shape) > 4 or start + math.prod(shape) * dtype.itemsize != info.file_size or not dtype.itemsize:
        raise InvalidInput(f"{name} does not hold as many values as it claims.")
    return start, dtype, shape, fortran == "True"


def images_from_npz(data: bytes, *, size: int = 0, channels: int = 0) -> RawImages:
    """Images from arrays `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test`; optional `classes`.

    `x` is (n, h, w), (n, h, w, c) or (n, c, h, w) with 1 or 3 channels, uint8 or floats in [0, 1];
    `y` is (n,) whole numbers from 0; `classes` is text. The images come as they are: the size and the
    channels they will be brought to (0: none) only decide whether they are too many.

    Raises:
        InvalidInput: one sentence says what does not fit.
    """
    shapes = npz_shapes(data)
    _check_together([shapes[name] for name in ("x", "x_train", "x_test") if name in shapes], size, channels)
    arrays = read_npz(data)
    if {"x", "y"} <= arrays.keys():
        x, y, n_test = _images(arrays["x"]), _labels(arrays["y"]), 0
    elif {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        parts = [_images(arrays["x_train"]), _images(arrays["x_test"])]
        if parts[0].dtype != parts[1].dtype or parts[0].shape[1:] != parts[1].shape[1:]:
            raise InvalidInput("x_train and x_test hold images of different sizes or types.")
        n_test = len(parts[1])
        x, y = np.concatenate(parts), np.concatenate([_labels(arrays["y_train"]), _labels(arrays["y_test"])])
        if n_test != arrays["y_test"].size or not 0 < n_test < len(x):
            raise InvalidInput("x_test and y_test do not hold one label for each image.")
    else:
        raise InvalidInput("The .npz needs arrays called x (images) and y (class numbers).")
    if len(x) != len(y):
        raise InvalidInput(f"There are {len(x):,} images and {len(y):,} labels; there must be one for each.")
    scale = 255.0 if x.dtype == np.uint8 else 1.0
    return RawImages(x=x, y=y, classes=_class_names(arrays.get("classes"), y), n_test=n_test, scale=scale)


def _check_together(shapes: Sequence[tuple[int, ...]], size: int, channels: int) -> None:
    # What has another number of axes is refused with its own sentence once it is read.
    known = [as_planes(shape) for shape in shapes if len(shape) in (3, 4)]
    for _, planes, height, width in known:
        check_size(sum(one[0] for one in known), channels or planes, size or height, size or width)


def as_planes(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(n, channels, height, width) of images stored as (n, h, w), (n, h, w, c) or (n, c, h, w)."""
    if len(shape) == 3:
        return shape[0], 1, shape[1], shape[2]
    n, second, third, last = shape
    return (n, last, second, third) if second not in (1, 3) and last in (1, 3) else (n, second, third, last)


def _images(x: NDArray[Any]) -> NDArray[Any]:
    """(n, c, h, w), uint8 or float32 in [0, 1]."""
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise InvalidInput(
            "x must hold images as (n, height, width) or with 1 or 3 channels as a fourth axis."
        )
    n, _, height, width = x.shape
    if not 0 < n <= MAX_IMAGES:
        raise InvalidInput(f"x holds {n:,} images; between 1 and {MAX_IMAGES:,} are accepted.")
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise InvalidInput(
            f"The images are {height}x{width}; sides from {MIN_SIDE} to {MAX_SIDE} are accepted."
        )
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    if x.dtype.kind != "f" or x.dtype.itemsize > 8:
        raise InvalidInput("x must hold bytes (uint8) or floating-point numbers from 0 to 1.")
    low, high = float(x.min()), float(x.max())
    # A NaN fails both comparisons, and an infinity one of them.
    if not (low >= 0.0 and high <= 1.0):
        raise InvalidInput(
            "The pixels of x must lie between 0 and 1; divide them by 255 or save them as uint8."
        )
    return np.ascontiguousarray(x, dtype=np.float32)


def _labels(y: NDArray[Any]) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "iu" or not len(y):
        raise InvalidInput("y must hold one whole number for each image.")
    if int(y.min()) < 0 or int(y.max()) >= MAX_CLASSES:
        raise InvalidInput(f"The class numbers in y must lie between 0 and {MAX_CLASSES - 1}.")
    return y.astype(np.int64)


def _class_names(names: NDArray[Any] | None, y: NDArray[np.int64]) -> tuple[str, ...]:
    counts = np.bincount(y)
    if names is not None:
        if names.ndim != 1 or names.dtype.kind != "U" or not len(counts) <= len(names) <= MAX_CLASSES:
            raise InvalidInput("classes must hold one name for each class number in y.")
        counts = np.bincount(y, minlength=len(names))
    result = tuple(str(index) for index in range(len(counts))) if names is None else tuple(map(str, names))
    return checked_classes(result, counts)


def checked_classes(
    names: tuple[str, ...], counts: NDArray[np.int64], samples: str = "images"
) -> tuple[str, ...]:
    """Class names fit for a screen, of classes with enough images (or other samples, as they are called) to divide.

    Raises:
        InvalidInput: fewer than two classes, too few images, or a name with control characters.
    """
    if not 2 <= len(names) <= MAX_CLASSES:
        raise InvalidInput(f"There must be between 2 and {MAX_CLASSES} classes, not {len(names)}.")
    if len(set(names)) != len(names):
        raise InvalidInput("Two classes have the same name.")
    for name, count in zip(names, counts, strict=True):
        if not name.strip() or len(name) > 80 or not name.isprintable():
            raise InvalidInput("A class name is empty, longer than 80 characters, or not printable.")
        if count < MIN_PER_CLASS:
            raise InvalidInput(
                f"Class {shown(name)} has {count} of the {MIN_PER_CLASS} {samples} that each class needs: add some, or leave it out."
            )
    return names
