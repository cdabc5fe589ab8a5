"""Rank correlations against counting every pair."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.rank_correlation import kendall, spearman

values = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(values, values), min_size=2, max_size=24))
@settings(max_examples=80, deadline=None)
def test_all_pairs_with_ties(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    signs = [
        (np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in itertools.combinations(range(len(a)), 2)
    ]
    untied = [sum(bool(pair[k]) for pair in signs) for k in (0, 1)]
    if not all(untied):
        assert kendall(a, b) is None
        assert spearman(a, b) is None
        return
    assert kendall(a, b) == pytest.approx(sum(x * y for x, y in signs) / math.sqrt(untied[0] * untied[1]))
    ranks = [
        [1 + sum(w < v for w in side) + (sum(w == v for w in side) - 1) / 2 for v in side] for side in (a, b)
    ]
    assert spearman(a, b) == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_the_same_and_the_opposite_order() -> None:
    order = np.random.default_rng(0).permutation(5000).astype(float)
    assert kendall(order, np.exp(order / 1000)) == spearman(order, 3 * order) == pytest.approx(1)
    assert kendall(order, -order) == pytest.approx(-1)
    assert kendall([], []) is spearman([1.0], [2.0]) is None
