"""DiffKendall is Kendall's tau where it is steep, and can be climbed where it is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from core.predictors.diff_kendall import diff_kendall, soft_tau


def numbers(seed: int, n: int = 30) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize("seed", range(4))
def test_it_becomes_tau_as_it_gets_steep(seed: int) -> None:
    a, b = numbers(seed), numbers(seed + 100)
    exact = kendalltau(a.numpy(), b.numpy()).statistic
    assert float(soft_tau(a, b, 1e6)) == pytest.approx(exact, abs=1e-9)
    gaps = [abs(float(soft_tau(a, b, steepness)) - exact) for steepness in (1.0, 10.0, 1000.0)]
    assert gaps == sorted(gaps, reverse=True)


def test_pairs_are_those_of_the_definition() -> None:
    a, b, steepness = torch.tensor([0.3, -1.0, 0.7]), torch.tensor([1.0, 0.2, 0.1]), 1.7
    s = lambda x: float(torch.sigmoid(steepness * x))  # noqa: E731
    expected = np.mean(
        [
            (s(a[i] - a[j]) - s(a[j] - a[i])) * (s(b[i] - b[j]) - s(b[j] - b[i]))
            for i in range(3)
            for j in range(i + 1, 3)
        ]
    )
    assert float(soft_tau(a, b, steepness)) == pytest.approx(expected)
    assert float(diff_kendall(a, b, steepness)) == pytest.approx(1 - expected)


def test_guesses_get_a_gradient() -> None:
    guesses = numbers(1).requires_grad_(True)
    diff_kendall(guesses, numbers(2), 1.0).backward()
    assert guesses.grad is not None
    assert (guesses.grad != 0).all()


def test_climbing_it_raises_the_exact_tau() -> None:
    guesses, values = numbers(3, 40).requires_grad_(True), numbers(4, 40)
    before = kendalltau(guesses.detach().numpy(), values.numpy()).statistic
    optimizer = torch.optim.Adam([guesses], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        diff_kendall(guesses, values, 2.0).backward()
        optimizer.step()
    assert kendalltau(guesses.detach().numpy(), values.numpy()).statistic > max(before, 0) + 0.5


def test_one_number_has_no_order() -> None:
    assert float(soft_tau(torch.ones(1), torch.ones(1), 1.0)) == 0
