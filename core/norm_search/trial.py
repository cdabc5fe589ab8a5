"""What a layer is worth: two tiny networks trained with it, after a look at whether it can be trained at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.datasets.base import Dataset
from core.norm_search.layers import MakeLayer
from core.seeding import torch_drawing, torch_seed

_BATCH = 64
_RATE, _DECAY, _CLIP = 0.1, 1e-4, 5.0
_WIDTH = 12
_CLASSES_LEAST = 0.2
"""A layer with which a short training stays below this accuracy is rejected, as in the paper."""
_STEEPEST = 1e8
"""A layer whose weight gradients grow beyond this when pushed uphill is rejected, as in the paper."""
_UPHILL_RATE = 0.1


@dataclass(frozen=True)
class Sizes:
    """How long each part of a trial is.

    Attributes:
        look: steps of the short training before the rest.
        uphill: steps of gradient ascent on the size of the weight gradients.
        steps: steps of a training.
    """

    look: int = 40
    uphill: int = 10
    steps: int = 80


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and labels of one data set as tensors, training images in a fixed order."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, dataset: Dataset) -> Digits:
        """Of a data set of images, each split normalized by the training images' mean and deviation."""
        x = torch.as_tensor(dataset.train.x).float()
        mean, deviation = x.mean(), x.std()

        def split(part: object) -> tuple[Tensor, Tensor]:
            return (
                (torch.as_tensor(part.x).float() - mean) / deviation,  # type: ignore[attr-defined]
                torch.as_tensor(part.y).long(),  # type: ignore[attr-defined]
            )

        return cls(split(dataset.train), split(dataset.validation), split(dataset.test))


class PlainNet(nn.Module):
    """Three convolutions, each followed by the layer, then the mean over positions and a linear layer."""

    def __init__(self, make: MakeLayer, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, _WIDTH, 3, padding=1, bias=False),
            make(_WIDTH),
            nn.Conv2d(_WIDTH, 2 * _WIDTH, 3, stride=2, padding=1, bias=False),
            make(2 * _WIDTH),
            nn.Conv2d(2 * _WIDTH, 2 * _WIDTH, 3, padding=1, bias=False),
            make(2 * _WIDTH),
        )
        self.head = nn.Linear(2 * _WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(dim=(2, 3)))


class ResidualNet(nn.Module):
    """A stem and two residual blocks that put the layer before each convolution."""

    def __init__(self, make: MakeLayer, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, _WIDTH, 3, stride=2, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(make(_WIDTH), nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)) for _ in range(3)
        )
        self.last = make(_WIDTH)
        self.head = nn.Linear(_WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.last(x).mean(dim=(2, 3)))


NETS: dict[str, Callable[[MakeLayer, int], nn.Module]] = {"plain": PlainNet, "residual": ResidualNet}
"""Networks that a layer is tried in, by what a person reads."""


def rejected(make: MakeLayer, digits: Digits, seed: int, sizes: Sizes) -> str:
    """Why a layer is not worth a training, in a few words; "" if it is.

    Three looks, cheapest first: one batch gives finite numbers; a short training reaches 20 %; the weight gradients
    stay bounded when the weights are moved uphill on their size. The paper takes 100 steps for each of the last two.
    """
    net = _net("plain", make, digits, seed)
    x, y = (part[:_BATCH] for part in digits.train)
    if not torch.isfinite(net(x)).all():
        return "not finite"
    for loss in _training(net, digits, seed, sizes.look, even=True):
        if not math.isfinite(loss):
            return "diverges"
    if accuracy(net, digits.train, 4 * _BATCH) < _CLASSES_LEAST:
        return "learns nothing"
    return _uphill(_net("plain", make, digits, seed), x, y, sizes.uphill)


def fitness(name: str, make: MakeLayer, digits: Digits, seed: int, sizes: Sizes) -> tuple[float, float]:
    """(validation, test) accuracy of one of `NETS` after a training; 0 where it diverged."""
    net = _net(name, make, digits, seed)
    for loss in _training(net, digits, seed, sizes.steps):
        if not math.isfinite(loss):
            return 0.0, 0.0
    return accuracy(net, digits.validation), accuracy(net, digits.test)


def accuracy(net: nn.Module, split: tuple[Tensor, Tensor], most: int | None = None) -> float:
    """Share of the (first `most`) images that are recognized."""
    net.eval()
    with torch.no_grad():
        found = net(split[0][:most]).argmax(dim=1)
    net.train()
    return float((found == split[1][:most]).float().mean())


def _net(name: str, make: MakeLayer, digits: Digits, seed: int) -> nn.Module:
    # Built layer by layer from global chance, which is put back as it was.
    with torch_drawing(seed, "norm", name):
        net = NETS[name](make, int(digits.train[1].max()) + 1)
    return net.train()


def _training(
    net: nn.Module, digits: Digits, seed: int, steps: int, *, even: bool = False
) -> Iterator[float]:
    """Losses of a training, step by step, at an even rate or in one cycle; ends after one that is not finite."""
    x, y = digits.train
    chance = torch.Generator().manual_seed(torch_seed(seed, "norm", "batches"))
    optimizer = torch.optim.SGD(net.parameters(), lr=_RATE, momentum=0.9, weight_decay=_DECAY, nesterov=True)
    if not even:
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=max(steps, 4))
    for _ in range(steps):
        rows = torch.randint(len(x), (_BATCH,), generator=chance)
        loss = F.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
        optimizer.step()
        if not even:
            schedule.step()
        yield float(loss.detach())
        if not math.isfinite(float(loss.detach())):
            return


def _uphill(net: nn.Module, x: Tensor, y: Tensor, steps: int) -> str:
    """Whether weight gradients explode when the weights climb on their size."""
    weights = [p for p in net.parameters() if p.dim() > 1]
    for _ in range(steps):
        first = torch.autograd.grad(F.cross_entropy(net(x), y), weights, create_graph=True)
        size = torch.stack([g.square().sum() for g in first]).sum().sqrt()
        if not torch.isfinite(size) or size > _STEEPEST:
            return "unstable gradients"
        uphill = torch.autograd.grad(size, weights, allow_unused=True)
        with torch.no_grad():
            for weight, step in zip(weights, uphill, strict=True):
                if step is not None:
                    weight.add_(step, alpha=_UPHILL_RATE)
    return ""
