"""Run this subnet on images. Needs torch, numpy and safetensors (and Pillow for pictures).

    python predict.py test.npz       one JSON line: accuracy, correct, n
    python predict.py picture.png    the classes with their probabilities

The .npz file holds x, (n, channels, height, width) or (n, height, width): float from 0 to 1 or uint8
from 0 to 255; and y, (n,): class indices. The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn


def fail(message: str) -> NoReturn:
    """End with one plain sentence and exit status 2."""
    print(f"predict.py: {message}", file=sys.stderr)
    raise SystemExit(2)


try:
    import numpy as np
    import torch
    from torch import Tensor, nn
except ImportError as missing:
    fail(f"{missing.name} is not installed; try: pip install torch numpy safetensors")

HERE = Path(__file__).resolve().parent
# Always the same: the last bits of a result can depend on how many images go through together.
BATCH = 256
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# Pillow knows sixty formats; some start other programs or take minutes over a kilobyte.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MOST_PIXELS = 50_000_000
MOST_BYTES = 4 * 2**30


@torch.no_grad()
def logits(net: nn.Module, x: Tensor) -> Tensor:
    """Outputs (n, classes) for images (n, c, h, w) in [0, 1], in batches of one fixed size."""
    return torch.cat([net(x[start : start + BATCH]) for start in range(0, len(x), BATCH)])


def count_correct(net: nn.Module, x: Tensor, y: Tensor) -> int:
    """How many of the images get their label's class."""
    return int((logits(net, x).argmax(1) == y).sum())


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


def to_labels(y: Any, n: int, classes: int) -> Tensor:
    """Class indices (n,) from an array."""
    if y.shape != (n,):
        fail(f"y has shape {y.shape}; it needs one label for each of the {n} images.")
    if not np.issubdtype(y.dtype, np.integer):
        fail(f"y holds {y.dtype} values; use whole numbers from 0 to {classes - 1}.")
    if y.min() < 0 or y.max() >= classes:
        fail(f"y holds labels outside 0 to {classes - 1}.")
    return torch.from_numpy(y.astype(np.int64))


def read_arrays(path: Path) -> tuple[Any, Any]:
    """The arrays x and y of an .npz file; nothing in it is ever executed."""
    try:
        # Opened here: numpy leaves a file that it cannot read open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if "x" not in file or "y" not in file:
                fail(f"{path.name} must hold arrays named x (images) and y (labels).")
            if sum(member.file_size for member in file.zip.infolist()) > MOST_BYTES:
                fail(f"{path.name} unpacks to more than {MOST_BYTES >> 30} GB; give it in parts.")
            x, y = file["x"], file["y"]
    except Exception:  # zipfile, zlib and numpy raise a dozen kinds over a damaged file; all mean the same
        fail(
            f"{path.name} cannot be read as an .npz file of plain number arrays (pictures end in .png, .jpg, "
            ".bmp, .gif or .webp)."
        )
    if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
        fail(f"{path.name} holds an x or y that is not a NumPy array.")
    return x, y


def read_picture(path: Path, shape: tuple[int, ...]) -> Any:
    """A picture as (1, c, h, w) uint8: turned upright, resized; what is transparent counts as black."""
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
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except Exception:  # as for arrays: whatever Pillow says about a damaged picture means the same
        fail(f"{path.name} cannot be read as a PNG, JPEG, BMP, GIF or WebP picture.")
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    flat = Image.alpha_composite(black, picture).convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(flat.resize((width, height), Image.Resampling.BILINEAR))
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)[None]


def load_subnet() -> nn.Module:
    """The network of this folder, in eval mode."""
    sys.path.insert(0, str(HERE))
    try:
        from model import load
    except ImportError as missing:
        if missing.name == "model":
            fail(f"model.py is missing; keep the files of the download together in {HERE}.")
        fail(f"{missing.name} is not installed; try: pip install torch numpy safetensors")
    try:
        net: nn.Module = load(HERE / "model.safetensors")
    except Exception as error:
        fail(
            f"the weights in model.safetensors cannot be loaded ({type(error).__name__}); unpack the download again."
        )
    return net


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on images.")
    parser.add_argument("file", type=Path, help="an .npz file with arrays x and y, or a picture")
    parser.add_argument("--invert", action="store_true", help="picture: swap dark and bright first")
    options = parser.parse_args(arguments)
    # Pillow and numpy warn about odd files before they refuse them; one sentence is enough.
    warnings.simplefilter("ignore")
    path: Path = options.file
    if not path.is_file():
        fail(f"there is no file {path}.")
    try:
        about = json.loads((HERE / "architecture.json").read_text(encoding="utf-8"))
        shape, classes = tuple(about["input_shape"]), list(about["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        fail(f"architecture.json is missing or damaged; keep the files of the download together in {HERE}.")
    if path.suffix.lower() in PICTURES:
        pixels = read_picture(path, shape)
        x = to_images(255 - pixels if options.invert else pixels, shape)
        shares = torch.softmax(logits(load_subnet(), x)[0].double(), 0).tolist()
        for index in sorted(range(len(classes)), key=lambda i: -shares[i]):
            print(f"{shares[index]:.4f}  {classes[index]}")
        return
    images, labels = read_arrays(path)
    x = to_images(images, shape)
    y = to_labels(labels, len(x), len(classes))
    correct = count_correct(load_subnet(), x, y)
    print(json.dumps({"accuracy": correct / len(x), "correct": correct, "n": len(x)}))


if __name__ == "__main__":
    main()
