"""Maps: planted distances come back, rotations are undone, the same seed gives the same picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA

from core.errors import InvalidInput
from core.geometry.embedding import (
    Projection,
    classical_mds,
    neighborhood_overlap,
    sample_maps,
    umap_of_distances,
)


@pytest.fixture
def planar() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((30, 2)) * [3, 1]


def test_planar_distances_come_back_exactly(planar: np.ndarray) -> None:
    found = classical_mds(squareform(pdist(planar)))
    assert np.allclose(pdist(found.points), pdist(planar), atol=1e-8)
    assert found.explained == pytest.approx(1)
    assert found.stress == pytest.approx(0, abs=1e-8)
    assert found.points[:, 0].std() > found.points[:, 1].std()


def test_two_dimensions_of_many_are_said_to_be_few() -> None:
    points = np.random.default_rng(1).standard_normal((60, 20))
    found = classical_mds(squareform(pdist(points)))
    assert found.explained < 0.35
    assert found.stress > 0.3


def test_the_picture_does_not_flip(planar: np.ndarray) -> None:
    d = squareform(pdist(planar))
    again = classical_mds(squareform(pdist(planar * [-1, 1])))
    assert np.allclose(classical_mds(d).points, again.points, atol=1e-8)
    farthest = np.abs(again.points).argmax(0)
    assert (again.points[farthest, [0, 1]] > 0).all()


def test_degenerate_maps() -> None:
    assert np.allclose(classical_mds(np.zeros((3, 3))).points, 0)
    assert classical_mds([[0, 2], [2, 0]]).points[:, 1] == pytest.approx([0, 0], abs=1e-9)
    for broken in ([[0]], [[0, np.nan], [np.nan, 0]], [[0, 1], [2, 0]], np.zeros((2, 3))):
        with pytest.raises(InvalidInput):
            classical_mds(broken)


def test_a_rotated_copy_has_no_disparity() -> None:
    rng = np.random.default_rng(2)
    x = np.maximum(rng.standard_normal((100, 8)), 0)
    rotation, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    found = sample_maps(x, 5 * x @ rotation + 3)
    assert found.disparity < 1e-12
    assert np.allclose(found.a, found.b, atol=1e-10)
    assert (found.overlap == 1).all()
    assert found.explained_a == pytest.approx(found.explained_b)


def test_disparity_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((80, 6))
    y = x @ rng.standard_normal((6, 6)) + 0.5 * rng.standard_normal((80, 6))
    assert sample_maps(x, y).disparity == pytest.approx(procrustes(x, y)[2], abs=1e-10)


def test_widths_may_differ() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 3))
    wide = np.hstack([x, np.zeros((60, 5))]) @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
    for pair in ((x, wide), (wide, x)):
        assert sample_maps(*pair).disparity < 1e-12


def test_a_projection_of_its_reference_is_principal_components() -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((50, 6)) * [5, 3, 1, 1, 1, 1] + 2
    projection = Projection.fit(x)
    moved, disparity = projection.transform(x)
    assert disparity < 1e-12
    assert np.allclose(moved, projection.points(), atol=1e-10)
    expected = PCA(2).fit_transform(x) / np.linalg.norm(x - x.mean(0)) * np.sqrt(50)
    assert np.allclose(np.abs(moved), np.abs(expected), atol=1e-10)


def test_more_units_than_samples_is_the_same_map() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((30, 200)), rng.standard_normal((30, 90))
    found = sample_maps(x, y)
    assert found.disparity == pytest.approx(procrustes(x, np.pad(y, ((0, 0), (0, 110))))[2], abs=1e-10)
    assert np.allclose(
        np.abs(found.a), np.abs(PCA(2).fit_transform(x)) / np.linalg.norm(x - x.mean(0)) * np.sqrt(30)
    )


def test_one_unit_is_a_line() -> None:
    x = np.arange(12.0)[:, None]
    found = sample_maps(x, np.hstack([-x, x]))
    assert found.disparity < 1e-12
    assert np.allclose(found.a[:, 1], 0)
    assert np.allclose(found.a, found.b)


def test_overlap_by_brute_force() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 4))
    found = neighborhood_overlap(x, y, 5)
    for i in range(40):
        near = [
            set(sorted((j for j in range(40) if j != i), key=lambda j, z=z: np.linalg.norm(z[i] - z[j]))[:5])  # type: ignore[misc]
            for z in (x, y)
        ]
        assert found[i] == len(near[0] & near[1]) / 5


def test_layers_without_a_map_say_so() -> None:
    with pytest.raises(InvalidInput, match="constant"):
        sample_maps(np.ones((10, 2)), np.random.default_rng(0).random((10, 2)))
    with pytest.raises(InvalidInput, match="same samples"):
        sample_maps(np.eye(10), np.eye(9))


@pytest.mark.slow
def test_umap_keeps_clusters_and_repeats() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat([0, 1, 2], 15)
    points = rng.standard_normal((45, 5)) + 12 * np.eye(5)[groups]
    d = squareform(pdist(points))
    threads = torch.get_num_threads()
    found, again = (umap_of_distances(d, neighbors=8, epochs=100, seed=1).points for _ in range(2))
    assert np.array_equal(found, again)
    # Its loops run in torch's pool.
    assert torch.get_num_threads() == threads
    centers = np.stack([found[groups == g].mean(0) for g in range(3)])
    nearest = np.linalg.norm(found[:, None] - centers, axis=2).argmin(1)
    assert (nearest == groups).all()
    with pytest.raises(InvalidInput, match="four points"):
        umap_of_distances(np.zeros((3, 3)))
