"""Angle, norm and margin: exact relations, and the edges where they are not defined by themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.geometry.margins import by_class, margins
from core.networks.heads import penultimate, weight_and_bias
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

rng = np.random.default_rng(3)
H = np.maximum(rng.standard_normal((400, 12)), 0)
W, B = rng.standard_normal((7, 12)), rng.standard_normal(7)
Y = np.where(rng.random(400) < 0.6, (H @ W.T + B).argmax(1), rng.integers(0, 7, 400))


def test_the_margin_is_positive_exactly_where_the_prediction_is_right() -> None:
    found = margins(H, Y, W, B)
    right = (H @ W.T + B).argmax(1) == Y
    assert 0.3 < right.mean() < 0.9
    assert np.array_equal(found.margin > 0, right)
    assert np.array_equal(found.predicted == Y, right)
    assert (found.rival != Y).all()


def test_moving_a_sample_by_its_margin_ties_it_with_its_rival() -> None:
    found = margins(H, Y, W, B)
    apart = W[Y] - W[found.rival]
    moved = H - found.margin[:, None] * apart / np.linalg.norm(apart, axis=1, keepdims=True)
    logits = moved @ W.T + B
    rows = np.arange(len(H))
    assert np.abs(logits[rows, Y] - logits[rows, found.rival]).max() < 1e-12


def test_logits_are_rebuilt_from_angles_and_norms() -> None:
    found = margins(H, Y, W, B)
    rebuilt = found.norm[:, None] * np.linalg.norm(W, axis=1) * np.cos(found.angles) + B
    assert np.abs(rebuilt - (H @ W.T + B)).max() < 1e-12
    z = np.exp(rebuilt - rebuilt.max(1, keepdims=True))
    assert np.allclose(found.probability, (z / z.sum(1, keepdims=True))[np.arange(len(H)), Y])


def test_scaling_the_features_scales_norm_and_unbiased_margin_but_no_angle() -> None:
    one, three = margins(H, Y, W), margins(3 * H, Y, W)
    assert np.allclose(three.norm, 3 * one.norm)
    assert np.allclose(three.margin, 3 * one.margin)
    assert np.allclose(three.angles, one.angles, atol=1e-7)
    assert np.abs(margins(3 * H, Y, W, B).margin - 3 * margins(H, Y, W, B).margin).max() > 0.1


def test_a_dead_net_has_right_angles_and_answers_by_its_biases() -> None:
    found = margins(np.zeros((7, 12)), np.arange(7), W, B)
    assert np.allclose(found.angle, np.pi / 2)
    assert (found.predicted == B.argmax()).all()
    assert (found.margin > 0).sum() == 1
    tie = margins(np.zeros((7, 12)), np.arange(7), W)
    assert not tie.correct.any(), "a tie is no right answer"
    assert (tie.predicted != np.arange(7)).all()


def test_equal_class_rows_are_no_boundary() -> None:
    w, b = W.copy(), B.copy()
    w[1] = w[0]
    b[1] = b[0] - 1
    found = margins(H, np.zeros(len(H), int), w, b)
    assert (found.rival != 1).all(), "class 1 is always behind class 0"
    other = margins(H, np.ones(len(H), int), w, b)
    assert (other.margin < 0).all()
    same = margins(H, np.zeros(len(H), int), np.tile(W[:1], (7, 1)), B)
    assert np.allclose(same.margin, np.delete(B[0] - B, 0).min())


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_of_a_network_the_margins_say_what_it_answers(family: str) -> None:
    net, data = extracted(family), random_dataset(40, seed=1).train
    features, layer = penultimate(net, data.x)
    found = margins(features, data.y, *weight_and_bias(layer))
    with torch.no_grad():
        logits = net(torch.from_numpy(data.x))
    assert np.array_equal(found.predicted == data.y, logits.argmax(1).numpy() == data.y)


def test_means_by_class() -> None:
    assert by_class([1.0, 3.0, 5.0], [0, 0, 2], 3).tolist()[::2] == [2.0, 5.0]
    assert np.isnan(by_class([1.0, 3.0, 5.0], [0, 0, 2], 3)[1])


@pytest.mark.parametrize(
    ("h", "y", "w"), [(H, Y[:3], W), (H, Y, W[:, :5]), (H, Y, W[:1]), (H, Y + 5, W), (H, Y - 5, W)]
)
def test_what_does_not_fit_is_refused(h: np.ndarray, y: np.ndarray, w: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        margins(h, y, w)


def test_no_samples_no_error() -> None:
    assert len(margins(H[:0], Y[:0], W, B).margin) == 0
