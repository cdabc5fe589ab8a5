"""Run this subnet on sounds or other series. Needs torch, numpy and safetensors.

    python predict.py test.npz       one JSON line: accuracy, correct, n
    python predict.py sound.wav      the classes with their probabilities
    python predict.py a.wav b.wav    a table: file, class, probability, then every class (CSV)
    python predict.py folder         the same for every .wav file in the folder and below it

The .npz file holds x, (n, channels, length) or (n, length): numbers, a sound from -1 to 1, silence as zeros;
and y, (n,): class indices. A .wav file holds PCM of 8, 16, 24 or 32 bits at any rate; its channels are
averaged, it is brought to the rate of the training data, and cut to its loudest stretch or filled up with
silence. The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.datasets.waves import fitted, read_wave, resampled
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

ENDING = ".wav"
MOST_FILE_BYTES = 256 * 2**20


def to_series(x: Any, shape: tuple[int, ...]) -> Tensor:
    """Float32 series (n, c, t) from an array; shape is the (c, t) the subnet takes."""
    if x.ndim == 2 and shape[0] == 1:
        x = x[:, None]
    if x.ndim != 3 or x.shape[1:] != shape or len(x) == 0:
        fail(f"x has shape {x.shape}; this subnet takes (n, {', '.join(map(str, shape))}) with n at least 1.")
    if not np.issubdtype(x.dtype, np.floating):
        fail(f"x holds {x.dtype} values; use floating-point numbers, a sound from -1 to 1.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(x).all():
        fail("x holds numbers that are not finite.")
    return torch.from_numpy(x)


def trained_rate() -> int:
    """Samples per second of the training data; 0 where they have none."""
    try:
        return int(read_about()["data"]["rate"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def read_sound(path: Path, shape: tuple[int, ...], rate: int) -> Any:
    """A sound file as (1, 1, t) float32, as the training data were read."""
    if shape[0] != 1 or not rate:
        fail("this subnet does not take sounds; give it an .npz file.")
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise ValueError(f"it has more than {MOST_FILE_BYTES >> 20} MB")
        samples, own = read_wave(path.read_bytes())
    except (OSError, ValueError) as error:
        fail(f"{path.name} cannot be read: {error}.")
    return fitted(resampled(samples, own, rate), shape[1])[None, None]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on sounds or other series.")
    parser.add_argument(
        "file",
        type=Path,
        nargs="+",
        help="an .npz file with arrays x and y, or .wav files, or a folder of them",
    )
    options, shape, classes = started(parser, arguments)
    path: Path = options.file[0]
    rate = trained_rate()

    def read(path: Path) -> Any:
        return read_sound(path, shape, rate)

    def ready(x: Any) -> Tensor:
        return to_series(x, shape)

    if len(options.file) > 1 or path.is_dir():
        sounds = files_in(options.file, (ENDING,), ".wav file")
        if failed := print_table(load_subnet, sounds, read, ready, classes):
            fail(f"{failed} of the sounds could not be read; the lines above name them.")
        return
    if path.suffix.lower() == ENDING:
        x = ready(read(path))
        print_classes(load_subnet(), x, classes)
        return
    arrays = read_arrays(path, {"x": "series", "y": "labels"}, hint=" (sounds end in .wav)")
    x = to_series(arrays["x"], shape)
    y = to_labels(arrays["y"], len(x), len(classes), "clips")
    print_accuracy(count_correct(load_subnet(), x, y), len(y))


if __name__ == "__main__":
    main()
