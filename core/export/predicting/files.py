"""What scripts share that take a person's files one by one."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.export.predicting.common import BATCH, fail, logits


def files_in(paths: Sequence[Path], endings: Sequence[str], one: str, listed: str = "") -> list[Path]:
    """The files named, and those of these endings in the folders named, each once, in order.

    `one` is what such a file is called; `listed` may say which there are.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found.update(
            (each, None)
            for each in inside
            if not path.is_dir() or (each.suffix.lower() in endings and each.is_file())
        )
    if others := [path for path in found if path.suffix.lower() not in endings]:
        fail(f"{others[0].name} is no {one}; give one .npz file alone, or {one}s{listed}.")
    if not found:
        fail(f"there is no {one} in {paths[0]}{listed}.")
    return list(found)


def print_table(
    load: Any,
    paths: Sequence[Path],
    read: Callable[[Path], Any],
    ready: Callable[[Any], Tensor],
    classes: list[str],
) -> int:
    """A line per file; returns how many could not be read, each with its sentence on standard error.

    `read` gives the one row of a file, `ready` makes the network's input of several.
    """
    net, failed = load(), 0
    with _reader_may_leave():
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(["file", "class", "probability", *map(as_text, classes)])
        for start in range(0, len(paths), BATCH):
            rows: list[tuple[Path, Any]] = []
            for path in paths[start : start + BATCH]:
                try:
                    rows.append((path, read(path)))
                except SystemExit:  # said; the others are wanted all the same
                    failed += 1
            if not rows:
                continue
            inputs = ready(np.concatenate([each for _, each in rows]))
            shares = torch.softmax(logits(net, inputs).double(), 1)
            for (path, _), row in zip(rows, shares.tolist(), strict=True):
                best = max(range(len(row)), key=row.__getitem__)
                told = [f"{share:.4f}" for share in row]
                table.writerow([as_text(str(path)), as_text(classes[best]), told[best], *told])
    return failed


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Whoever reads what is printed may have enough of it: `predict.py folder | head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_text(name: str) -> str:
    """A name in a table: no spreadsheet takes it for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


def print_classes(net: Any, x: Any, classes: list[str]) -> None:
    """The classes of one sample with their probabilities, the likeliest first."""
    shares = torch.softmax(logits(net, x)[0].double(), 0).tolist()
    for index in sorted(range(len(classes)), key=lambda i: -shares[i]):
        print(f"{shares[index]:.4f}  {classes[index]}")
