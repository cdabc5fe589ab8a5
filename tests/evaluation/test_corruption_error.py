"""Corruption errors and redundant benchmarks against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.evaluation.corruption_error import mean_corruption_error, redundant


def test_mean_corruption_error() -> None:
    reference = {"fog": [0.1, 0.3], "snow": [0.2, 0.2]}
    assert mean_corruption_error(reference, reference).mean == 1
    found = mean_corruption_error({"fog": [0.2, 0.6], "snow": [0.1, 0.1]}, reference)
    assert dict(found.by_corruption) == pytest.approx({"fog": 2.0, "snow": 0.5})
    assert found.mean == pytest.approx(1.25)
    partly = mean_corruption_error({"fog": [0.1], "snow": [0.1]}, {"fog": [0.0], "snow": [0.2]})
    assert partly.mean == 0.5
    assert "fog" in partly.reason
    nothing = mean_corruption_error({"fog": [0.1]}, {"fog": [0.0]})
    assert np.isnan(nothing.mean)
    assert nothing.reason.endswith(".")
    with pytest.raises(InvalidInput):
        mean_corruption_error({"fog": [0.1]}, reference)


def test_planted_redundant_benchmarks_cluster_together() -> None:
    rng = np.random.default_rng(1)
    sources = rng.random((3, 600)) < 0.4
    signatures = {}
    for index, source in enumerate(sources):
        for copy in range(2):
            flipped = rng.random(600) < 0.05
            signatures[f"{'abc'[index]}{copy}"] = (source ^ flipped).reshape(3, 200)
    signatures["nobody fails"] = np.zeros((3, 200), bool)
    found = redundant(signatures)
    assert {frozenset(cluster) for cluster in found.clusters} == {
        frozenset({"a0", "a1"}),
        frozenset({"b0", "b1"}),
        frozenset({"c0", "c1"}),
    }
    assert "nobody fails" in found.reason
    assert "nobody fails" not in found.names
    assert sorted(found.order) == list(range(6))
    assert found.linkage.shape == (5, 4)
    np.testing.assert_allclose(
        found.distance[0, 1], 1 - np.corrcoef(signatures["a0"].ravel(), signatures["a1"].ravel())[0, 1]
    )
    assert redundant({"a": sources[0]}).clusters == (("a",),)
    with pytest.raises(InvalidInput):
        redundant({"a": sources[0], "b": sources[1][:5]})
