"""Layers of expressions: what EvoNorm promises, against formulas written out; and what is rejected before training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.datasets.loading import load_dataset
from core.norm_search.expressions import EVONORM_B0, EVONORM_S0, Tree
from core.norm_search.layers import BASELINES, EPS, GROUPS, EvoNormB0, EvoNormS0, ExpressionLayer
from core.norm_search.trial import NETS, Digits, Sizes, fitness, rejected

X: Tree = ("x",)
SIZES = Sizes(look=30, uphill=3, steps=30)


def images(n: int = 6, channels: int = 8) -> Tensor:
    return torch.randn(n, channels, 5, 5, generator=torch.Generator().manual_seed(1)) * 3 + 1


def own(layer: ExpressionLayer) -> ExpressionLayer:
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=chance) + 0.5)
    return layer


def wide(of: Tensor) -> Tensor:
    return of[None, :, None, None]


def test_s0_is_the_formula_of_the_paper() -> None:
    layer, x = own(EvoNormS0(8)), images()
    grouped = x.reshape(6, GROUPS, -1).var(dim=2, unbiased=False)
    std = (grouped + EPS).sqrt().repeat_interleave(8 // GROUPS, dim=1)[:, :, None, None]
    found = x * torch.sigmoid(wide(layer.v) * x) / std * wide(layer.gamma) + wide(layer.beta)
    assert torch.allclose(layer(x), found, atol=1e-6)


def test_b0_is_the_formula_of_the_paper_in_training_and_with_remembered_variances_afterwards() -> None:
    layer, x = own(EvoNormB0(8)), images()

    def formula(variance: Tensor) -> Tensor:
        here = (x.var(dim=(2, 3), keepdim=True, unbiased=False) + EPS).sqrt()
        below = torch.maximum((variance + EPS).sqrt(), wide(layer.v) * x + here)
        return x / below * wide(layer.gamma) + wide(layer.beta)

    variance = x.var(dim=(0, 2, 3), keepdim=True, unbiased=False)
    assert torch.allclose(layer.train()(x), formula(variance), atol=1e-5)
    remembered = 0.9 + 0.1 * variance  # one step from 1, with BatchNorm's momentum
    assert torch.allclose(layer.eval()(x), formula(remembered), atol=1e-5)
    assert not torch.allclose(layer(x), layer.train()(x))


def test_s0_never_looks_at_the_batch_and_b0_does() -> None:
    x = images()
    s0, b0 = own(EvoNormS0(8)).train(), own(EvoNormB0(8)).train()
    assert torch.allclose(s0(x)[:1], s0(x[:1]), atol=1e-6)
    assert torch.allclose(s0(x), s0.eval()(x))
    assert not torch.allclose(b0(x)[:1], b0(x[:1]), atol=1e-3)


def test_without_v_s0_does_not_see_the_size_of_its_input() -> None:
    layer, x = EvoNormS0(8), images()
    with torch.no_grad():
        layer.v.zero_()
    assert torch.allclose(layer(x * 7), layer(x), atol=1e-3)
    with torch.no_grad():
        layer.v.fill_(1)
    assert not torch.allclose(layer(x * 7), layer(x), atol=1e-2)


def test_means_and_deviations_are_over_what_they_say() -> None:
    x = images()
    for name, dims in (("batch", (0, 2, 3)), ("sample", (2, 3))):
        mean = ExpressionLayer((f"mean_{name}", X), 8).train()(x)
        assert torch.allclose(mean, x.mean(dim=dims, keepdim=True).expand_as(x), atol=1e-5)
        std = ExpressionLayer((f"std_{name}", X), 8).train()(x)
        wanted = (x.var(dim=dims, keepdim=True, unbiased=False) + EPS).sqrt().expand_as(x)
        assert torch.allclose(std, wanted, atol=1e-5)


def test_a_constant_is_a_layer_that_learns_nothing_and_dividing_by_zero_is_no_infinity() -> None:
    x = images()
    assert ExpressionLayer(("one",), 8)(x).shape == x.shape
    assert torch.isfinite(ExpressionLayer(("div", X, ("zero",)), 8)(x)).all()


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits.of(load_dataset("digits"))


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (("zero",), "learns nothing"),
        (("sub", X, X), "learns nothing"),
        (("square", ("square", ("square", ("square", ("square", ("square", X)))))), "not finite"),
        (("square", ("square", X)), "diverges"),
    ],
)
def test_what_cannot_be_trained_is_rejected_before_a_full_training(
    tree: Tree, why: str, digits: Digits
) -> None:
    assert rejected(lambda channels: ExpressionLayer(tree, channels), digits, 0, SIZES) == why


def test_gradients_that_explode_uphill_are_rejected(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    make = BASELINES["EvoNorm-S0"]
    assert rejected(make, digits, 0, SIZES) == ""
    monkeypatch.setattr("core.norm_search.trial._STEEPEST", 1e-3)
    assert rejected(make, digits, 0, SIZES) == "unstable gradients"


@pytest.mark.slow
def test_a_training_repeats_itself_and_leaves_global_chance_alone(digits: Digits) -> None:
    before = torch.random.get_rng_state()
    found = [fitness("plain", EvoNormS0, digits, seed, SIZES) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert torch.equal(before, torch.random.get_rng_state())
    assert found[0][0] > 0.3
    assert set(NETS) == {"plain", "residual"}


def test_expressions_of_the_paper_are_what_the_classes_compute() -> None:
    assert EvoNormB0(8).tree == EVONORM_B0
    assert EvoNormS0(8).tree == EVONORM_S0
    assert isinstance(BASELINES["BatchNorm + ReLU"](8), nn.Sequential)
