"""Run this subnet on texts. Needs torch, numpy and safetensors (and tokenizers, for texts as they are written).

    python predict.py test.npz       one JSON line: accuracy, correct, n
    python predict.py "some text"    the classes with their probabilities
    python predict.py some.txt       the same for a text file
    python predict.py rows.csv       a table: row, class, probability, then every class (CSV); of a column called text
    python predict.py a.txt b.txt    the same for every file; a folder stands for the .txt files in it

The .npz file holds x, (n, length): whole numbers, one per token, 0 where a text has ended; y, (n,): class
indices; and, if other tokens are to be left out as well, mask, (n, length): true where a token counts. The
other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.export.predicting.common import (
    count_correct,
    described,
    fail,
    load_subnet,
    logits,
    print_accuracy,
    read_arrays,
    to_labels,
)
from core.export.predicting.files import as_text, files_in, print_classes
from core.export.predicting.texts import load_tokenizer, numbers, read_text


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


def ready(texts: list[str], tokenizer: Any, length: int) -> tuple[Tensor, Tensor]:
    """Token numbers (n, length) and which of them count, of texts."""
    tokens = np.zeros((len(texts), length), np.int64)
    counts = np.zeros((len(texts), length), np.bool_)
    for row, text in enumerate(texts):
        found = numbers(tokenizer, text, length)
        tokens[row, : len(found)] = found
        counts[row, : max(1, len(found))] = True  # a text of no tokens has one, so that something is read
    return torch.from_numpy(tokens), torch.from_numpy(counts)


def read_rows(path: Path) -> list[str]:
    """The column `text` of a table."""
    rows = csv.DictReader(
        read_text(path).splitlines(keepends=True), delimiter="\t" if path.suffix.lower() == ".tsv" else ","
    )
    try:
        found = [str(row["text"] or "") for row in rows]
    except KeyError:
        fail(f"{path.name} has no column called text; name it so in the first line.")
    except csv.Error:
        fail(f"{path.name} cannot be read as a table.")
    if not found:
        fail(f"{path.name} holds no rows below its first line.")
    return found


def print_texts(names: list[str], texts: list[str], length: int, classes: list[str]) -> None:
    """A line per text: what it is called, its class with the probability, then every class."""
    tokenizer, net = load_tokenizer(), load_subnet()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["text", "class", "probability", *map(as_text, classes)])
    shares = torch.softmax(logits(net, ready(texts, tokenizer, length)).double(), 1).tolist()
    for name, row in zip(names, shares, strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        told = [f"{share:.4f}" for share in row]
        table.writerow([as_text(name), as_text(classes[best]), told[best], *told])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on texts.")
    parser.add_argument(
        "file",
        nargs="+",
        help="a text; or .txt files or folders of them, a .csv or .tsv file, or an .npz file with arrays x (tokens) and y",
    )
    given = parser.parse_args(arguments).file
    shape, classes = described()
    path = Path(given[0])
    if len(given) > 1 or path.suffix.lower() == ".txt" or (len(given[0]) < 256 and path.is_dir()):
        files = files_in([Path(each) for each in given], (".txt",), "text file")
        texts = [read_text(each) for each in files]
        if len(given) == 1 and not path.is_dir():
            print_classes(load_subnet(), ready(texts, load_tokenizer(), shape[0]), classes)
        else:
            print_texts([str(each) for each in files], texts, shape[0], classes)
    elif path.suffix.lower() in (".csv", ".tsv"):
        texts = read_rows(path)
        print_texts([str(number) for number in range(1, len(texts) + 1)], texts, shape[0], classes)
    elif path.suffix.lower() == ".npz":
        count(path, shape, classes)
    else:
        print_classes(load_subnet(), ready(given, load_tokenizer(), shape[0]), classes)


def count(path: Path, shape: tuple[int, ...], classes: list[str]) -> None:
    """The accuracy on arrays of a file."""
    warnings.simplefilter("ignore")  # numpy warns about odd files before it refuses them
    if not path.is_file():
        fail(f"there is no file {path}.")
    arrays = read_arrays(path, {"x": "tokens", "y": "labels"}, optional=("mask",))
    net = load_subnet()
    mask = arrays["mask"] if "mask" in arrays else arrays["x"] != 0
    texts = to_texts(arrays["x"], mask, shape[0], int(net[0].token.num_embeddings))  # type: ignore[index,union-attr]
    y = to_labels(arrays["y"], len(texts[0]), len(classes), "texts")
    print_accuracy(count_correct(net, texts, y), len(y))


if __name__ == "__main__":
    main()
