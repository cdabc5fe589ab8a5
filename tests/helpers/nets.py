"""Small supernets and data whose every hidden default has been disturbed.

A fresh network hides mistakes: its norms are ones and zeros, its kernels symmetric in distribution.
"""

from __future__ import annotations

import numpy as np
import torch

from core.datasets.base import Dataset, Split
from core.supernets.base import Supernet
from core.supernets.elastic_cnn import ElasticCNN, ElasticCNNConfig, GroupConfig


def disturb(net: Supernet, seed: int = 0) -> Supernet:
    """Random values for everything that starts constant."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + 0.4)
    return net


def small_cnn(seed: int = 0, **changes: object) -> ElasticCNN:
    """An elastic CNN with every kind of choice; 8x8 input unless said otherwise."""
    torch.manual_seed(seed)
    settings = {
        "groups": (
            GroupConfig(widths=(2, 4), kernels=(3, 5)),
            GroupConfig(widths=(3, 6), kernels=(3, 5)),
            GroupConfig(widths=(4, 8), kernels=(1, 3)),
        ),
        "pixel_mean": (0.3,),
        "pixel_std": (0.4,),
    }
    net = ElasticCNN(ElasticCNNConfig.model_validate(settings | changes))
    return disturb(net, seed)  # type: ignore[return-value]


def random_dataset(n: int = 40, input_shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0) -> Dataset:
    """Noise with random labels: enough where only arithmetic is tested."""
    rng = np.random.default_rng(seed)

    def split(first: int) -> Split:
        x = rng.random((n, *input_shape)).astype(np.float32)
        return Split(x, rng.integers(0, 10, n), np.arange(first, first + n))

    train = split(0)
    names = tuple(str(i) for i in range(10))
    pixels = {"pixel_mean": (0.5,) * input_shape[0], "pixel_std": (0.3,) * input_shape[0]}
    return Dataset(
        name="noise",
        title="Noise",
        classes=names,
        train=train,
        calibration=train.first(24),
        validation=split(n),
        test=split(2 * n),
        source="made for tests",
        licence="none",
        fingerprint=f"noise-{n}-{seed}",
        inputs={"input_shape": input_shape, **pixels},
    )
