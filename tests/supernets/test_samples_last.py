"""BatchNorm over samples laid out last: the float32 statistics against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.seeding import stream
from core.supernets import samples_last
from core.supernets.statistics import EPSILON, ElasticBatchNorm

CHANNELS, ROWS, OTHERS = 4, 4000, 40


def images(size: int, mean: float) -> Tensor:
    """Activations (c, size, size, n) of unit spread around a mean; those after the calibration rows elsewhere."""
    rng = stream(0, "maps", size, int(mean))
    x = (
        rng.standard_normal((CHANNELS, size, size, ROWS + OTHERS))
        * np.linspace(0.5, 2, CHANNELS)[:, None, None, None]
    )
    x[..., ROWS:] = 3 * x[..., ROWS:] + 1
    return torch.from_numpy((x + mean).astype(np.float32))


def layer() -> ElasticBatchNorm:
    norm = ElasticBatchNorm(CHANNELS + 2).requires_grad_(False)
    norm.weight.copy_(torch.linspace(0.5, 2, CHANNELS + 2))
    norm.bias.zero_()
    return norm


@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("size", [2, 8, 14])
def test_the_variance_keeps_its_digits(size: int, mean: float) -> None:
    """Scale applied / scale in float64. Squares of a whole map summed in one go are off by 1e-4 at 14x14."""
    x, norm = images(size, mean), layer()
    channels = torch.tensor([3, 0, 5, 2])
    head = x[..., :ROWS].double()
    variance, center = torch.var_mean(head, dim=(1, 2, 3), correction=0)
    scale = norm.weight[channels].double() * torch.rsqrt(variance + EPSILON)
    exact = (x.double() - center.view(-1, 1, 1, 1)) * scale.view(-1, 1, 1, 1)
    found = samples_last.normalize(x.clone(), norm, channels, ROWS).double()
    # The slope of found against exact: free of the rounding of single numbers and of the mean.
    a, b = exact.flatten(1), found.flatten(1)
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    slope = (a * b).sum(1) / (a * a).sum(1)
    assert (slope - 1).abs().max() < 5e-7
    assert ((found - exact).abs() / (1 + mean + exact.abs())).max() < 3e-6


def test_statistics_come_from_the_calibration_rows_alone() -> None:
    x, norm = images(4, 0.0), layer()
    alone = samples_last.normalize(x[..., :ROWS].clone(), norm, slice(0, CHANNELS), ROWS)
    both = samples_last.normalize(x.clone(), norm, slice(0, CHANNELS), ROWS)
    torch.testing.assert_close(both[..., :ROWS], alone, atol=1e-6, rtol=1e-6)
    assert both[..., ROWS:].std() > 2 * both[..., :ROWS].std()
