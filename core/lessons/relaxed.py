"""A tiny relaxed space for one lesson: four layers, each a mixture of doing nothing and two convolutions, learned as in DARTS.

Weights learn on one half of the training samples, the mixture on the other, in turn (first order). Inspired by the paper,
not its cells, its schedule or its data: what a class can watch in seconds.

Source:
    Liu, Simonyan and Yang, 'DARTS: differentiable architecture search', ICLR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.datasets.base import Dataset
from core.networks.calibration import recalibrate
from core.seeding import stream, torch_seed

LAYERS = 4
KERNELS = (0, 3, 5)
"""Options of a layer: 0 does nothing, else a convolution of this kernel with BatchNorm and ReLU."""
_CHANNELS, _BATCH, _RATE, _MIXTURE_RATE = 8, 64, 0.05, 0.02


@dataclass(frozen=True)
class Epoch:
    """What an epoch of the search left.

    Attributes:
        weights: (layers, options) shares of the mixture, each layer's sum to 1.
        mixed: validation accuracy of the whole mixture.
        cut: of the strongest option of each layer alone, with the weights it has in the mixture.
    """

    weights: tuple[tuple[float, ...], ...]
    mixed: float
    cut: float


class RelaxedNet(nn.Module):
    """A stem, `LAYERS` mixed layers with a pooling in the middle, and a head, for small images.

    `weights` is what it computes with: (layers, options) shares, or one option per layer.
    """

    def __init__(self, channels: int, classes: int, chosen: Sequence[int] | None = None) -> None:
        super().__init__()
        self.stem = _convolution(channels, 3)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                _convolution(_CHANNELS, kernel)
                if kernel and (chosen is None or chosen[at] == option)
                else nn.Identity()
                for option, kernel in enumerate(KERNELS)
            )
            for at in range(LAYERS)
        )
        self.head = nn.Linear(_CHANNELS, classes)
        self.weights: Tensor | tuple[int, ...] = tuple(chosen or ())

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for at, options in enumerate(self.layers):
            assert isinstance(options, nn.ModuleList)
            chosen = self.weights[at]
            if isinstance(chosen, Tensor):
                x = torch.stack([w * option(x) for w, option in zip(chosen, options, strict=True)]).sum(0)
            else:
                x = options[chosen](x)
            if at == LAYERS // 2 - 1:
                x = F.max_pool2d(x, 2)
        out: Tensor = self.head(x.mean(dim=(2, 3)))
        return out


def _convolution(channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, _CHANNELS, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(_CHANNELS),
        nn.ReLU(),
    )


def search(dataset: Dataset, *, seed: int, epochs: int) -> Iterator[Epoch]:
    """Learn weights and mixture in turn; yields after every epoch. Equal seeds give equal epochs."""
    net = _fresh(dataset, torch_seed(seed, "relaxed", "weights"))
    mixture = torch.zeros(LAYERS, len(KERNELS), requires_grad=True)
    of_weights = torch.optim.SGD(net.parameters(), lr=_RATE, momentum=0.9, nesterov=True, weight_decay=1e-4)
    of_mixture = torch.optim.Adam([mixture], lr=_MIXTURE_RATE, betas=(0.5, 0.999), weight_decay=1e-3)
    x, y = _tensors(dataset, "train")
    half = stream(seed, "relaxed", "halves").permutation(len(y))
    halves = half[: len(y) // 2], half[len(y) // 2 :]
    for epoch in range(epochs):
        for group in of_weights.param_groups:
            group["lr"] = 0.5 * _RATE * (1 + math.cos(math.pi * epoch / epochs))
        rng = stream(seed, "relaxed", "epoch", epoch)
        learned, judged = (rng.permutation(rows) for rows in halves)
        net.train()
        for start in range(0, len(learned) - _BATCH + 1, _BATCH):
            for rows, optimizer in ((judged, of_mixture), (learned, of_weights)):
                some = torch.from_numpy(rows[start : start + _BATCH])
                net.weights = torch.softmax(mixture, dim=1)
                of_weights.zero_grad()
                of_mixture.zero_grad()
                F.cross_entropy(net(x[some]), y[some]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        shares = torch.softmax(mixture.detach(), dim=1)
        mixed = _accuracy(net, dataset, shares)
        cut = _accuracy(net, dataset, tuple(shares.argmax(dim=1).tolist()))
        yield Epoch(tuple(map(tuple, shares.tolist())), mixed, cut)


def alone(dataset: Dataset, chosen: Sequence[int], *, seed: int, epochs: int) -> float:
    """Validation accuracy of one architecture that was trained alone on all training samples."""
    net = _fresh(dataset, torch_seed(seed, "relaxed", "alone"), chosen)
    optimizer = torch.optim.SGD(net.parameters(), lr=_RATE, momentum=0.9, nesterov=True, weight_decay=1e-4)
    x, y = _tensors(dataset, "train")
    net.train()
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = 0.5 * _RATE * (1 + math.cos(math.pi * epoch / epochs))
        order = stream(seed, "relaxed", "alone", epoch).permutation(len(y))
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            some = torch.from_numpy(order[start : start + _BATCH])
            optimizer.zero_grad()
            F.cross_entropy(net(x[some]), y[some]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return _accuracy(net, dataset, tuple(chosen))


def _fresh(dataset: Dataset, seed: int, chosen: Sequence[int] | None = None) -> RelaxedNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RelaxedNet(dataset.input_shape[0], len(dataset.classes), chosen)


def _tensors(dataset: Dataset, split: str) -> tuple[Tensor, Tensor]:
    part = dataset.split(split)
    mean, std = (np.asarray(v, np.float32)[None, :, None, None] for v in (dataset.mean, dataset.std))
    return torch.from_numpy((part.x - mean) / std), torch.from_numpy(part.y)


@torch.no_grad()
def _accuracy(net: RelaxedNet, dataset: Dataset, weights: Tensor | tuple[int, ...]) -> float:
    """On validation samples, BatchNorm calibrated for these weights on training samples."""
    net.weights = weights
    recalibrate(net, _tensors(dataset, "calibration")[0])
    x, y = _tensors(dataset, "validation")
    return float((net(x).argmax(dim=1) == y).float().mean())
