"""Run this subnet on windows of text. Needs torch, numpy and safetensors.

    python predict.py test.npz       one JSON line: accuracy, correct, n, bits_per_token, bits_per_byte

The .npz file holds x, (n, length): token numbers; scored, (n, p): ascending positions whose next token is told;
y, (n, p): those next tokens; and, for bits per byte, bytes, (n,): how many bytes of text the p tokens of a window
stand for together. The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.export.predicting.common import BATCH, fail, load_subnet, read_arrays, started


def to_windows(x: Any, scored: Any, y: Any, vocabulary: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (n, length), scored positions (n, p) and next tokens (n, p), all int64, from arrays."""
    if x.ndim != 2 or 0 in x.shape:
        fail(f"x has shape {x.shape}; this subnet takes (n, length) with n and length at least 1.")
    if scored.ndim != 2 or 0 in scored.shape or len(scored) != len(x) or y.shape != scored.shape:
        fail(f"scored has shape {scored.shape} and y {y.shape}; both need (n, p), with the n of x, {len(x)}.")
    for name, array, most in (("x", x, vocabulary), ("scored", scored, x.shape[1]), ("y", y, vocabulary)):
        if not np.issubdtype(array.dtype, np.integer):
            fail(f"{name} holds {array.dtype} values; use whole numbers from 0 to {most - 1}.")
        if array.min() < 0 or array.max() >= most:
            fail(f"{name} holds numbers outside 0 to {most - 1}.")
    tokens, at, told = (torch.from_numpy(each.astype(np.int64)) for each in (x, scored, y))
    return tokens, at, told


def to_bytes(array: Any, n: int) -> int:
    """All bytes that the targets stand for, from an array (n,)."""
    if array.shape != (n,) or not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        fail(f"bytes needs one whole number for each of the {n} windows.")
    return int(array.sum())


@torch.no_grad()
def told_right(net: nn.Module, tokens: Tensor, scored: Tensor, y: Tensor) -> tuple[int, float]:
    """At how many positions the next token is told right, and the sum of the losses of all in nats."""
    correct, nats = 0, 0.0
    for start in range(0, len(tokens), BATCH):
        rows = slice(start, start + BATCH)
        logits = net((tokens[rows], scored[rows]))
        correct += int((logits.argmax(-1) == y[rows]).sum())
        losses = nn.functional.cross_entropy(logits.flatten(0, 1), y[rows].flatten(), reduction="none")
        nats += float(losses.double().sum())
    return correct, nats


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on windows of text.")
    parser.add_argument("file", type=Path, help="an .npz file with arrays x (tokens), scored and y")
    options, _, classes = started(parser, arguments)
    wanted = {"x": "tokens", "scored": "positions", "y": "next tokens"}
    arrays = read_arrays(options.file, wanted, optional=("bytes",))
    tokens, scored, y = to_windows(arrays["x"], arrays["scored"], arrays["y"], len(classes))
    bytes_told = to_bytes(arrays["bytes"], len(tokens)) if "bytes" in arrays else 0
    net = load_subnet()
    most = int(net[0].context)  # type: ignore[index,union-attr]
    if tokens.shape[1] > most:
        fail(f"x has windows of {tokens.shape[1]} tokens; this subnet knows {most} positions.")
    correct, nats = told_right(net, tokens, scored, y)
    found = {"accuracy": correct / y.numel(), "correct": correct, "n": y.numel()}
    found["bits_per_token"] = nats / math.log(2) / y.numel()
    if bytes_told:
        found["bits_per_byte"] = nats / math.log(2) / bytes_told
    print(json.dumps(found))


if __name__ == "__main__":
    main()
