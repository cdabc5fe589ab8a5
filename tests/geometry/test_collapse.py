"""Neural collapse: zero on an exact simplex, the closed form of imbalanced collapse against a minimizer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from core.errors import InvalidInput
from core.geometry.collapse import collapse, simplex
from core.geometry.unconstrained_features import distance_to, frame, simplex_gram


def collapsed(classes: int = 10, p: int = 16, each: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    means = 3 * simplex(classes, p, np.random.default_rng(0)) + 0.5
    y = np.repeat(np.arange(classes), each)
    return means[y], y, 2 * (means - means.mean(0))


def test_an_exact_simplex_has_collapsed_in_every_way() -> None:
    features, y, weight = collapsed()
    found = collapse(features, y, weight)
    for value in (found.nc1, found.nc2_norm, found.nc2_norm_weights, found.nc2_angle, found.nc3, found.nc4):
        assert value == pytest.approx(0, abs=1e-12)
    off = found.cosines[~np.eye(10, dtype=bool)]
    assert np.allclose(off, -1 / 9, atol=1e-12)


def test_features_on_their_means_have_no_spread_whatever_the_means() -> None:
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(4), 5)
    found = collapse(rng.standard_normal((4, 8))[y], y, rng.standard_normal((4, 8)))
    assert found.nc1 == pytest.approx(0, abs=1e-12)
    assert found.nc2_angle > 0.01


def test_nc1_is_the_trace_of_the_definition() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 5, 200)
    h = rng.standard_normal((200, 9)) + 2 * rng.standard_normal((5, 9))[y]
    means = np.stack([h[y == c].mean(0) for c in range(5)])
    within = sum(np.outer(h[i] - means[y[i]], h[i] - means[y[i]]) for i in range(200)) / 200
    moved = means - means.mean(0)
    between = moved.T @ moved / 5
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-8))
    assert collapse(h, y, rng.standard_normal((5, 9))).nc1 == pytest.approx(expected, rel=1e-9)


def test_the_classifier_is_taken_as_it_is_as_in_the_paper() -> None:
    rng = np.random.default_rng(5)
    y = np.repeat(np.arange(4), 6)
    h, w = (
        rng.standard_normal((24, 7)) + 2 * rng.standard_normal((4, 7))[y],
        rng.standard_normal((4, 7)) + 1.0,
    )
    means = np.stack([h[y == c].mean(0) for c in range(4)])
    centered = means - means.mean(0)
    found = collapse(h, y, w)
    lengths = [float(np.sqrt(sum(v**2 for v in row))) for row in w]
    assert found.nc2_norm_weights == pytest.approx(np.std(lengths) / np.mean(lengths), rel=1e-12)
    expected = np.square(w / np.linalg.norm(w) - centered / np.linalg.norm(centered)).sum()
    assert found.nc3 == pytest.approx(expected, rel=1e-12)
    # A shift common to all rows moves no decision, but it does move both numbers.
    shifted = collapse(h, y, w + 0.5)
    assert abs(shifted.nc3 - found.nc3) > 0.01
    assert abs(shifted.nc2_norm_weights - found.nc2_norm_weights) > 0.01


def test_rotation_and_scale_change_nothing() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 4, 120)
    h, w = rng.standard_normal((120, 6)) + rng.standard_normal((4, 6))[y], rng.standard_normal((4, 6))
    turn, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    a, b = collapse(h, y, w), collapse(3 * h @ turn, y, 5 * w @ turn)
    for name in ("nc1", "nc2_norm", "nc2_norm_weights", "nc2_angle", "nc3", "nc4"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-9), name


def test_nc4_counts_disagreements_with_the_nearest_mean() -> None:
    y = np.array([0, 0, 1, 1])
    h = np.array([[0.0, 1], [0, 3], [2, 1], [2, 3]])
    assert collapse(h, y, np.array([[-1.0, 0], [1, 0]]), np.array([1.0, -1.0])).nc4 == 0
    assert collapse(h, y, np.array([[1.0, 0], [-1, 0]]), np.array([-1.0, 1.0])).nc4 == 1


@pytest.mark.parametrize(
    ("features", "y"),
    [
        (np.ones((4, 2)), [0, 0, 1, 1]),
        (np.eye(4), [0, 1, 2, 3]),
        (np.eye(4), [0, 0, 0, 0]),
        (np.ones((3, 2)), [0, 1]),
    ],
)
def test_what_cannot_collapse_has_a_reason(features: np.ndarray, y: list[int]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        collapse(features, y, np.ones((4, features.shape[1])))


def loss_of(
    flat: np.ndarray, counts: list[int], l_w: float, l_h: float, layers: int, width: int
) -> tuple[float, np.ndarray]:
    """The model's loss and gradient, written out; H has one column per class (equal within a class)."""
    c, n = len(counts), sum(counts)
    shapes = [(width, width)] * (layers - 1) + [(c, width)]
    mats, at = [], 0
    for shape in shapes:
        mats.append(flat[at : at + shape[0] * shape[1]].reshape(shape))
        at += shape[0] * shape[1]
    h = flat[at:].reshape(width, c)
    size = np.asarray(counts, float)
    parts = [h]
    for m in mats:
        parts.append(m @ parts[-1])
    residual = parts[-1] - np.eye(c)
    value = (np.square(residual) * size).sum() / (2 * n) + sum(l_w / 2 * np.square(m).sum() for m in mats)
    value += l_h / 2 * (np.square(h) * size).sum()
    back, grads = residual * size / n, []
    for m, x in zip(reversed(mats), reversed(parts[:-1]), strict=True):
        grads.append(back @ x.T + l_w * m)
        back = m.T @ back
    grad_h = back + l_h * h * size
    return float(value), np.concatenate([*(g.ravel() for g in reversed(grads)), grad_h.ravel()])


