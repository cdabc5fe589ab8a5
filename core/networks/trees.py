"""Inputs of a network are a tensor, or tensors in tuples and dictionaries, each with one row per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with the function applied to every array or tensor in it."""
    if isinstance(tree, dict):
        return {name: map_leaves(function, value) for name, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(map_leaves(function, value) for value in tree)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    """Every array or tensor of a tree, in a fixed order."""
    found: list[Any] = []
    map_leaves(found.append, tree)
    return found


def rows_of(tree: Any, index: Any) -> Any:
    """Some rows of every leaf: a slice, positions or a mask."""
    return map_leaves(lambda leaf: leaf[index], tree)


def n_rows(tree: Any) -> int:
    """Rows of a tree, those of its first leaf."""
    return len(leaves(tree)[0])


def as_tensors(tree: Any) -> Any:
    """Arrays as tensors that share their memory; a read-only array is copied, which torch asks for."""
    return map_leaves(_tensor, tree)


def joined(trees: Sequence[Any]) -> Any:
    """Trees of one structure, leaf by leaf under each other."""
    first = trees[0]
    if isinstance(first, dict):
        return {name: joined([tree[name] for tree in trees]) for name in first}
    if isinstance(first, tuple | list):
        return type(first)(joined([tree[i] for tree in trees]) for i in range(len(first)))
    if isinstance(first, Tensor):
        return torch.cat(list(trees))
    return np.concatenate(list(trees))


def _tensor(leaf: Any) -> Tensor:
    if isinstance(leaf, Tensor):
        return leaf
    return torch.from_numpy(leaf if leaf.flags.writeable else leaf.copy())


def flat(tree: Any, name: str = "inputs") -> dict[str, Any]:
    """The leaves as NumPy arrays by their path ("inputs/0/mask"), for a file of arrays."""
    if isinstance(tree, dict):
        return {k: v for key, part in tree.items() for k, v in flat(part, f"{name}/{key}").items()}
    if isinstance(tree, tuple | list):
        return {k: v for i, part in enumerate(tree) for k, v in flat(part, f"{name}/{i}").items()}
    return {name: tree.numpy() if isinstance(tree, Tensor) else tree}


def unflat(arrays: dict[str, Any], name: str = "inputs") -> Any:
    """The tree that `flat` wrote; lists come back as tuples."""
    if name in arrays:
        return arrays[name]
    keys = list(dict.fromkeys(k[len(name) + 1 :].split("/")[0] for k in arrays if k.startswith(f"{name}/")))
    parts = {key: unflat(arrays, f"{name}/{key}") for key in keys}
    return tuple(parts.values()) if all(key.isdecimal() for key in keys) else parts
