"""Projected gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from core.attacks.base import ATTACKS, Attack
from core.attacks.steps import badness, project, step
from core.config import BaseConfig
from core.seeding import stream


@ATTACKS.register("pgd")
class PGD(Attack):
    """Several small steps from a random start, each put back into the ball; the worst image found counts."""

    label = "PGD attack"
    source = "Madry et al., 'Towards deep learning models resistant to adversarial attacks', ICLR 2018"
    slow = "ten times slower than FGSM"

    class Config(BaseConfig):
        """Number and size of the steps."""

        steps: int = Field(10, ge=1, le=1000, description="How many steps.")
        step_size: float | None = Field(
            None, gt=0, le=1, description="Size of a step; 2.5 eps / steps if left out."
        )

    def attack(
        self, net: nn.Module, images: Tensor, labels: Tensor, eps: float, *, ids: Sequence[int], seed: int
    ) -> Tensor:
        # The FGSM image competes too, so that PGD is never weaker: of all images tried a misclassified one
        # wins, then the one with the largest loss.
        steps = self.config.steps
        size = 2.5 * eps / steps if self.config.step_size is None else self.config.step_size
        starts = [stream(seed, "pgd", int(i)).uniform(-eps, eps, tuple(images.shape[1:])) for i in ids]
        best, worst = images, badness(net, images, labels)
        moved = torch.from_numpy(np.asarray(starts, np.float32)).to(images.device)
        current = project(images + moved, images, eps)
        tried = [step(net, images, images, labels, size=eps, eps=eps), current]
        for k in range(steps + len(tried)):
            if k >= len(tried):
                current = step(net, current, images, labels, size=size, eps=eps)
            candidate = tried[k] if k < len(tried) else current
            bad = badness(net, candidate, labels)
            best = torch.where((bad > worst)[:, None, None, None], candidate, best)
            worst = torch.maximum(bad, worst)
        return best