@pytest.mark.parametrize(
    ("counts", "l_w", "l_h", "layers"),
    [
        ([5, 20, 50, 100], 1e-3, 1e-4, 1),
        ([10, 10, 10], 1e-2, 1e-3, 1),
        ([30, 60, 90], 2e-3, 1e-4, 2),
        ([40, 80], 1e-3, 1e-4, 3),
    ],
)
def test_the_closed_form_is_the_minimum(counts: list[int], l_w: float, l_h: float, layers: int) -> None:
    width, c = 6, len(counts)
    size = width * width * (layers - 1) + c * width + width * c
    best = None
    for seed in range(4):
        start = 0.6 * np.random.default_rng(seed).standard_normal(size)
        found = minimize(
            loss_of,
            start,
            (counts, l_w, l_h, layers, width),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 20_000, "ftol": 1e-16, "gtol": 1e-12, "maxfun": 40_000},
        )
        best = found if best is None or found.fun < best.fun else best
    assert best is not None
    flat, mats, at = best.x, [], 0
    for shape in [(width, width)] * (layers - 1) + [(c, width)]:
        mats.append(flat[at : at + shape[0] * shape[1]].reshape(shape))
        at += shape[0] * shape[1]
    product = mats[0]
    for m in mats[1:]:
        product = m @ product
    h = flat[at:].reshape(width, c)
    expected = frame(counts, l_w, l_h, layers)
    assert np.allclose(product @ product.T, expected.weight_gram, atol=2e-4)
    assert np.allclose(h.T @ h, expected.feature_gram, atol=2e-4)
    assert np.allclose(product @ h, expected.product, atol=2e-4)
    assert distance_to(h.T @ h, expected.feature_gram) < 1e-3


def test_the_values_of_the_derivation() -> None:
    found = frame([5, 20, 50, 100], 1e-3, 1e-3)
    assert np.square(found.singular) == pytest.approx([2.0611, 4.2971, 6.8961, 9.8250], abs=5e-5)


def test_small_classes_vanish() -> None:
    counts, l_w, l_h = [4, 40, 400], 0.05, 1e-3
    n = sum(counts)
    threshold = n**2 * l_w * l_h
    found = frame(counts, l_w, l_h)
    assert [s == 0 for s in found.singular] == [count <= threshold for count in counts]
    assert found.singular[0] == 0
    assert found.mean_squares[0] == 0
    assert frame([1, 100], 0.5, 1e-2, layers=2).singular[0] == 0


def test_balanced_classes_have_equal_means() -> None:
    found = frame([20, 20, 20], 1e-3, 1e-4)
    assert np.ptp(found.mean_squares) == 0
    gram = simplex_gram(3)
    assert np.allclose(gram @ np.ones(3), 0)
    assert distance_to(gram, 7 * gram) == pytest.approx(0)


def test_bad_sizes_are_refused() -> None:
    for arguments in (([], 1, 1), ([1, 0], 1, 1), ([1], 0, 1)):
        with pytest.raises(InvalidInput, match="positive"):
            frame(*arguments)
    with pytest.raises(InvalidInput):
        distance_to(np.zeros((2, 2)), np.eye(2))
    with pytest.raises(InvalidInput):
        simplex(5, 3, np.random.default_rng(0))
