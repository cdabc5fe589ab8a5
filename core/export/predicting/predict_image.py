"""Run this subnet on images. Needs torch, numpy and safetensors (and Pillow for pictures).

    python predict.py test.npz       one JSON line: accuracy, correct, n
    python predict.py picture.png    the classes with their probabilities
    python predict.py a.png b.png    a table: file, class, probability, then every class (CSV)
    python predict.py folder         the same for every picture in the folder and below it

The .npz file holds x, (n, channels, height, width) or (n, height, width): float from 0 to 1 or uint8
from 0 to 255; and y, (n,): class indices. The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.export.predicting.common import (
    count_correct,
    fail,
    load_subnet,
    print_accuracy,
    read_about,
    read_arrays,
    started,
    to_labels,
)
from core.export.predicting.files import files_in, print_classes, print_table

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# Pillow knows sixty formats; some start other programs or take minutes over a kilobyte.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MOST_PIXELS = 64_000_000


def to_images(x: Any, shape: tuple[int, ...]) -> Tensor:
    """Float32 images (n, c, h, w) in [0, 1] from an array; shape is the (c, h, w) the subnet takes."""
    if x.ndim == 3 and shape[0] == 1:
        x = x[:, None]
    if x.ndim != 4 or x.shape[1:] != shape or len(x) == 0:
        fail(f"x has shape {x.shape}; this subnet takes (n, {', '.join(map(str, shape))}) with n at least 1.")
    if x.dtype == np.uint8:
        return torch.from_numpy(x.astype(np.float32) / np.float32(255))
    if not np.issubdtype(x.dtype, np.floating):
        fail(f"x holds {x.dtype} values; use float from 0 to 1 or uint8 from 0 to 255.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    if not (np.isfinite(x).all() and x.min() >= 0 and x.max() <= 1):
        fail("x holds values outside 0 to 1; scale the pixels to 0 to 1, or give uint8 from 0 to 255.")
    return torch.from_numpy(x)


def trained_background() -> str:
    """What is transparent counts as this color, as in the training data."""
    try:
        return "white" if read_about()["data"].get("background") == "white" else "black"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "black"


def read_picture(path: Path, shape: tuple[int, ...]) -> Any:
    """A picture as (1, c, h, w) uint8, as pictures came into the training data: turned upright, cut to its middle, resized."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        fail(
            "reading pictures needs Pillow; try: pip install pillow (arrays in an .npz file work without it)"
        )
    channels, height, width = shape
    if channels not in (1, 3):
        fail(f"this subnet takes {channels} channels, which a picture does not have; give it an .npz file.")
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                fail(f"{path.name} has more than {MOST_PIXELS:,} pixels; shrink it first.")
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I"):  # 16 bits, which would be clipped and not scaled
                gray = np.asarray(picture, dtype=np.float64) / 257.0
                picture = Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                below = Image.new("RGBA", picture.size, trained_background())
                below.alpha_composite(picture.convert("RGBA"))
                picture = below
            flat = picture.convert("L" if channels == 1 else "RGB")
    except Exception:  # as for arrays: whatever Pillow says about a damaged picture means the same
        fail(f"{path.name} cannot be read as a PNG, JPEG, BMP, GIF or WebP picture.")
    pixels = np.asarray(ImageOps.fit(flat, (width, height), Image.Resampling.BILINEAR))
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)[None]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on images.")
    parser.add_argument(
        "file",
        type=Path,
        nargs="+",
        help="an .npz file with arrays x and y, or pictures, or a folder of them",
    )
    parser.add_argument("--invert", action="store_true", help="picture: swap dark and bright first")
    options, shape, classes = started(parser, arguments)
    path: Path = options.file[0]

    def read(path: Path) -> Any:
        return read_picture(path, shape)

    def ready(pixels: Any) -> Tensor:
        return to_images(255 - pixels if options.invert else pixels, shape)

    if len(options.file) > 1 or path.is_dir():
        pictures = files_in(options.file, PICTURES, "picture", f" ({', '.join(PICTURES)})")
        if failed := print_table(load_subnet, pictures, read, ready, classes):
            fail(f"{failed} of the pictures could not be read; the lines above name them.")
        return
    if path.suffix.lower() in PICTURES:
        x = ready(read(path))
        print_classes(load_subnet(), x, classes)
        return
    hint = " (pictures end in .png, .jpg, .bmp, .gif or .webp)"
    arrays = read_arrays(path, {"x": "images", "y": "labels"}, hint=hint)
    x = to_images(arrays["x"], shape)
    y = to_labels(arrays["y"], len(x), len(classes), "images")
    print_accuracy(count_correct(load_subnet(), x, y), len(x))


if __name__ == "__main__":
    main()
