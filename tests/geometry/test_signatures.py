"""Signatures: near means that the same samples moved alike, and the tree spans all of them."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.geometry.signatures import PARTS, shared_edges, signature_map, signatures


def one(rng: np.random.Generator, n: int = 50) -> dict[str, np.ndarray]:
    return {name: rng.standard_normal(n) * scale for name, scale in zip(PARTS, (1, 100, 0.01), strict=True)}


def test_no_quantity_outweighs_another() -> None:
    rng = np.random.default_rng(0)
    found = signatures([one(rng) for _ in range(6)])
    assert found.shape == (6, 150)
    assert [found[:, i * 50 : (i + 1) * 50].std() for i in range(3)] == pytest.approx([1, 1, 1])


def test_planted_groups_lie_together_and_the_tree_joins_them_by_one_edge() -> None:
    rng = np.random.default_rng(1)
    groups = [one(rng) for _ in range(3)]
    each, labels = [], []
    for index in range(12):
        base = groups[index % 3]
        each.append({n: v + 0.1 * v.std() * rng.standard_normal(len(v)) for n, v in base.items()})
        labels.append(str(index % 3))
    found = signature_map(signatures(each))
    assert found.edges.shape == (11, 2)
    assert shared_edges(found.edges, labels) == pytest.approx(9 / 11)
    assert found.explained > 0.9
    distances = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    same = np.array([[a == b for b in labels] for a in labels])
    assert distances[same].max() < distances[~same].min()


def test_the_tree_is_a_tree_even_where_signatures_coincide() -> None:
    rng = np.random.default_rng(2)
    twin = one(rng)
    found = signature_map(signatures([twin, twin, one(rng), twin]))
    assert len(found.edges) == 3
    assert len({int(i) for edge in found.edges for i in edge}) == 4


def test_edges() -> None:
    assert signature_map(signatures([])).points.shape == (0, 2)
    assert signature_map(signatures([one(np.random.default_rng(0))])).points.tolist() == [[0, 0]]
    assert np.isnan(shared_edges(np.zeros((0, 2), np.intp), []))
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidInput):
        signatures([one(rng, 5), one(rng, 6)])
