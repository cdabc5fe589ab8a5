"""Run this subnet on texts. Needs torch, numpy and safetensors.

    python predict.py test.npz       one JSON line: accuracy, correct, n

The .npz file holds x, (n, length): whole numbers, one per token, 0 where a text has ended; y, (n,): class
indices; and, if other tokens are to be left out as well, mask, (n, length): true where a token counts. The
other files of the download lie beside this one.
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
    read_arrays,
    started,
    to_labels,
)


def to_texts(x: Any, mask: Any, length: int, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Token numbers (n, length) int64 and which of them count, from arrays."""
    if x.ndim != 2 or x.shape[1] > length or 0 in x.shape:
        fail(f"x has shape {x.shape}; this subnet takes (n, {length}) with n at least 1.")
    if not np.issubdtype(x.dtype, np.integer):
        fail(f"x holds {x.dtype} values; use whole numbers from 0 to {vocabulary - 1}.")
    if x.min() < 0 or x.max() >= vocabulary:
        fail(f"x holds tokens outside 0 to {vocabulary - 1}.")
    if mask.shape != x.shape or mask.dtype != np.bool_:
        fail(f"mask needs the shape of x, {x.shape}, and values that are true or false.")
    tokens = np.zeros((len(x), length), np.int64)
    counts = np.zeros((len(x), length), np.bool_)
    tokens[:, : x.shape[1]], counts[:, : x.shape[1]] = x, mask
    return torch.from_numpy(tokens), torch.from_numpy(counts)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on texts.")
    parser.add_argument("file", type=Path, help="an .npz file with arrays x (tokens) and y")
    options, shape, classes = started(parser, arguments)
    arrays = read_arrays(options.file, {"x": "tokens", "y": "labels"}, optional=("mask",))
    net = load_subnet()
    mask = arrays["mask"] if "mask" in arrays else arrays["x"] != 0
    texts = to_texts(arrays["x"], mask, shape[0], int(net[0].token.num_embeddings))  # type: ignore[index,union-attr]
    y = to_labels(arrays["y"], len(texts[0]), len(classes), "texts")
    print_accuracy(count_correct(net, texts, y), len(y))


if __name__ == "__main__":
    main()
