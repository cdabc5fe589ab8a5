"""How a network holds under attack and corruption.

Attacks are white-box, untargeted, within an L-infinity ball, on images in [0, 1]. They are a lower bound
on how easily a net is fooled, not a proof of safety. Gradients are taken with respect to the images only:
no parameter's `.grad` is touched, and the net's mode is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import InvalidInput
from core.networks.answers import evaluating
from core.seeding import stream

_BATCH = 512
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def fgsm(net: nn.Module, x: Images, y: Labels, eps: float) -> Images:
    """One step of size eps along the sign of the loss's gradient.

    Args:
        net: images in [0, 1] to logits.
        x: (n, c, h, w) float32.
        y: (n,) true classes.
        eps: largest change of a pixel, a share of the range from black to white.

    Returns:
        (n, c, h, w) attacked images in [0, 1].

    Raises:
        InvalidInput: eps is not between 0 and 1.

    Source: Goodfellow et al. 2015, x + eps sign(grad_x L).
    """
    _check(eps)
    with evaluating(net):
        return _in_batches(lambda a, b, _: _step(net, a, a, b, eps, eps), x, y)


def pgd(
    net: nn.Module,
    x: Images,
    y: Labels,
    eps: float,
    *,
    ids: NDArray[np.int64] | Sequence[int],
    steps: int = 10,
    step_size: float | None = None,
    seed: int = 0,
) -> Images:
    """Several small steps from a random start, each put back into the ball; the worst image found.

    The FGSM image competes too, so that PGD is never weaker: of all images tried a misclassified one
    wins, then the one with the largest loss.

    Args:
        net, x, y, eps: see `fgsm`.
        ids: (n,) sample ids; each sample's start depends on seed and id only.
        steps: how many.
        step_size: of one step; 2.5 eps / steps without it.
        seed: of the random starts.

    Raises:
        InvalidInput: eps is not between 0 and 1, or steps is not positive.

    Source: Madry et al. 2018.
    """
    _check(eps)
    if steps < 1 or len(ids) != len(x):
        raise InvalidInput("PGD needs at least one step, and one id per image.")
    size = 2.5 * eps / steps if step_size is None else step_size
    starts = [stream(seed, "pgd", int(i)).uniform(-eps, eps, x.shape[1:]) for i in ids]

    def attack(images: Tensor, labels: Tensor, rows: slice) -> Tensor:
        best = images
        worst = _badness(net, images, labels)
        start = torch.from_numpy(np.asarray(starts[rows], np.float32))
        current = _project(images + start, images, eps)
        tried = [_step(net, images, images, labels, eps, eps), current]
        for k in range(steps + len(tried)):
            if k >= len(tried):
                current = _step(net, current, images, labels, size, eps)
            candidate = tried[k] if k < len(tried) else current
            bad = _badness(net, candidate, labels)
            worse = bad > worst
            best = torch.where(worse[:, None, None, None], candidate, best)
            worst = torch.maximum(bad, worst)
        return best

    with evaluating(net):
        return _in_batches(attack, x, y)


def _check(eps: float) -> None:
    if not 0 <= eps <= 1:
        raise InvalidInput(f"The largest change of a pixel lies between 0 and 1, not {eps}.")


def _in_batches(attack: Callable[[Tensor, Tensor, slice], Tensor], x: Images, y: Labels) -> Images:
    attacked = np.array(x, np.float32, copy=True)
    for i in range(0, len(x), _BATCH):
        rows = slice(i, i + _BATCH)
        images = torch.from_numpy(attacked[rows].copy())
        attacked[rows] = attack(images, torch.from_numpy(np.array(y[rows])), rows).numpy()
    return attacked


def _project(images: Tensor, center: Tensor, eps: float) -> Tensor:
    return torch.minimum(torch.maximum(images, center - eps), center + eps).clamp(0, 1)


def _step(net: nn.Module, at: Tensor, center: Tensor, labels: Tensor, size: float, eps: float) -> Tensor:
    with torch.enable_grad():
        images = at.detach().requires_grad_(True)
        loss = nn.functional.cross_entropy(net(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return _project(at + size * gradient.sign(), center, eps).detach()


def _badness(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """(n,) how well an attack did: wrong ones above right ones, then by loss."""
    with torch.no_grad():
        logits = net(images)
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.sigmoid(torch.log(loss.clamp_min(1e-30))) + (logits.argmax(1) != labels)
