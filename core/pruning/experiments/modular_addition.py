"""The network in which grokking is studied: it learns (a + b) mod p from a part of all unordered pairs.

Embedding (p, 500), linear (500, 48), sum over the two tokens, ReLU, linear (48, 500), unembedding (500, p), no
biases. Nothing stands between the two matrices of each pair, so they are multiplied before any sample is seen:
a step of the full batch takes about a millisecond.

Source: Minegishi et al., 'Bridging lottery ticket and grokking', arXiv 2310.19470, 2023; task: Power et al., 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import CoreError
from core.networks.masks import Masks
from core.seeding import torch_seed

_WIDTH, _HIDDEN = 500, 48
_BETAS = (0.9, 0.98)
EVERY = 50
"""Steps between two measurements."""


@dataclass(frozen=True, eq=False)
class Task:
    """All unordered pairs, divided at random.

    Attributes:
        train_x, test_x: (n, p) counts of each number in the pair, so a pair's two embeddings are one product.
        train_y, test_y: (n,) sums modulo p.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


@dataclass(frozen=True, eq=False)
class Point:
    """The network at one step: share of right answers, and a copy of its weights."""

    step: int
    train: float
    test: float
    weights: Mapping[str, Tensor]


def pairs(modulus: int, train_share: float, seed: int) -> Task:
    """All unordered pairs of numbers below the modulus, the given share of them for training."""
    a, b = torch.triu_indices(modulus, modulus)
    x = (F.one_hot(a, modulus) + F.one_hot(b, modulus)).float()
    y = (a + b) % modulus
    generator = torch.Generator().manual_seed(torch_seed(seed, "grokking", "pairs"))
    order = torch.randperm(len(y), generator=generator)
    train, test = order.split([round(train_share * len(y)), len(y) - round(train_share * len(y))])
    return Task(x[train], y[train], x[test], y[test])


def fresh(modulus: int, seed: int) -> dict[str, Tensor]:
    """Untrained weights, normal, with a variance of one over the inputs (the embedding: over its width)."""
    generator = torch.Generator().manual_seed(torch_seed(seed, "grokking", "weights"))
    shapes = {
        "embed": (modulus, _WIDTH),
        "first": (_WIDTH, _HIDDEN),
        "second": (_HIDDEN, _WIDTH),
        "unembed": (_WIDTH, modulus),
    }
    inputs = {name: _WIDTH if name == "embed" else shape[0] for name, shape in shapes.items()}
    return {
        name: torch.randn(shape, generator=generator) / inputs[name] ** 0.5 for name, shape in shapes.items()
    }


def logits(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Answers (n, p) to pairs (n, p)."""
    hidden = F.relu(x @ (weights["embed"] @ weights["first"]))
    return hidden @ (weights["second"] @ weights["unembed"])


def train(
    task: Task, start: Mapping[str, Tensor], masks: Masks, steps: int, weight_decay: float
) -> Iterator[Point]:
    """Full-batch AdamW from the given weights with masks held; a point every `EVERY` steps, from step 0.

    Raises:
        CoreError: the loss is no longer a number.
    """
    weights = {name: nn.Parameter(tensor * masks.get(name, 1)) for name, tensor in start.items()}
    optimizer = torch.optim.AdamW(
        weights.values(), lr=1e-3, betas=_BETAS, weight_decay=weight_decay, fused=True
    )
    for step in range(steps + 1):
        if step % EVERY == 0:
            yield _measure(task, weights, step)
        loss = F.cross_entropy(logits(weights, task.train_x), task.train_y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].mul_(mask)


@torch.no_grad()
def _measure(task: Task, weights: Mapping[str, Tensor], step: int) -> Point:
    right = []
    for x, y in ((task.train_x, task.train_y), (task.test_x, task.test_y)):
        answers = logits(weights, x)
        if not bool(torch.isfinite(answers).all()):
            raise CoreError(f"Training on modular addition diverged by step {step}.")
        right.append(float((answers.argmax(1) == y).float().mean()))
    return Point(step, right[0], right[1], {name: w.detach().clone() for name, w in weights.items()})
