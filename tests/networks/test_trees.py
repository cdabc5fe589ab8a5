"""Trees of arrays: rows, joins, and the way to a file of arrays and back."""

from __future__ import annotations

import numpy as np
import torch

from core.networks.trees import as_tensors, flat, joined, leaves, map_leaves, n_rows, rows_of, unflat

X = np.arange(12, dtype=np.float32).reshape(6, 2)
TREE = {"ids": np.arange(6), "more": (X, [X + 1])}


def test_rows_are_taken_of_every_leaf_and_joined_again() -> None:
    parts = [rows_of(TREE, slice(0, 4)), rows_of(TREE, slice(4, 6))]
    assert [n_rows(part) for part in parts] == [4, 2]
    again = joined(parts)
    assert isinstance(again["more"], tuple)
    assert isinstance(again["more"][1], list)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(again), leaves(TREE), strict=True))
    picked = rows_of(TREE, np.arange(6) % 2 == 0)
    assert picked["ids"].tolist() == [0, 2, 4]


def test_tensors_share_memory_but_for_read_only_arrays() -> None:
    x = X.copy()
    made = as_tensors((x, torch.ones(2)))
    x[0, 0] = 99
    assert made[0][0, 0] == 99
    x.flags.writeable = False
    copied = as_tensors(x)
    assert copied.data_ptr() != made[0].data_ptr()
    assert torch.equal(joined([copied, made[0]]), torch.cat([copied, made[0]]))


def test_a_file_of_arrays_gives_the_tree_back() -> None:
    again = unflat(flat(map_leaves(torch.from_numpy, TREE)))
    assert set(flat(TREE)) == {"inputs/ids", "inputs/more/0", "inputs/more/1/0"}
    assert isinstance(again["more"], tuple)
    assert all(np.array_equal(a, b) for a, b in zip(leaves(again), leaves(TREE), strict=True))
    assert np.array_equal(unflat(flat(X)), X)
