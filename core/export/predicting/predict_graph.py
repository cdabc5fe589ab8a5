"""Run this subnet on a graph. Needs torch, numpy and safetensors.

    python predict.py test.npz       one JSON line: accuracy, correct, n

The .npz file holds x, (nodes, features): numbers; edges, (2, e): node numbers, from and to, each edge of
an undirected graph in both directions; and y, (k,): class indices of the first k nodes, those that are
counted. The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.export.predicting.common import (
    fail,
    load_subnet,
    print_accuracy,
    read_arrays,
    started,
    to_labels,
)


def to_graph(x: Any, edges: Any, features: int) -> tuple[Tensor, Tensor]:
    """Features (nodes, f) float32 and edges (2, e) int64, from arrays."""
    if x.ndim != 2 or x.shape[1] != features or len(x) == 0:
        fail(f"x has shape {x.shape}; this subnet takes (nodes, {features}) with at least 1 node.")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        fail(f"x holds {x.dtype} values; use numbers.")
    x = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(x).all():
        fail("x holds numbers that are not finite.")
    if edges.ndim != 2 or edges.shape[0] != 2 or not np.issubdtype(edges.dtype, np.integer):
        fail(f"edges has shape {edges.shape} of {edges.dtype}; it needs (2, e) whole numbers, from and to.")
    if edges.size and (edges.min() < 0 or edges.max() >= len(x)):
        fail(f"edges names nodes outside 0 to {len(x) - 1}.")
    return torch.from_numpy(x), torch.from_numpy(np.ascontiguousarray(edges, dtype=np.int64))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Run this subnet on a graph.")
    parser.add_argument("file", type=Path, help="an .npz file with arrays x (features), edges and y")
    options, shape, classes = started(parser, arguments)
    arrays = read_arrays(options.file, {"x": "features", "edges": "edges", "y": "labels"})
    graph = to_graph(arrays["x"], arrays["edges"], shape[0])
    counted = len(arrays["y"]) if arrays["y"].ndim == 1 else -1
    if not 1 <= counted <= len(graph[0]):
        fail(f"y has shape {arrays['y'].shape}; it needs one label for each of the first nodes, at least 1.")
    y = to_labels(arrays["y"], counted, len(classes), "nodes")
    with torch.no_grad():
        predicted = load_subnet()(graph).argmax(1)[:counted]
    print_accuracy(int((predicted == y).sum()), counted)


if __name__ == "__main__":
    main()
