"""The fast gradient sign method."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from core.attacks.base import ATTACKS, Attack
from core.attacks.steps import step


@ATTACKS.register("fgsm")
class FGSM(Attack):
    """One step of size eps along the sign of the loss's gradient."""

    label = "FGSM attack"
    source = "Goodfellow et al., 'Explaining and harnessing adversarial examples', ICLR 2015"

    def attack(
        self, net: nn.Module, images: Tensor, labels: Tensor, eps: float, *, ids: Sequence[int], seed: int
    ) -> Tensor:
        return step(net, images, images, labels, size=eps, eps=eps)
