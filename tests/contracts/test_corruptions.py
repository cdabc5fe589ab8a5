"""What every corruption promises, run on all that are registered."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from core.datasets import load_dataset
from core.datasets.corruptions import CORRUPTIONS, GROUPS, calibrate, corrupt
from core.errors import InvalidInput, NotFound

NAMES = CORRUPTIONS.names()
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 48)]


def pictures(shape: tuple[int, int, int], n: int = 12) -> NDArray[np.float32]:
    """Blobs of light at several places, with a little texture; never flat, read-only."""
    c, h, w = shape
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:h, :w]
    centers = rng.uniform(0.3, 0.7, (n, c, 2)) * [h, w]
    squared = (rows - centers[..., 0, None, None]) ** 2 + (columns - centers[..., 1, None, None]) ** 2
    x = 0.8 * np.exp(-squared / (0.03 * h * w)) + 0.15 * rng.random((n, c, h, w))
    images = np.clip(x, 0, 1).astype(np.float32)
    images.flags.writeable = False
    return images


def test_about_fifteen_in_four_groups() -> None:
    groups = [CORRUPTIONS.get(name).group for name in NAMES]
    assert len(NAMES) >= 15
    assert set(groups) == set(GROUPS)
    assert min(groups.count(group) for group in GROUPS) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_describes_itself(name: str) -> None:
    kind = CORRUPTIONS.get(name)
    assert kind.label
    assert kind.source
    assert kind.meaning
    assert kind.__doc__
    assert kind.strengths[0] > 0
    assert kind.strengths[-1] <= 1
    assert all(a < b for a, b in pairwise(kind.strengths))
    assert len(kind.strengths) == 5


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_any_size_any_color(name: str, shape: tuple[int, int, int]) -> None:
    x, ids = pictures(shape), np.arange(12) * 7
    previous = 0.0
    for severity in range(6):
        y = corrupt(x, name, severity, ids=ids, seed=3)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        assert y.min() >= 0
        assert y.max() <= 1
        assert not np.shares_memory(x, y)
        assert np.array_equal(y, corrupt(x, name, severity, ids=ids, seed=3)), (
            "the same seed, the same images"
        )
        distance = float(np.linalg.norm(y.astype(float) - x))
        assert distance == 0 if severity == 0 else distance > previous, (severity, previous, distance)
        previous = distance


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [1e-3, 0.37, 1.0])
def test_every_strength_and_no_matter_in_which_batch(name: str, strength: float) -> None:
    x, ids = pictures((3, 9, 8)), np.arange(100, 112)
    whole = corrupt(x, name, 5, ids=ids, strength=[strength] * 5)
    order = np.array([5, 2, 9])
    some = corrupt(x[order], name, 5, ids=ids[order], strength=[strength] * 5)
    np.testing.assert_array_equal(some, whole[order])
    for flat in (np.zeros_like(x), np.ones_like(x)):
        assert np.isfinite(corrupt(flat, name, 5, ids=ids, strength=[strength] * 5)).all()


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_by_seed_and_id_alone(name: str) -> None:
    x = np.repeat(pictures((1, 16, 16), 1), 2, axis=0)
    y = corrupt(x, name, 3, ids=[4, 5])
    again = corrupt(x, name, 3, ids=[4, 4])
    np.testing.assert_array_equal(again[0], again[1])
    has_chance = bool(CORRUPTIONS.get(name)().draw(np.random.default_rng(0), (1, 16, 16)))
    assert (not np.array_equal(y[0], y[1])) == has_chance
    other = corrupt(x, name, 3, ids=[4, 5], seed=1)
    assert (not np.array_equal(y, other)) == has_chance


def test_formulas() -> None:
    x = pictures((1, 16, 16))
    ids = np.arange(12)

    def at(name: str, strength: float, images: NDArray[np.float32] = x) -> NDArray[np.float32]:
        return corrupt(images, name, 5, ids=np.arange(len(images)), strength=[strength] * 5)

    np.testing.assert_allclose(at("brightness", 0.3), np.clip(x + 0.3, 0, 1), atol=1e-6)
    gray = np.full((50, 1, 32, 32), 0.5, np.float32)
    assert np.std(at("gaussian_noise", 0.1, gray)) == pytest.approx(0.1, rel=0.02)
    assert np.std(at("shot_noise", 0.1, gray)) == pytest.approx(0.1 * 0.5**0.5, rel=0.02)
    assert np.std(at("speckle_noise", 0.1, gray)) == pytest.approx(0.05, rel=0.02)
    assert np.mean(at("impulse_noise", 0.2, gray) != 0.5) == pytest.approx(0.2, rel=0.05)
    halves = at("pixelate", 1.0).reshape(12, 2, 8, 2, 8)
    np.testing.assert_allclose(
        halves, x.reshape(12, 2, 8, 2, 8).mean((2, 4), keepdims=True) + 0 * halves, atol=1e-6
    )
    black = np.zeros((12, 1, 16, 16), np.float32)
    np.testing.assert_allclose(at("occlusion", 0.5, black).sum((1, 2, 3)), 0.5 * 64, rtol=1e-4)
    point = np.zeros((1, 1, 33, 33), np.float32)
    point[0, 0, 16, 16] = 1
    for blur in ("gaussian_blur", "defocus_blur", "motion_blur"):
        assert at(blur, 0.3, point).sum() == pytest.approx(1, abs=0.02), "blur moves light, it makes none"
    np.testing.assert_array_equal(corrupt(x, "jpeg", 0, ids=ids), x)


def test_bad_requests() -> None:
    x = pictures((1, 8, 8), 2)
    with pytest.raises(NotFound, match="gaussian_blur"):
        corrupt(x, "gausian_blur", 1, ids=[0, 1])
    for severity, ids, strength in (
        (6, [0, 1], None),
        (1, [0], None),
        (1, [0, 1], [0.1]),
        (1, [0, 1], [2] * 5),
    ):
        with pytest.raises(InvalidInput):
            corrupt(x, "fog", severity, ids=ids, strength=strength)


def test_calibration_finds_the_strength_that_costs_what_was_asked() -> None:
    x = pictures((1, 8, 8), 40)
    ids = np.arange(40)

    def accuracy_of(y: NDArray[np.float32]) -> float:
        return float(1 - np.abs(y - x).mean())  # falls smoothly with brightness

    found = calibrate(accuracy_of, x, ids, "brightness", chance=0.0, points_lost=0.2, tolerance=0.002)
    assert found.reached
    assert not found.reason
    assert found.accuracy == pytest.approx(0.8, abs=0.03)
    np.testing.assert_allclose(found.strengths, np.arange(1, 6) / 5 * found.strengths[4])
    assert found == calibrate(accuracy_of, x, ids, "brightness", chance=0.0, points_lost=0.2, tolerance=0.002)
    near_chance = calibrate(accuracy_of, x, ids, "brightness", chance=0.9)
    assert near_chance.target == pytest.approx(0.925)
    immune = calibrate(lambda y: 0.9, x, ids, "fog", chance=0.1)
    assert not immune.reached
    assert immune.strengths[4] == 1
    assert immune.reason.endswith(".")
    with pytest.raises(InvalidInput):
        calibrate(accuracy_of, x[:0], ids[:0], "fog", chance=0.1)


def test_digits_keep_their_ids() -> None:
    part = load_dataset("digits").test
    whole = corrupt(part.x, "gaussian_noise", 3, ids=part.ids)
    np.testing.assert_array_equal(
        corrupt(part.x[50:60], "gaussian_noise", 3, ids=part.ids[50:60]), whole[50:60]
    )
