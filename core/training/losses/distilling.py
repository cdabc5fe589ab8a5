"""Cross-entropy against another network's softened answers, which several losses share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from core.training.losses.base import Imitating, LossContext


def soft_cross_entropy(outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean cross-entropy of (n, k) outputs against the softmax of (n, k) teacher outputs.

    Both are divided by the temperature, and the result is multiplied by its square, so that gradients keep
    their size (Hinton et al.). The teacher is detached here: it must not learn to be easy to imitate.
    """
    wanted = (teacher.detach() / temperature).softmax(1)
    return F.cross_entropy(outputs / temperature, wanted) * temperature**2


class AnswersImitating(Imitating):
    """Cross-entropy against the answers of another network, with the temperature of the settings."""

    def __call__(self, outputs: Tensor, targets: Tensor, context: LossContext) -> Tensor:
        return soft_cross_entropy(outputs, context.outputs[self.teacher], self.config.temperature)
