"""What gradient attacks are made of: a signed step, the way back into the ball, how well it did."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Net = Callable[[Tensor], Tensor]
"""Images in [0, 1] to logits."""


def project(images: Tensor, center: Tensor, eps: float) -> Tensor:
    """The nearest images within eps of the center and in [0, 1]."""
    return torch.minimum(torch.maximum(images, center - eps), center + eps).clamp(0, 1)


def step(net: Net, at: Tensor, center: Tensor, labels: Tensor, *, size: float, eps: float) -> Tensor:
    """One step of a size along the sign of the loss's gradient at some images, put back into the ball."""
    with torch.enable_grad():
        images = at.detach().requires_grad_(True)
        loss = nn.functional.cross_entropy(net(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return project(at + size * gradient.sign(), center, eps).detach()


def badness(net: Net, images: Tensor, labels: Tensor) -> Tensor:
    """(n,) how well an attack did: wrong ones above right ones, then by loss."""
    with torch.no_grad():
        logits = net(images)
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.sigmoid(torch.log(loss.clamp_min(1e-30))) + (logits.argmax(1) != labels)
