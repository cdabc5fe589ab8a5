"""Small dense networks on flat images, for experiments that need many of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from core.datasets.base import Dataset, Split
from core.networks.answers import outputs
from core.training import plain
from core.training.config import TrainingConfig
from core.training.plain import PlainStep


def mlp(widths: Sequence[int], seed: int) -> nn.Sequential:
    """Linear layers with ReLU between them, on flattened images; Kaiming-normal weights, biases at zero.

    Args:
        widths: inputs, hidden layers, classes.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.no_grad():
        for inputs, outputs in itertools.pairwise(widths):
            layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
            layer.weight.copy_(torch.randn(outputs, inputs, generator=generator) * math.sqrt(2 / inputs))
            layer.bias.zero_()
            layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def prepared(dataset: Dataset, images: int, permutation: NDArray[np.int64] | None = None) -> Dataset:
    """The first images of each split, normalized by channel, their pixels in another order if one is given.

    No longer pixels in [0, 1]: for networks that do not normalize by themselves. A shift of a permuted image
    means nothing, so train these without augmentation.
    """
    mean, std = (np.asarray(v, np.float32)[None, :, None, None] for v in (dataset.mean, dataset.std))

    def change(split: Split) -> Split:
        x = (split.x[:images] - mean) / std
        if permutation is not None:
            x = x.reshape(len(x), -1)[:, permutation].reshape(x.shape)
        return Split(np.ascontiguousarray(x, np.float32), split.y[:images], split.ids[:images])

    return dataclasses.replace(
        dataset,
        train=change(dataset.train),
        calibration=change(dataset.calibration),
        validation=change(dataset.validation),
        test=change(dataset.test),
    )


def plain_config(
    epochs: int, learning_rate: float, seed: int, weight_decay: float = 0.0, batch_size: int = 64
) -> TrainingConfig:
    """Training without augmentation or clipping."""
    return TrainingConfig(
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
        weight_decay=weight_decay,
        batch_size=batch_size,
        augmentation={"shift": 0},
        clip=0,
    )


def fit(net: nn.Module, dataset: Dataset, config: TrainingConfig, order_seed: int) -> list[float]:
    """Train in place; the mean loss of each epoch. The network is then in eval mode.

    Raises:
        CoreError: the loss is no longer a number.
    """
    losses: dict[int, list[float]] = {}
    take_step = PlainStep(net, dataset, config)
    for at in plain.fit(take_step, dataset, config, order_seed=order_seed, what="a small network"):
        losses.setdefault(at.epoch, []).append(at.loss)
    net.eval()
    return [float(np.mean(steps)) for steps in losses.values()]


def loss_on(net: nn.Module, split: Split) -> float:
    """Mean cross-entropy on all images of a split."""
    return float(F.cross_entropy(outputs(net, split.x), torch.from_numpy(split.y)))
