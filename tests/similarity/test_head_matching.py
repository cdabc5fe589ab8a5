"""Heads of two layers: the definition, what no rotation changes, permutations found, what is left over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.similarity.base import Undefined
from core.similarity.head_matching import head_match


def outputs(rows: int = 200, heads: int = 4, size: int = 3, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, heads, size)) + 5


def by_gram_matrices(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Linear CKA as it is defined, by (n, n) matrices of inner products."""
    n = len(x)
    center = np.eye(n) - 1 / n
    k, m = (center @ z @ z.T @ center for z in (x, y))
    return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def test_every_pair_is_the_definition() -> None:
    x, y = outputs(60, 3, 4, 1), outputs(60, 2, 5, 2)
    y[:, 0, :4] += x[:, 1]
    values = head_match(x, y).values
    for i in range(3):
        for j in range(2):
            assert values[i, j] == pytest.approx(by_gram_matrices(x[:, i], y[:, j]), abs=1e-10)


def test_permuted_and_rotated_heads_are_found_again() -> None:
    x, order = outputs(), np.array([2, 0, 3, 1])
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    found = head_match(x, -2 * x[:, order] @ turn + 7)
    assert order[found.matching.columns].tolist() == found.matching.rows.tolist()
    assert found.matching.values == pytest.approx(np.ones(4))
    assert found.left_over == ([], [])
    assert found.chance[0] < 0.1
    assert found.chance[1] > 0


def test_heads_without_a_partner_are_left_over() -> None:
    x = outputs(heads=4)
    found = head_match(x, x[:, [3, 1]])
    assert found.values.shape == (4, 2)
    assert found.left_over == ([0, 2], [])
    assert head_match(x[:, [3, 1]], x).left_over == ([], [0, 2])


def test_a_constant_head_is_like_no_other() -> None:
    x, y = outputs(seed=1), outputs(seed=2)
    x[:, 2] = 1 / 3
    assert not head_match(x, y).values[2].any()
    with pytest.raises(Undefined, match="same on all"):
        head_match(np.full_like(x, 1 / 3), y)


def test_few_or_different_rows_have_no_value() -> None:
    with pytest.raises(Undefined, match="at least 8 rows; there are 7"):
        head_match(outputs(7), outputs(7))
    with pytest.raises(Undefined, match="20 and 30 rows"):
        head_match(outputs(20), outputs(30))
