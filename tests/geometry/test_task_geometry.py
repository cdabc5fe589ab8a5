"""Alignment with input and target, feature complexity, and the input of the last layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.geometry.complexity import Features, complexity, dictionary, v_information
from core.geometry.task_alignment import align, baseline, decodability, one_hot, ridge
from core.networks.heads import last_linear, penultimate, weight_and_bias
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


@pytest.fixture
def task() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 240)
    return rng.random((240, 1, 4, 4)) + 0.2 * one_hot(y, 16).reshape(240, 1, 4, 4), y


def test_a_copy_of_the_pixels_is_aligned_with_the_input(task: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = task
    found = align(3 * x.reshape(240, -1) + 1, x, y, 4)
    assert found.input.value == pytest.approx(1)
    assert found.target.value == pytest.approx(baseline(x, y, 4), abs=1e-12)


def test_turned_labels_are_aligned_with_the_target(task: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = task
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))
    found = align(one_hot(y, 4) @ turn, x, y, 4)
    assert found.target.value == pytest.approx(1)
    assert found.decodability == 1


def test_noise_is_aligned_with_nothing(task: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = task
    found = align(np.random.default_rng(2).standard_normal((240, 8)), x, y, 4)
    assert abs(found.input.value) < 0.05
    assert abs(found.target.value) < 0.05
    assert found.decodability < 0.45


def test_a_dead_layer_has_a_reason_and_too_few_samples_no_readout(
    task: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = task
    found = align(np.ones((240, 3)), x, y, 4)
    assert np.isnan(found.input.value)
    assert found.input.reason.endswith(".")
    assert np.isnan(decodability(np.ones((10, 2)), np.zeros(10, int), 2))
    with pytest.raises(InvalidInput, match="one row"):
        align(np.ones((960, 3)), x, y, 4)


def test_ridge_is_the_same_from_both_sides() -> None:
    rng = np.random.default_rng(3)
    for shape in ((30, 8), (8, 30)):
        x, y = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
        expected = np.linalg.solve(x.T @ x + 0.1 * shape[0] * np.eye(shape[1]), x.T @ y)
        assert np.allclose(ridge(x, y, 0.1), expected, atol=1e-10)


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_logits_are_rebuilt_from_the_last_layer(family: str) -> None:
    net = extracted(family)
    images = random_dataset(50, seed=4).train.x
    features, layer = penultimate(net, images)
    weight, bias = weight_and_bias(layer)
    with torch.no_grad():
        assert np.allclose(features @ weight.T + bias, net(torch.from_numpy(images)).numpy(), atol=1e-5)
    assert last_linear(net)[1] is layer
    assert not layer._forward_pre_hooks


def test_a_net_without_a_linear_layer_says_so() -> None:
    with pytest.raises(InvalidInput, match="no linear layer"):
        last_linear(nn.Sequential(nn.Conv2d(1, 1, 1)))


def test_what_a_layer_holds_linearly_is_read_out_completely() -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((300, 10))
    z = x @ rng.standard_normal((10, 3))
    assert v_information(x, z).min() > 0.999
    assert v_information(x @ rng.standard_normal((10, 10)), z).min() > 0.99, "an invertible map hides nothing"
    assert v_information(rng.standard_normal((300, 10)), z).max() < 0.15
    assert v_information(np.ones((300, 10)), z).max() < 1e-6


def test_simple_features_are_simple_and_random_ones_complex() -> None:
    rng = np.random.default_rng(6)
    x = rng.random((300, 12))
    layers = {
        "first": x,
        "second": x @ rng.standard_normal((12, 12)),
        "third": np.maximum(x @ rng.standard_normal((12, 20)), 0),
    }
    codes = np.stack([x[:, 0], rng.random(300)], axis=1)
    found = complexity(layers, Features(codes, np.eye(2, 5), 1.0), rng.standard_normal((3, 5)))
    assert found.complexity[0] < 0.05
    assert found.complexity[1] > 0.9
    assert found.information.shape == (2, 3)


def test_importance_is_the_share_of_the_logits() -> None:
    rng = np.random.default_rng(7)
    codes = rng.random((90, 3)) * [1, 2, 0]
    found = complexity({"l": rng.random((90, 4))}, Features(codes, np.eye(3), 1.0), np.eye(3))
    sizes = codes.mean(0)
    assert found.importance == pytest.approx(sizes / sizes.sum(), abs=1e-9)
    assert found.importance.sum() == pytest.approx(1)
    answered = codes.argmax(1)
    assert found.by_sample == pytest.approx(found.complexity[answered])


def test_planted_parts_come_back_and_the_seed_decides() -> None:
    rng = np.random.default_rng(8)
    parts = np.kron(np.eye(4), np.ones(3))
    h = rng.exponential(1.0, (200, 4)) @ parts
    found, again = (dictionary(h, atoms=4, seed=2) for _ in range(2))
    assert np.array_equal(found.codes, again.codes)
    assert found.explained > 0.99
    supports = {tuple((a > 0.1 * a.max()).astype(int)) for a in found.atoms}
    assert supports == {tuple(p.astype(int)) for p in parts}


@pytest.mark.parametrize(
    ("h", "word"),
    [(np.zeros((50, 3)), "constant"), (-np.ones((50, 3)), "negative"), (np.ones((5, 3)), "at least 40")],
)
def test_layers_without_features_say_why(h: np.ndarray, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        dictionary(h)
